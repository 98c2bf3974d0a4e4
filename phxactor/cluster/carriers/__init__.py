"""What carries bytes from node to node: see the README of each carrier."""
