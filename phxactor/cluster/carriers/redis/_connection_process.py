"""The process of the connection to Redis: it connects, again and again, for as long as the node lives.

    away ── connect, HELLO, SUBSCRIBE all and its own channel ──▶ open: beats, SUBSCRIBE all lanes in pieces
      ▲                                                             │ all lanes are confirmed
      │                                                             ▼
      └── closed; refused; 5 s without an echo of its beats ◀──── back: other rooms publish

Two tasks live as long as a connection: one reads, and one writes what has gathered in a pass of the scheduler. A Redis
that is not there at the start is the same state as one that went away (CL24).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeAlias, final

import trio

from phxactor.cluster._beats import INTERVAL, LATE, SILENT
from phxactor.cluster.carriers.redis._dialogue import Dialogue, RefusedError
from phxactor.cluster.carriers.redis._exchange import Exchange
from phxactor.cluster.carriers.redis._pauses import Pauses
from phxactor.cluster.carriers.redis._resp import Parser, ProtocolError
from phxactor.cluster.carriers.redis._url import Address
from phxactor.runtime import Exit, Exited, Reason, receive, self_pid, trap_exit

OpenStream: TypeAlias = Callable[[], Awaitable[trio.abc.Stream]]
"""Opens a stream to Redis; raises OSError or trio.BrokenResourceError."""

CONNECT: Final = 5.0
"""Seconds that a try to connect may take, until the first subscription is confirmed."""
FAREWELL: Final = 1.0
"""Seconds in which what waits must be written, and the goodbye, at an orderly end."""
JUDGEMENTS: Final = 4
"""How often in a second it is judged who is silent."""
READ: Final = 65536
"""Bytes that are read at once."""
_CLOSED: Final = "Redis has closed the connection"


@final
class Connection:
    """One connection after another."""

    def __init__(
        self, exchange: Exchange, address: Address, open_stream: OpenStream, pauses: Pauses, held: int
    ) -> None:
        self._exchange = exchange
        self._address = address
        self._open_stream = open_stream
        self._pauses = pauses
        self._max_held = held
        """Bytes of a message that is not whole, at most."""
        self._lost_at: float | None = None
        """When something was last heard on the last connection; None if all that was missed is told."""
        self._was_silent = False
        """Whether Redis was silent on the last connection."""
        self._writer: trio.lowlevel.Task | None = None
        """The task that writes, while it waits for something to write."""
        self._scope: trio.CancelScope | None = None
        """Ends the current connection; None if there is none, or it ends."""
        self._why = ""
        self._answered: trio.Event | None = None
        """Set once Redis has answered everything, at an orderly end."""

    async def run(self) -> None:
        """Run the process."""
        trap_exit()
        self._exchange.is_running = True
        try:
            reason = await self._until_told()
        finally:
            self._exchange.is_running = False
        raise Exit(reason)

    async def _until_told(self) -> Reason:
        """Connect until the parent says that it is enough; return its reason."""
        parent = self_pid().parent
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._connect_for_ever)
            nursery.start_soon(self._beat)
            while type(told := await receive()) is not Exited or told.pid is not parent:
                pass  # nobody else has anything to say to it
            await self._say_goodbye()
            nursery.cancel_scope.cancel()
        return told.reason

    async def _say_goodbye(self) -> None:
        """Say that this node leaves, and wait a moment until Redis has taken that and all that was said before."""
        dialogue = self._exchange.dialogue
        if dialogue is not None:
            self._exchange.tell(self._exchange.all, self._exchange.peers.goodbye())
            self._answered = trio.Event()
            with trio.move_on_after(FAREWELL):
                await self._answered.wait()

    async def _connect_for_ever(self) -> None:
        exchange = self._exchange
        while True:
            refused = False
            try:
                why = await self._connect()
            except trio.TooSlowError:
                why = f"Redis did not answer within {CONNECT:g} s"
            except (RefusedError, ProtocolError) as error:
                why = str(error)
                refused = True
            except trio.BrokenResourceError:
                why = _CLOSED
            except OSError as error:
                why = f"no connection to {self._address}: {_words(error)}"
            exchange.node.away(exchange.carrier, why)
            await trio.sleep(self._pauses.next(refused=refused))

    async def _connect(self) -> str:
        """Connect, and return why the connection has ended."""
        exchange = self._exchange
        dialogue = Dialogue(Parser(self._max_held), exchange.hears, exchange.watched, exchange.refused, self._settled)
        with trio.fail_after(CONNECT):
            stream = await self._open_stream()
        try:
            with trio.fail_after(CONNECT):
                await self._introduce(stream, dialogue)
            self._pauses.reset()
            return await self._hold(stream, dialogue)
        finally:
            self._scope = None
            if exchange.dialogue is dialogue:
                if self._lost_at is None:
                    self._lost_at = exchange.peers.missed_since(exchange.last_heard)
                exchange.end()
            await trio.aclose_forcefully(stream)

    async def _introduce(self, stream: trio.abc.Stream, dialogue: Dialogue) -> None:
        dialogue.greet(self._address, "phxactor")
        await self._until(stream, dialogue, lambda: dialogue.is_greeted)
        dialogue.subscribe([self._exchange.all, self._exchange.own])
        await self._until(stream, dialogue, lambda: dialogue.is_open)

    async def _until(self, stream: trio.abc.Stream, dialogue: Dialogue, done: Callable[[], bool]) -> None:
        output, dialogue.output = dialogue.output, []
        await stream.send_all(b"".join(output))
        while not done():
            data = await stream.receive_some(READ)
            if not data:
                raise trio.BrokenResourceError
            dialogue.receive(data)

    async def _hold(self, stream: trio.abc.Stream, dialogue: Dialogue) -> str:
        async with trio.open_nursery() as nursery:
            self._scope = nursery.cancel_scope
            self._exchange.begin(dialogue, self._wake)
            nursery.start_soon(self._write, stream, dialogue)
            await self._read(stream, dialogue)
        return self._why

    async def _read(self, stream: trio.abc.Stream, dialogue: Dialogue) -> None:
        """Read until the end; it never waits for anything else (CL23)."""
        try:
            while data := await stream.receive_some(READ):
                dialogue.receive(data)
                if dialogue.output:
                    self._wake()
                if self._answered is not None and dialogue.is_answered:
                    self._answered.set()
        except (RefusedError, ProtocolError) as error:
            self._end(str(error))
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        self._end(_CLOSED)

    def _settled(self) -> None:
        lost_at, self._lost_at = self._lost_at, None
        was_silent, self._was_silent = self._was_silent, False
        self._exchange.settle(lost_at, was_silent=was_silent)

    async def _write(self, stream: trio.abc.Stream, dialogue: Dialogue) -> None:
        """Write what has gathered, in one piece, whenever something has."""
        with suppress(OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            while True:
                dialogue.ask_for_lanes()
                while not dialogue.output:
                    self._writer = trio.lowlevel.current_task()
                    await trio.lowlevel.wait_task_rescheduled(self._stop_waiting)
                    dialogue.ask_for_lanes()
                output, dialogue.output = dialogue.output, []
                await stream.send_all(b"".join(output))
        self._end(_CLOSED)

    def _wake(self) -> None:
        if self._writer is not None:
            trio.lowlevel.reschedule(self._writer)
            self._writer = None

    def _stop_waiting(self, _: object) -> trio.lowlevel.Abort:
        self._writer = None
        return trio.lowlevel.Abort.SUCCEEDED

    async def _beat(self) -> None:
        """Beat, and end a connection that brings nothing back of this node's own, each second; judge others more often.

        So a node that has been silent for 5 s is down soon after that, and not up to a second later.
        """
        exchange = self._exchange
        now = exchange.node.runtime.now
        while True:
            before = now()
            for _ in range(JUDGEMENTS):
                await trio.sleep(INTERVAL / JUDGEMENTS)
                exchange.peers.judge()
            if self._scope is None:
                continue
            late = now() - before - INTERVAL
            if late > LATE:  # this node itself was stopped: what has come meanwhile is not read yet
                exchange.last_echo += late
            elif now() - exchange.last_echo >= SILENT:
                self._was_silent = True
                self._end(f"Redis has been silent for {SILENT:g} s")
            exchange.beat()

    def _end(self, why: str) -> None:
        """End the connection."""
        if self._scope is not None:
            self._why = why
            self._scope.cancel()
            self._scope = None


def _words(error: OSError) -> str:
    """Return what the system says; trio keeps that as the cause, or as one cause for each address of the host."""
    cause: BaseException | None = error.__cause__
    while isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    first = cause if isinstance(cause, OSError) else error
    return first.strerror or str(first)
