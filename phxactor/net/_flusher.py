"""The flusher: the one process that writes to all connections of an endpoint.

At the end of each scheduler pass, before trio waits for I/O, the flusher sends each connection's output with one system
call. So eight replies in a row of a channel cost one call, and a broadcast costs its sender none. Trio calls the
flusher there as a `trio.abc.Instrument`: a task would run one pass later. The flusher's nursery has a task for each
connection whose client reads too slowly, for each connection that is closing, and for each stream with output.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import trio
from trio.lowlevel import Abort, RaiseCancelT, current_task, reschedule, wait_task_rescheduled

from phxactor.net._base_connection import BaseConnection
from phxactor.otp import ChildSpec, Ok
from phxactor.runtime import Exit, Exited, Patience, Pid, Timer, self_pid, set_port, trap_exit

SLICE = 500
"""Connections that the flusher writes to in one pass; the others wait for the next pass."""
TURN = 0.005
"""Seconds in which it writes large outputs in one pass; the other connections wait, too."""
LINGER = 5.0
"""Seconds that a client has to take the last bytes and to close its side (RFC 6455 section 7.1.1)."""
STOP = 1.0
"""Seconds that all clients together have for this when the flusher itself stops."""


class HostedMark(trio.abc.Instrument):
    """Marks connections in a trio run that another loop hosts: code of that loop may write while trio is asleep.

    Then trio is woken for a pass, at whose end the flusher writes. Without this, the output would wait for the next
    event that wakes trio.
    """

    def __init__(self, dirty: list[BaseConnection]) -> None:
        self._dirty = dirty
        self._asleep = False
        self._token = trio.lowlevel.current_trio_token()

    def mark(self, connection: BaseConnection) -> None:
        """Mark a connection for a write at the end of this pass, or of a pass that begins now."""
        self._dirty.append(connection)
        if self._asleep:
            self._asleep = False
            self._token.run_sync_soon(_wake)

    def before_io_wait(self, timeout: float, /) -> None:
        """Note that a pass has ended; the flusher may write a little later, in this same call of trio."""
        self._asleep = True

    def after_io_wait(self, timeout: float, /) -> None:
        """Note that a pass begins."""
        self._asleep = False


def _wake() -> None:
    """Do nothing: the call itself has woken trio."""


class Flusher(trio.abc.Instrument):
    """The list of connections with output, and the process that writes it."""

    def __init__(self) -> None:
        self._dirty: list[BaseConnection] = []
        self._turns = trio.Lock()
        self._backlog: list[BaseConnection] = []
        """Connections with output from earlier passes, the oldest first."""
        self.mark: Callable[[BaseConnection], None] = self._dirty.append
        """Marks a socket connection for a write in this pass. The list's own method is fastest."""
        self._slow: list[tuple[BaseConnection, trio.CancelScope]] = []
        """Connections that did not take all their output, and have no task yet."""
        self._waiter: trio.lowlevel.Task | None = None
        self._nursery: trio.Nursery | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._stopping: Exited | None = None
        """The supervisor's exit signal; None while the flusher runs."""
        self._failure: BaseException | None = None
        """The exception that a write raised, for the process to raise."""
        self._patience: Patience
        self._lingering: dict[BaseConnection, Timer] = {}
        """The timers of `LINGER` for closing connections."""
        self._stop_seconds = STOP
        self._hosted: HostedMark | None = None
        """Marks connections if another loop hosts the trio run; else None."""

    def child_spec(self) -> ChildSpec:
        """Return the child spec of the flusher."""
        return ChildSpec(id="flusher", start=(self._start_link, (), {}))

    def _start_link(self) -> Ok[Pid]:
        self._stopping = None  # set if this is a restart
        self._stop_seconds = STOP
        self._slow.clear()
        runtime = self_pid().runtime
        self._patience = runtime.patience
        if runtime.hosted and self._hosted is None:
            self._hosted = HostedMark(self._dirty)
            self.mark = self._hosted.mark
        return Ok(self_pid().runtime.spawn(self.run, link=True, initial_call="Flusher"))

    def expect_successor(self) -> None:
        """Make the next stop wait for no client, since the flusher restarts at once."""
        self._stop_seconds = 0.0

    async def wait_for_turn(self) -> None:
        """Wait for a turn for long work: one client of the endpoint has a turn in every second pass.

        In the passes between, all other clients are served.
        """
        async with self._turns:
            await trio.lowlevel.checkpoint()

    @property
    def waiting(self) -> int:
        """Number of clients that wait for a turn."""
        return self._turns.statistics().tasks_waiting

    # ------------------------------------------------------------------------------------------- writing

    def mark_stream(self, connection: BaseConnection) -> None:
        """Start a task that writes a connection's output: a stream's always, since such a write may wait."""
        if self._nursery is None:
            self._dirty.append(connection)  # the flusher restarts: its next process writes
        elif connection.drain_scope is None:
            connection.drain_scope = trio.CancelScope()
            self._nursery.start_soon(self._drain, connection, connection.drain_scope)

    def before_io_wait(self, timeout: float, /) -> None:
        """Write all output. Trio calls this at the end of a pass; it must not raise, or trio drops the instrument."""
        if self._dirty or self._backlog:
            try:
                self._flush()
            except BaseException as error:  # noqa: BLE001 - the flusher's process raises it again
                self._failure = error
            if self._backlog or self._slow or self._failure is not None:
                # Trio has already chosen its I/O timeout; only run_sync_soon cuts the wait short.
                assert self._token is not None  # noqa: S101 - set before the instrument is added
                self._token.run_sync_soon(self._wake)

    def _flush(self) -> None:
        # Half of each turn goes to newly dirty connections, so an echo does not queue behind a broadcast backlog.
        turn, later = self._dirty[: SLICE // 2], self._dirty[SLICE // 2 :]
        self._dirty.clear()
        self._backlog += later
        room = SLICE - len(turn)
        turn += self._backlog[:room]
        del self._backlog[:room]
        left = iter(turn)
        late: float | None = None
        try:
            for connection in left:
                if connection.size and connection.drain_scope is None and not connection.flush():
                    if connection.size:
                        connection.drain_scope = scope = trio.CancelScope()
                        self._slow.append((connection, scope))
                    if late is None:
                        late = perf_counter() + TURN
                    elif perf_counter() > late:
                        self._backlog[:0] = left
        except BaseException:
            self._dirty += left  # keep them for the restarted flusher: they are not marked again
            raise

    async def drained(self, connection: BaseConnection, most: int, seconds: float) -> bool:
        """Wait until at most `most` bytes of a connection's output wait; return False if the connection is gone.

        It also returns False if the client takes nothing for `seconds`.
        """
        while connection.size > most and not connection.closed:
            if connection.drain_scope is None:
                if connection.flush():
                    break
                self.mark_stream(connection)
            if connection.drained is None:
                connection.drained = trio.Event()
            before = connection.size
            with self._patience.move_on_after(seconds) as scope:
                await connection.drained.wait()
            if scope.cancelled_caught and connection.size >= before:
                return False
        return not connection.closed

    def finish(self, connection: BaseConnection) -> None:
        """Write the output, close the server's side, and close fully once the client has closed or `LINGER` is over.

        A second call for a connection does nothing.
        """
        if connection.finishing:
            return
        connection.finishing = True
        scope = connection.drain_scope
        if scope is None:
            if self._nursery is None:
                connection.flush()
                connection.close()
                return
            scope = connection.drain_scope = trio.CancelScope()  # keeps `_flush` from writing too
            self._nursery.start_soon(self._drain, connection, scope)
        self._lingering[connection] = self._patience.add(LINGER, trio.CancelScope.cancel, scope)

    # ------------------------------------------------------------------------------------------- process

    async def run(self) -> None:
        """Run the flusher's process."""
        trap_exit()
        set_port(self._told)
        self._token = trio.lowlevel.current_trio_token()
        trio.lowlevel.add_instrument(self)
        if self._hosted is not None:
            trio.lowlevel.add_instrument(self._hosted)
        try:
            async with trio.open_nursery() as self._nursery:
                while self._stopping is None:
                    self._waiter = current_task()
                    await wait_task_rescheduled(self._stop_waiting)
                    if self._failure is not None:
                        raise self._failure
                    slow, self._slow = self._slow, []
                    while slow:
                        self._nursery.start_soon(self._drain, *slow.pop())
                self._nursery.cancel_scope.deadline = trio.current_time() + self._stop_seconds
        finally:
            trio.lowlevel.remove_instrument(self)
            if self._hosted is not None:
                trio.lowlevel.remove_instrument(self._hosted)
            self._nursery = None
            self._waiter = None
            self._failure = None
            for connection, _ in self._slow:
                self._leave(connection)
        raise Exit(self._stopping.reason)

    async def _drain(self, connection: BaseConnection, scope: trio.CancelScope) -> None:
        """Write a slow connection's output until none is left, or the connection has ended; close it if finishing."""
        try:
            with scope:
                if not connection.finishing:
                    await connection.drain()
                if connection.finishing:
                    await connection.hang_up()
        except BaseException:
            self._leave(connection)
            raise
        if connection.finishing:
            self._close(connection)
        else:
            connection.drain_scope = None
        self._tell_drained(connection)

    def _leave(self, connection: BaseConnection) -> None:
        """Give up a connection's task as the flusher ends: close the connection, or leave it to the next flusher."""
        if connection.finishing:
            self._close(connection)
        else:
            connection.drain_scope = None
            self._dirty.append(connection)
        self._tell_drained(connection)

    def _tell_drained(self, connection: BaseConnection) -> None:
        if connection.drained is not None:
            connection.drained.set()
            connection.drained = None

    def _close(self, connection: BaseConnection) -> None:
        self._patience.discard(self._lingering.pop(connection))
        connection.close()

    def _told(self, message: object) -> None:
        """Handle the supervisor's exit signal: stop after the output is written."""
        if type(message) is Exited:
            self._stopping = message
            self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            reschedule(waiter)

    def _stop_waiting(self, _: RaiseCancelT) -> Abort:
        self._waiter = None
        return Abort.SUCCEEDED
