"""Streams to Redis: TCP, TLS, or a Unix socket."""

from __future__ import annotations

import ssl

import trio

from phxactor.cluster.carriers.redis._url import Address
from phxactor.runtime import forget_handshake


async def open_stream(address: Address, context: ssl.SSLContext | None) -> trio.abc.Stream:
    """Open a stream. The name of the host is looked up each time, since Redis may have moved.

    Raises:
        OSError: Redis cannot be reached, or its certificate is wrong (`ssl.SSLError`).
        trio.BrokenResourceError: the connection ended during the handshake of TLS.

    """
    if address.path:
        return await trio.open_unix_socket(address.path)
    plain = await trio.open_tcp_stream(address.host, address.port)
    if context is None:
        return plain
    stream = trio.SSLStream(plain, context, server_hostname=address.host)
    try:
        await stream.do_handshake()
    except BaseException as error:
        with trio.CancelScope(shield=True) as scope:
            scope.cancel()
            await plain.aclose()
        if isinstance(error, trio.BrokenResourceError) and isinstance(error.__cause__, ssl.SSLError):
            raise error.__cause__ from None
        raise
    finally:
        forget_handshake(stream)
    return stream
