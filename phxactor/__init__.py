"""Phoenix Sockets and Channels for Python, on real processes."""
