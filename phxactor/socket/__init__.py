"""Sockets: what travels over one connection, and to whom."""
