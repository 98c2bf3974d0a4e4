"""The carrier by Redis."""
