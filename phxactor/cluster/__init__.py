"""Nodes: the operating-system processes of one cluster, and what carries messages between them."""
