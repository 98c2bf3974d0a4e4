"""The client's side: connections over picows, and whether anything has gone wrong on one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import cycle
from time import perf_counter_ns

import attrs
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.load.dialects import Dialect, Fault, shown
from benchmarks.os_process import OsProcesses


@attrs.frozen
class Membership:
    """A topic that a connection has joined."""

    topic: str
    join_ref: str


class Connection(WSListener):
    """One WebSocket. Whole messages go to `on_message`; until a load takes them, each is the answer to an `ask`."""

    def __init__(self, client: Client) -> None:
        self.joined: list[Membership] = []
        self.on_message: Callable[[bytes], None] = self._answer
        self.transport: WSTransport
        self._client = client
        self._awaited: asyncio.Future[bytes] | None = (
            asyncio.get_running_loop().create_future() if client.dialect.greets else None
        )

    def send(self, frame: bytes) -> None:
        """Send a text message."""
        self.transport.send(WSMsgType.TEXT, frame)

    async def ask(self, frame: bytes) -> bytes:
        """Send, and wait for the next message."""
        self._awaited = asyncio.get_running_loop().create_future()
        self.send(frame)
        return await self._awaited

    async def hear(self) -> bytes:
        """Wait for what a server says first."""
        assert self._awaited is not None  # noqa: S101 - only where the dialect says that it greets
        return await self._awaited

    def _answer(self, raw: bytes) -> None:
        if self._awaited is None or self._awaited.done():
            raise Fault(f"nobody asked for {shown(raw)}")
        self._awaited.set_result(raw)

    # ------------------------------------------------------------------------------------ called by picows

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep what we send with."""
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a message."""
        kind = frame.msg_type
        try:
            if kind == WSMsgType.TEXT and frame.fin:
                self.on_message(frame.get_payload_as_bytes())
            elif kind == WSMsgType.CLOSE:
                transport.send_close(frame.get_close_code())
                transport.disconnect()
            else:
                self._client.fail(Fault(f"no frame of this kind was expected: {frame}"))
        except Fault as fault:
            self._client.fail(fault)
        except Exception as error:  # noqa: BLE001 - whatever a wrong answer does to those who read it
            self._client.fail(Fault(f"an answer that cannot be read: {error!r}"))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Know that it is gone."""
        self._client.disconnected(self)


class Client:
    """All connections of one load, and its clock's counters."""

    def __init__(
        self, dialect: Dialect, ports: Sequence[int], server: OsProcesses, patience: float, source: str | None = None
    ) -> None:
        self.dialect = dialect
        self.server = server
        self.done = 0
        """Operations that were answered rightly."""
        self._urls = cycle([f"ws://127.0.0.1:{port}{dialect.path}" for port in ports])
        """The next is that of the next client."""
        self._patience = patience
        self._source = None if source is None else (source, 0)
        self._connections: set[Connection] = set()
        self._closing = False
        self._gone = asyncio.Event()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def connect(self) -> Connection:
        """Open a WebSocket."""
        try:
            _, listener = await ws_connect(
                partial(Connection, self),
                next(self._urls),
                websocket_handshake_timeout=self._patience,
                local_addr=self._source,
            )
        except Exception as error:
            raise Fault(f"no connection: {error!r}") from error
        assert isinstance(listener, Connection)  # noqa: S101 - it is what was made above
        self._connections.add(listener)
        await self.dialect.open(listener)
        return listener

    async def stir(self, seconds: float) -> None:
        """Send a pong on each connection every so many seconds, so that the server takes no client for silent."""
        while True:
            await asyncio.sleep(seconds)
            for number, connection in enumerate(list(self._connections)):
                connection.transport.send_pong()
                if number % 100 == 0:
                    await asyncio.sleep(0)

    async def join(self, connection: Connection, topic: str) -> None:
        """Join a topic on a connection."""
        membership = Membership(topic, str(len(connection.joined) + 1))
        frame, answer = self.dialect.join(membership.topic, membership.join_ref)
        raw = await connection.ask(frame)
        if self.dialect.decode(raw) != answer:
            raise Fault(f"a wrong answer to {shown(frame)}: {shown(raw)}")
        connection.joined.append(membership)
        self.done += 1

    async def enter(self, topics: Iterable[str], at_once: int) -> tuple[list[Connection], list[int]]:
        """Connect and join once for each topic, so many at a time; return also how long each took, in ns."""
        connections: list[Connection] = []
        latencies: list[int] = []
        todo = iter(topics)

        async def worker() -> None:
            for topic in todo:
                began = perf_counter_ns()
                connection = await self.connect()
                await self.join(connection, topic)
                latencies.append(perf_counter_ns() - began)
                connections.append(connection)

        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(worker())
        return connections, latencies

    async def leave(self) -> None:
        """Close all connections, and wait until the server has, too."""
        self._closing = True
        self._gone.clear()
        for connection in self._connections:
            connection.transport.send_close(WSCloseCode.OK)
        try:
            async with asyncio.timeout(self._patience):
                await self._gone.wait()
        except TimeoutError:
            raise Fault(f"{len(self._connections)} connections were not closed") from None
        self._closing = False

    # ------------------------------------------------------------------------------- what has gone wrong

    def fail(self, fault: Fault) -> None:
        """Let `watch` raise."""
        if not self._failed.done():
            self._failed.set_exception(fault)

    def disconnected(self, connection: Connection) -> None:
        """Forget a connection; while we work, none may go."""
        self._connections.discard(connection)
        if not self._closing:
            self.fail(Fault("the server has closed a connection"))
        elif not self._connections:
            self._gone.set()

    async def watch_failures(self) -> None:
        """Raise the first `Fault`; nobody minds silence."""
        await self._failed

    async def watch(self) -> None:
        """Raise the first `Fault`, also when nothing is answered any more."""
        while True:
            before = self.done
            await asyncio.wait([self._failed], timeout=self._patience)
            if self._failed.done():
                self._failed.result()
            if self.done == before:
                raise Fault(f"no answer for {self._patience:g} s")
