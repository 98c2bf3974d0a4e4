"""A server that does as it is told, at the other end of memory streams: all of it happens in virtual time.

What a client says is written down. Joins, leaves and heartbeats are answered with ok, unless a test says otherwise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, TypeAlias

import orjson
import trio
from trio.testing import MemoryReceiveStream, MemorySendStream, memory_stream_pair
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, wrap_server_stream

from phxactor.client import Socket, connect
from phxactor.client._exception_groups import unwrapped
from phxactor.socket import Message

URL: Final = "ws://phoenix.test/socket/websocket"
POLITE: Final = frozenset({"phx_join", "phx_leave", "heartbeat"})
PATIENCE: Final = 1000.0
"""Seconds after which nothing will come any more; they cost nothing."""

MemoryStream: TypeAlias = trio.StapledStream[MemorySendStream, MemoryReceiveStream]
Script: TypeAlias = Callable[[trio.abc.Stream], Awaitable[object]]
Answer: TypeAlias = int | Exception | Script | None
"""To a call: an HTTP status, an error in place of a connection, a script for the bare stream; None lets in."""


class Peer:
    """The server's end of one connection."""

    def __init__(
        self, websocket: WebSocketConnection, stream: trio.abc.Stream, request: WebSocketRequest, polite: set[str]
    ) -> None:
        self.websocket = websocket
        self.stream = stream
        self.path = request.path
        self.subprotocols = request.proposed_subprotocols
        self.headers = dict(request.headers)
        self.polite = polite
        """Events that are answered with ok."""
        self.responses: dict[str, object] = {}
        """What they are answered with on a topic, if not with `{}`."""
        self.log: list[Message] = []
        """All that the client has said."""
        self.close_code: int | None = None
        """Set at the end of the connection, unless it was dropped."""
        self._incoming, self._unanswered = trio.open_memory_channel[Message](1000)

    async def next(self) -> Message:
        """Wait for the next message that is not answered by itself; raises trio.EndOfChannel after the last."""
        with trio.fail_after(PATIENCE):
            return await self._unanswered.receive()

    async def send(
        self, topic: str, event: str, payload: object = None, *, ref: object = None, join_ref: object = None
    ) -> None:
        await self.websocket.send_message(orjson.dumps([join_ref, ref, topic, event, payload]).decode())

    async def reply(self, to: Message, response: object = None, status: str = "ok") -> None:
        answer = {"status": status, "response": {} if response is None else response}
        await self.send(to.topic, "phx_reply", answer, ref=to.ref, join_ref=to.join_ref)

    async def hang_up(self) -> None:
        """End the connection without a word."""
        await trio.aclose_forcefully(self.stream)

    def said(self, event: str) -> list[Message]:
        return [message for message in self.log if message.event == event]

    async def listen(self) -> None:
        try:
            while True:
                message = read(await self.websocket.get_message())
                self.log.append(message)
                if message.event in self.polite:
                    await self.reply(message, self.responses.get(message.topic))
                else:
                    await self._incoming.send(message)
        except ConnectionClosed as closed:
            self.close_code = None if closed.reason is None else closed.reason.code
        finally:
            self._incoming.close()


def read(data: str | bytes) -> Message:
    """Read what a client says."""
    if isinstance(data, str):
        join_ref, ref, topic, event, payload = orjson.loads(data)
        return Message(topic, event, payload, ref, join_ref)
    assert data[0] == 0
    sizes, rest, fields = data[1:5], data[5:], []
    for size in sizes:
        fields.append(rest[:size].decode())
        rest = rest[size:]
    join_ref, ref, topic, event = fields
    return Message(topic, event, rest, ref, join_ref)


class Network:
    """Where calls arrive."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.answers: deque[Answer] = deque()
        """To the next calls; after the last of them everybody is let in."""
        self.calls: list[float] = []
        """When they came."""
        self.polite = set(POLITE)
        """What new peers answer with ok."""
        self.client_streams: list[MemoryStream] = []
        """The client's ends of the connections."""
        self._nursery = nursery
        self._arrived, self._peers = trio.open_memory_channel[Peer](1000)

    async def open_stream(self) -> trio.abc.Stream:
        self.calls.append(trio.current_time())
        answer = self.answers.popleft() if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        client, server = memory_stream_pair()
        self.client_streams.append(client)
        if callable(answer):
            self._nursery.start_soon(answer, server)
        else:
            self.serve(server, answer)
        return client

    def serve(self, stream: trio.abc.Stream, status: int | None = None) -> None:
        """Answer a call over this stream."""
        self._nursery.start_soon(self._serve, stream, status)

    async def peer(self) -> Peer:
        """Wait for the next who is let in."""
        with trio.fail_after(PATIENCE):
            return await self._peers.receive()

    async def _serve(self, stream: trio.abc.Stream, status: int | None) -> None:
        async with trio.open_nursery() as nursery:
            request = await wrap_server_stream(nursery, stream)
            if status is not None:
                await request.reject(status, body=b"because")
                return
            protocol = "phoenix" if "phoenix" in request.proposed_subprotocols else None
            peer = Peer(await request.accept(subprotocol=protocol), stream, request, set(self.polite))
            self._arrived.send_nowait(peer)
            await peer.listen()


@asynccontextmanager
async def open_network() -> AsyncIterator[Network]:
    """Have somewhere to call; at the end, what peers have yet to hear is waited for."""
    with unwrapped():
        async with trio.open_nursery() as nursery:
            yield Network(nursery)
            nursery.cancel_scope.deadline = trio.current_time() + PATIENCE


def call(network: Network, **options: Any) -> AbstractAsyncContextManager[Socket]:  # noqa: ANN401 - those of connect
    """Connect over a network."""
    return connect(URL, open_stream=network.open_stream, **options)


@asynccontextmanager
async def connected(**options: Any) -> AsyncIterator[tuple[Socket, Peer, Network]]:  # noqa: ANN401 - those of connect
    """Connect, and have the server's end too."""
    async with open_network() as network, call(network, **options) as socket:
        yield socket, await network.peer(), network
