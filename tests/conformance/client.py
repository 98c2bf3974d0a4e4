"""A WebSocket client on trio that can do right and wrong: messages, fragments, pings, bare bytes, a reset.

What it reads is checked by `websockets`' sans-I/O protocol, which answers pings and closes as a client should.
"""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Final, Self, TypeAlias, cast

import attrs
import orjson
import trio
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Origin, Subprotocol
from websockets.uri import parse_uri

from tests.patience import PATIENCE

CHUNK: Final = 65536


@attrs.frozen
class Pong:
    """The answer to a ping."""

    data: bytes


@attrs.frozen
class Closed:
    """The end: the code of the server's close frame, 1006 if there was none."""

    code: int
    reason: str = ""


Event: TypeAlias = "str | bytes | Pong | Closed"
"""What a client gets: text, binary, a pong, and at last the end."""


class Rejected(Exception):
    """The server did not let the client in."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"{status}: {body[:200]!r}")
        self.status = status
        self.headers = headers
        self.body = body


class Client:
    """One connection; an async context manager that closes it at once."""

    def __init__(self, stream: trio.SocketStream, protocol: ClientProtocol) -> None:
        self.stream = stream
        self.protocol = protocol
        self._events: deque[Event] = deque()
        self._fragments: list[bytes] = []
        self._opcode = Opcode.TEXT
        self._ended = False
        self._sending = trio.Lock()  # whoever reads answers pings and closes

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        origin: str | None = None,
        subprotocols: Sequence[str] | None = None,
        headers: Mapping[str, str] | None = None,
        user_agent: str | None = None,
        compress: bool = False,
    ) -> Self:
        """Connect to a `ws:` URL; raises Rejected."""
        uri = parse_uri(url)
        return await cls.over(
            await trio.open_tcp_stream(uri.host, uri.port),
            url,
            origin=origin,
            subprotocols=subprotocols,
            headers=headers,
            user_agent=user_agent,
            compress=compress,
        )

    @classmethod
    async def over(
        cls,
        stream: trio.abc.Stream,
        url: str,
        *,
        origin: str | None = None,
        subprotocols: Sequence[str] | None = None,
        headers: Mapping[str, str] | None = None,
        user_agent: str | None = None,
        compress: bool = False,
    ) -> Self:
        """Connect over a stream that is connected to the server already; raises Rejected."""
        uri = parse_uri(url)
        protocol = ClientProtocol(
            uri,
            origin=None if origin is None else Origin(origin),
            subprotocols=None if subprotocols is None else [Subprotocol(name) for name in subprotocols],
            extensions=[ClientPerMessageDeflateFactory()] if compress else None,
            max_size=None,
        )
        request = protocol.connect()
        if user_agent is not None:
            request.headers["User-Agent"] = user_agent
        for name, value in (headers or {}).items():
            request.headers[name] = value
        client = cls(cast("trio.SocketStream", stream), protocol)  # another one cannot abort
        protocol.send_request(request)
        with trio.fail_after(PATIENCE):
            await client._flush()
            while protocol.state is State.CONNECTING and protocol.handshake_exc is None:
                await client._read()
        if protocol.handshake_exc is not None:
            await trio.aclose_forcefully(client.stream)
            raise _rejected(protocol.handshake_exc)
        return client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await trio.aclose_forcefully(self.stream)

    @property
    def subprotocol(self) -> str | None:
        return self.protocol.subprotocol

    # ------------------------------------------------------------------------------------------- sending

    async def send(self, message: object) -> None:
        """Send text, bytes, or as JSON anything else; raises trio.BrokenResourceError after the end."""
        if self.protocol.state is not State.OPEN:
            raise trio.BrokenResourceError("the connection is closed")
        if isinstance(message, bytes):
            self.protocol.send_binary(message)
        else:
            self.protocol.send_text(message.encode() if isinstance(message, str) else orjson.dumps(message))
        await self._flush()

    async def send_fragments(self, parts: Sequence[str | bytes], *, ping_between: bytes | None = None) -> None:
        """Send one message in several frames, with a ping after each if asked for."""
        for number, part in enumerate(parts):
            data = part.encode() if isinstance(part, str) else part
            last = number == len(parts) - 1
            if number:
                self.protocol.send_continuation(data, fin=last)
            elif isinstance(part, str):
                self.protocol.send_text(data, fin=last)
            else:
                self.protocol.send_binary(data, fin=last)
            if ping_between is not None:
                self.protocol.send_ping(ping_between)
        await self._flush()

    async def ping(self, data: bytes) -> None:
        self.protocol.send_ping(data)
        await self._flush()

    async def close(self, code: int | None = 1000, reason: str = "") -> None:
        """Send a close frame; what the server makes of it is to be received."""
        if self.protocol.state is State.OPEN:
            self.protocol.send_close(code, reason)
            await self._flush()

    async def send_bare(self, data: bytes) -> None:
        """Send bytes as they are."""
        await self.stream.send_all(data)

    async def abort(self) -> None:
        """Reset the connection, as a client that crashes."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await trio.aclose_forcefully(self.stream)

    # ----------------------------------------------------------------------------------------- receiving

    async def receive(self) -> Event:
        """Wait for the next event; `Closed` is the last, and comes again and again."""
        while not self._events:
            await self._read()
        return self._events[0] if isinstance(self._events[0], Closed) else self._events.popleft()

    async def next(self) -> Event:
        """Receive, with `PATIENCE`."""
        with trio.fail_after(PATIENCE):
            return await self.receive()

    async def json(self) -> object:
        """Receive a text, and decode it; skip the signs of life that a server sends to a slow client."""
        while (event := await self.next()) == Pong(b""):
            pass
        assert isinstance(event, str), event
        return cast("object", orjson.loads(event))

    async def ask(self, message: object) -> object:
        """Send JSON, and receive the next text decoded."""
        await self.send(message)
        return await self.json()

    async def until_closed(self) -> tuple[list[Event], Closed]:
        """Receive to the end; return what came before it, and the end."""
        events: list[Event] = []
        while not isinstance(event := await self.next(), Closed):
            events.append(event)
        return events, event

    async def quiet(self, seconds: float = 0.05) -> list[Event]:
        """Receive until nothing has come for a while; return what did."""
        events: list[Event] = []
        while True:
            with trio.move_on_after(seconds):
                events.append(await self.receive())
                if isinstance(events[-1], Closed):
                    return events
                continue
            return events

    # ------------------------------------------------------------------------------------------ plumbing

    async def _read(self) -> None:
        if self._ended:
            self._events.append(self._end())
            return
        try:
            data = bytes(await self.stream.receive_some(CHUNK))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            data = b""
        if data:
            self.protocol.receive_data(data)
            self._take(self.protocol.events_received())
            if self.protocol.close_rcvd is not None:
                self._ended = True
        else:
            self._ended = True
            self.protocol.receive_eof()
        try:
            await self._flush()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._ended = True
        if self._ended:
            self._events.append(self._end())

    def _end(self) -> Closed:
        received = self.protocol.close_rcvd
        return Closed(1006) if received is None else Closed(int(received.code), received.reason)

    def _take(self, received: Iterable[object]) -> None:
        for frame in received:
            if not isinstance(frame, Frame):
                continue
            match frame.opcode:
                case Opcode.TEXT | Opcode.BINARY:
                    self._opcode = frame.opcode
                    self._fragments = [bytes(frame.data)]
                case Opcode.CONT:
                    self._fragments.append(bytes(frame.data))
                case Opcode.PONG:
                    self._events.append(Pong(bytes(frame.data)))
                    continue
                case _:
                    continue
            if frame.fin:
                data = b"".join(self._fragments)
                self._events.append(data.decode() if self._opcode is Opcode.TEXT else data)

    async def _flush(self) -> None:
        async with self._sending:
            for data in self.protocol.data_to_send():
                if data:
                    await self.stream.send_all(data)
                elif hasattr(self.stream, "send_eof"):  # TLS cannot close one side only
                    await self.stream.send_eof()


def _rejected(error: Exception) -> Exception:
    if not isinstance(error, InvalidStatus):
        return error
    response = error.response
    return Rejected(response.status_code, dict(response.headers.raw_items()), bytes(response.body or b""))
