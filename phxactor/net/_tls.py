"""TLS: from an accepted socket to an encrypted connection, within a time."""

from __future__ import annotations

import socket
import ssl
from typing import Final

import trio

from phxactor.net._flusher import Flusher
from phxactor.net._stream_connection import StreamConnection
from phxactor.runtime import forget_handshake, self_pid

HANDSHAKE_TIMEOUT: Final = 10.0
"""Seconds that a client has for the handshake."""


class HandshakeError(Exception):
    """No encrypted connection came about; says why."""


def check_context(context: object) -> ssl.SSLContext | None:
    """Return a server's context, or None for none. Raises TypeError, and ValueError for a client's."""
    if context is None:
        return None
    if not isinstance(context, ssl.SSLContext):
        raise TypeError(f"tls is an ssl.SSLContext with a certificate, not {context!r}")
    if context.protocol is ssl.PROTOCOL_TLS_CLIENT:
        raise ValueError("tls is a client's context; make one by ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)")
    return context


async def shake_hands(transport: trio.abc.Stream, context: ssl.SSLContext, flusher: Flusher) -> StreamConnection:
    """Make a connection encrypted. Raises HandshakeError, with the connection closed."""
    stream = trio.SSLStream(transport, context, server_side=True, https_compatible=True)
    why = f"no handshake within {HANDSHAKE_TIMEOUT:g} seconds"
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


def as_stream(sock: socket.socket) -> trio.SocketStream:
    """Have an accepted socket as a stream of trio's."""
    return trio.SocketStream(trio.socket.from_stdlib_socket(sock))
