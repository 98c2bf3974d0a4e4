"""Presence: who is here. See README.md in this folder."""
