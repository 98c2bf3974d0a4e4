"""TLS: from an accepted socket to an encrypted connection, within a time limit."""

from __future__ import annotations

import socket
import ssl
from typing import Final

import trio

from phxactor.net._flusher import Flusher
from phxactor.net._given import Preceded
from phxactor.net._stream_connection import StreamConnection
from phxactor.runtime import forget_handshake, self_pid

HANDSHAKE_TIMEOUT: Final = 10.0
"""Seconds that a client has for the TLS handshake."""


class HandshakeError(Exception):
    """The TLS handshake failed; the text says why."""


def check_context(context: object) -> ssl.SSLContext | None:
    """Return the given SSL context or None. Raises TypeError for another type, ValueError for a client's context."""
    if context is None:
        return None
    if not isinstance(context, ssl.SSLContext):
        raise TypeError(f"tls must be an ssl.SSLContext with a certificate; got {context!r}")
    if context.protocol is ssl.PROTOCOL_TLS_CLIENT:
        raise ValueError(
            "tls must be a server's context; got a client's (PROTOCOL_TLS_CLIENT). "
            "ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) makes a server's"
        )
    return context


async def shake_hands(transport: trio.abc.Stream, context: ssl.SSLContext, flusher: Flusher) -> StreamConnection:
    """Do the TLS handshake as the server. Raises HandshakeError if it fails; the connection is closed then."""
    stream = trio.SSLStream(transport, context, server_side=True, https_compatible=True)
    why = f"the handshake was not done within {HANDSHAKE_TIMEOUT:g} seconds"
    done = False
    try:
        with self_pid().runtime.patience.move_on_after(HANDSHAKE_TIMEOUT):
            await stream.do_handshake()
            done = True
    except trio.BrokenResourceError as error:
        why = str(error.__cause__ or error)
    finally:
        forget_handshake(stream)
        if not done:
            await trio.aclose_forcefully(transport)
    if not done:
        raise HandshakeError(why)
    return StreamConnection(stream, flusher)


def as_stream(sock: socket.socket, received: bytes = b"") -> trio.SocketStream | Preceded:
    """Return an accepted socket as a trio stream; `received` are bytes that were read from it already."""
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
    return Preceded(stream, received) if received else stream
