"""Sockets from outside: listening ones that a parent or systemd has opened, and connections that others accepted."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from typing import Final

import trio

from phxactor.net._address import Address

FAMILIES: Final = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)


def check_listen(given: object) -> tuple[socket.socket, ...]:
    """Return the given listening sockets; None and an empty list mean none.

    Raises TypeError for anything but a list of sockets, ValueError for a socket that does not listen for streams.
    """
    if given is None:
        return ()
    if isinstance(given, socket.socket | str | bytes) or not isinstance(given, Iterable):
        raise TypeError(f"listen must be a list of listening sockets; got {given!r}")
    return tuple(map(_listening, given))


def _listening(given: object) -> socket.socket:
    sock = _stream_socket(given, "each item of listen")
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise ValueError(f"each item of listen must be a socket that listens already; got {given!r}")
    return sock


def check_connected(given: object) -> socket.socket:
    """Return a connected socket. Raises TypeError for no socket, ValueError for one that is no stream or is closed."""
    sock = _stream_socket(given, "a socket to serve")
    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise ValueError(f"{given!r} listens: give it to the option listen; serve_socket takes connected sockets")
    return sock


def _stream_socket(given: object, what: str) -> socket.socket:
    if not isinstance(given, socket.socket):
        raise TypeError(f"{what} must be a socket.socket; got {given!r:.200}")
    if given.fileno() < 0:
        raise ValueError(f"{what} must be open; got {given!r}")
    if given.family not in FAMILIES or given.type is not socket.SOCK_STREAM:
        raise ValueError(f"{what} must be a stream socket of TCP or Unix; got {given!r}")
    return given


def address_of(listening: socket.socket) -> Address:
    """Return the address that a socket listens on; the name of an abstract Unix socket begins with `@`."""
    name = listening.getsockname()
    if isinstance(name, tuple):
        return Address(name[0], name[1])
    return Address(path=os.fsdecode(name).replace("\0", "@", 1))


class Preceded(trio.abc.HalfCloseableStream):
    """A stream whose first bytes have been received already; TLS reads them as if they came now."""

    def __init__(self, stream: trio.SocketStream, received: bytes) -> None:
        """Take over a stream."""
        self.transport_stream = stream
        self._received = received

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return the bytes at hand; once they are gone, wait for the stream's."""
        if not self._received:
            return bytes(await self.transport_stream.receive_some(max_bytes))
        await trio.lowlevel.checkpoint()
        end = len(self._received) if max_bytes is None else max_bytes
        data, self._received = self._received[:end], self._received[end:]
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write to the stream."""
        await self.transport_stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the stream may take more."""
        await self.transport_stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """Close this side of the stream."""
        await self.transport_stream.send_eof()

    async def aclose(self) -> None:
        """Close the stream."""
        await self.transport_stream.aclose()
