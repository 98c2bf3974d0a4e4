"""Transports: processes that tie a client's connection to a socket, and the requests that open one."""
