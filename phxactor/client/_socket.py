"""Connecting to a server, and joining topics."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType, TracebackType
from typing import Final, final

import attrs
import trio

from phxactor.channels import Payload
from phxactor.client import _backoff as backoff
from phxactor.client._channel import Channel
from phxactor.client._errors import ConnectRefused
from phxactor.client._exception_groups import raise_again
from phxactor.client._factories import ValueOrFactory
from phxactor.client._handshake import OpenStream, Server
from phxactor.client._inbox import Inbox
from phxactor.client._line import Line, LineOptions
from phxactor.client._membership import Membership
from phxactor.client._nursery import open_nursery
from phxactor.client._status import Status
from phxactor.client._url import URL, Params
from phxactor.runtime import is_cancellation

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@attrs.frozen
class SocketStatistics:
    """The counts of a socket at one moment."""

    connected: bool
    connections: int
    """Connections opened so far."""
    topics: int
    """Topics that are joined, or waiting to be joined."""
    unwritten: int
    """Messages not yet written to the connection."""


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

    At the end of the block, the client leaves all topics, closes the connection with 1000, and ends all its tasks. This
    takes at most 2 seconds, also when the block is cancelled. `params`, `auth_token` and `headers` may be functions,
    synchronous or asynchronous; they are called for each connection.

    Args:
        url: the URL of the WebSocket, e.g. `wss://example.com/socket/websocket`.
        params: the params for the server's `connect`, sent in the query.
        auth_token: the token for the server's `connect` (`connect_info["auth_token"]`), sent as a sub-protocol.
        headers: further headers of the handshake.
        ssl_context: for a `wss:` URL; by default one that trusts the system's certificates.
        open_stream: a function that opens the stream to use instead of TCP, e.g. a Unix socket or a proxy's tunnel.
        timeout: seconds for a try to connect; also the default for each join, push and leave.
        heartbeat: seconds between heartbeats. One that is not answered in this time ends the connection.
        reconnect_after: a function from the number of the try to connect again (from 1) to the seconds before it.
        rejoin_after: a function from the number of the try to join a topic again (from 1) to the seconds before it.
        gives_up: a function that decides whether a refusal of a later connection is raised out of the block; by
            default a 4xx status is, except 408, 425 and 429.
        on_status: a function called with each `Status`; it must not block.
        max_message_size: maximum bytes of a received message; a larger one ends the connection.

    Raises:
        ConnectRefused: on entering the block, if the server refuses the handshake; later, if `gives_up` says so.
        OSError: on entering the block, if the server cannot be reached (includes TimeoutError and ConnectionLost).
        ValueError: an option is not valid.

    """
    where = URL.parse(url)
    if ssl_context is None and where.secure:
        ssl_context = ssl.create_default_context()
    elif ssl_context is not None and not where.secure:
        raise ValueError(f"an ssl_context needs a wss:// URL, not {where}")
    for name, value in {"timeout": timeout, "heartbeat": heartbeat, "max_message_size": max_message_size}.items():
        if not value > 0:
            raise ValueError(f"{name} must be more than 0, not {value!r}")
    server = Server(where, params, auth_token, headers, ssl_context, open_stream, max_message_size)
    return _Connected(Line(server, LineOptions(timeout, heartbeat, reconnect_after, rejoin_after, gives_up, on_status)))


@final
class _Connected(AbstractAsyncContextManager["Socket"]):
    """The block of `connect`.

    It is a class, not a generator, and its task does not raise: see `open_nursery`. The block's `Cancelled` would refer
    to what the task raises, and the frames of `contextlib` to the `Cancelled`.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._tasks = open_nursery()
        self._nursery: trio.Nursery
        self._failure: Exception | None = None
        """What has ended the line, before the end of the block."""

    async def __aenter__(self) -> Socket:
        """Connect."""
        self._nursery = await self._tasks.__aenter__()
        self._nursery.start_soon(self._line.patience.run)
        self._nursery.start_soon(self._run)
        try:
            await self._line.connected()
        except BaseException:
            await self.__aexit__(*sys.exc_info())
            raise
        return Socket(self._line, self._nursery)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Leave all topics and close the connection; raise what has ended the line."""
        try:
            try:
                await self._line.close()
            except BaseException:  # noqa: BLE001 - the nursery raises it, after its tasks have ended
                kind, error, trace = sys.exc_info()
            self._nursery.cancel_scope.cancel()
            handled = await self._tasks.__aexit__(kind, error, trace)
            failure, self._failure = self._failure, None
            if failure is None:
                return handled
            if error is not None and not is_cancellation(error):
                raise BaseExceptionGroup("the block of connect has failed, and its connection", [error, failure])
            raise_again(failure)
        finally:
            failure = None
            del error, trace

    async def _run(self) -> None:
        try:
            await self._line.run()
        except Exception as error:  # noqa: BLE001 - `__aexit__` raises it, after the tasks have ended
            self._failure = error
        if self._failure is not None:
            self._nursery.cancel_scope.cancel()


@final
class Socket:
    """A connection to a server, which is opened again when it is lost, and the topics joined over it."""

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
            topic: the topic, e.g. `room:lobby`.
            payload: the payload for the channel's `join`, or a function that is called for each join.
            timeout: seconds for each join of this topic; by default the socket's `timeout`.
            max_queued: messages that may wait for the iteration; if more come, the oldest are dropped.

        Raises:
            JoinError: the server refused the join.
            ChannelCrashed: the channel crashed during the join.
            TimeoutError: the server did not answer in time.
            ValueError: the topic is joined already over this socket, or `max_queued` is less than 1.
            trio.ClosedResourceError: the block of `connect` has been left.

        """
        if max_queued < 1:
            raise ValueError(f"max_queued must be at least 1, not {max_queued}")
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
        """Return the current counts."""
        connection = self._line.connection
        return SocketStatistics(
            connected=connection is not None,
            connections=self._line.connections,
            topics=len(self._line.members),
            unwritten=0 if connection is None else connection.waiting,
        )
