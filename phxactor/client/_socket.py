"""Connecting to a server, and joining topics."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import MappingProxyType
from typing import Final, final

import attrs
import trio

from phxactor.channels import Payload
from phxactor.client import _backoff as backoff
from phxactor.client._channel import Channel
from phxactor.client._errors import ConnectRefused
from phxactor.client._exception_groups import unwrapped
from phxactor.client._factories import ValueOrFactory
from phxactor.client._handshake import OpenStream, Server
from phxactor.client._inbox import Inbox
from phxactor.client._line import Line, LineOptions
from phxactor.client._membership import Membership
from phxactor.client._status import Status
from phxactor.client._url import URL, Params

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@attrs.frozen
class SocketStatistics:
    """A socket, in numbers."""

    connected: bool
    connections: int
    """How many there have been."""
    topics: int
    """That are joined, or are to be."""
    unwritten: int
    """Messages that wait to be written."""


def _ignore(_: Status) -> None:
    pass


def connect(
    url: str,
    *,
    params: ValueOrFactory[Params] = _NOTHING,
    auth_token: ValueOrFactory[str | None] = None,
    headers: ValueOrFactory[Mapping[str, str]] = _NOTHING,
    ssl_context: ssl.SSLContext | None = None,
    open_stream: OpenStream | None = None,
    timeout: float = 10.0,
    heartbeat: float = 30.0,
    reconnect_after: Callable[[int], float] = backoff.reconnect_after,
    rejoin_after: Callable[[int], float] = backoff.rejoin_after,
    gives_up: Callable[[ConnectRefused], bool] = ConnectRefused.is_final,
    on_status: Callable[[Status], object] = _ignore,
    max_message_size: int = 16 * 1024 * 1024,
) -> AbstractAsyncContextManager[Socket]:
    """Connect to a Phoenix socket, and stay connected while the block lasts.

    At its end all topics are left, the connection is closed with 1000 and every task is gone; that takes at most 2
    seconds, also when the block is cancelled. `params`, `auth_token` and `headers` may be functions, synchronous or
    not: they are called anew for each connection.

    Args:
        url: the WebSocket's, `wss://example.com/socket/websocket`.
        params: what the socket's `connect` gets, by way of the query.
        auth_token: what it gets as `auth_token`, by way of a sub-protocol.
        headers: more headers of the handshake.
        ssl_context: for a `wss:` URL; one that trusts what the system trusts unless given.
        open_stream: what to speak over instead of TCP, as a Unix socket or a proxy's tunnel.
        timeout: seconds for a try to connect, and for each join, push and leave that is given none.
        heartbeat: seconds between heartbeats; one that is not answered before the next is due ends the connection.
        reconnect_after: seconds before a try to connect again, from its number; 1 is the first.
        rejoin_after: seconds before a try to join a topic again, from its number.
        gives_up: whether a refusal, when connecting again, is to be raised out of the block; unless given, a 4xx is,
            but for 408, 425 and 429.
        on_status: is told of each connection and each join, as they come and go; it must not wait.
        max_message_size: bytes of a message; a larger one ends the connection.

    Raises:
        ConnectRefused: when it is entered, and the server does not let us in; or see `gives_up`.
        OSError: when it is entered, and the server cannot be reached (`TimeoutError` and `ConnectionLost` are such).
        ValueError: an option is wrong.

    """
    where = URL.parse(url)
    if ssl_context is None and where.secure:
        ssl_context = ssl.create_default_context()
    elif ssl_context is not None and not where.secure:
        raise ValueError(f"an ssl_context is for wss:// URLs, and this is {where}")
    for name, value in {"timeout": timeout, "heartbeat": heartbeat, "max_message_size": max_message_size}.items():
        if not value > 0:
            raise ValueError(f"{name} is to be more than 0, not {value!r}")
    server = Server(where, params, auth_token, headers, ssl_context, open_stream, max_message_size)
    return _connected(Line(server, LineOptions(timeout, heartbeat, reconnect_after, rejoin_after, gives_up, on_status)))


@asynccontextmanager
async def _connected(line: Line) -> AsyncIterator[Socket]:
    with unwrapped():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(line.patience.run)
            nursery.start_soon(line.run)
            try:
                await line.connected()
                yield Socket(line, nursery)
            finally:
                await line.close()
                nursery.cancel_scope.cancel()


@final
class Socket:
    """A connection to a server that comes back when it is lost, and the topics that are joined over it."""

    def __init__(self, line: Line, nursery: trio.Nursery) -> None:
        self._line = line
        self._nursery = nursery

    async def join(
        self,
        topic: str,
        payload: ValueOrFactory[Payload] = None,
        *,
        timeout: float | None = None,
        max_queued: int = 1024,
    ) -> Channel:
        """Join a topic.

        Args:
            topic: as in `room:lobby`.
            payload: what the channel's `join` gets, or a function that makes it anew for each join.
            timeout: seconds; the socket's unless given.
            max_queued: messages that may wait to be iterated over; when more come, the oldest are dropped.

        Raises:
            JoinError: the server did not let us in.
            ChannelCrashed: the channel did not survive its join.
            TimeoutError: it took too long.
            ValueError: the topic has been joined already.
            trio.ClosedResourceError: the block of `connect` has been left.

        """
        if max_queued < 1:
            raise ValueError(f"max_queued is to be at least 1, not {max_queued}")
        if topic in self._line.members:
            raise ValueError(f"{topic!r} has been joined already over this socket; leave it first")
        seconds = self._line.options.timeout if timeout is None else timeout
        membership = Membership(self._line, topic, payload, seconds, Inbox(topic, max_queued))
        self._line.members[topic] = membership
        try:
            await membership.join()
        except BaseException:
            membership.end()
            raise
        if not membership.closed:
            self._nursery.start_soon(membership.keep)
        return Channel(membership)

    def statistics(self) -> SocketStatistics:
        """Count what there is to count."""
        connection = self._line.connection
        return SocketStatistics(
            connected=connection is not None,
            connections=self._line.connections,
            topics=len(self._line.members),
            unwritten=0 if connection is None else connection.waiting,
        )
