"""The multiplexer of a transport, as the options of its socket say."""

from __future__ import annotations

from phxactor.socket import Socket
from phxactor.socket.multiplexer import Multiplexer, Output, Pool
from phxactor.socket.rate_limit import rate_limit
from phxactor.transport.options import SocketOptions


def multiplexer(socket: Socket, output: Output, pool: Pool, options: SocketOptions) -> Multiplexer:
    """Make it; `output` is the transport."""
    return Multiplexer(
        socket,
        output,
        pool,
        max_channels=options.max_channels,
        join_timeout=options.join_timeout,
        max_input_bytes=options.max_input_bytes,
        messages=rate_limit(options.max_messages_per_second),
        joins=rate_limit(options.max_joins_per_second),
    )
