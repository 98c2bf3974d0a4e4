"""The flusher: the one process that writes to all connections of an endpoint.

At the end of each pass of the scheduler, before trio waits for the system, it sends to each connection what has
gathered there, with one system call each; so a channel that answers eight messages in a row costs one, and a broadcast
costs its sender none. Trio calls it there (`trio.abc.Instrument`): a task of its own would run a pass later, and a pass
costs some 4 µs. Its nursery holds a task for each connection whose client reads too slowly, for each that is being
closed, and for each stream that is written to.
"""

from __future__ import annotations

from collections.abc import Callable

import trio
from trio.lowlevel import Abort, RaiseCancelT, current_task, reschedule, wait_task_rescheduled

from phxactor.net._base_connection import BaseConnection
from phxactor.otp import ChildSpec, Ok
from phxactor.runtime import Exit, Exited, Patience, Pid, Timer, self_pid, set_port, trap_exit

SLICE = 500
"""Connections that are written to before others get a turn: some 3 ms."""
LINGER = 5.0
"""Seconds that a client has to take the last bytes and to close its side (RFC 6455 section 7.1.1)."""
STOP = 1.0
"""Seconds that all clients have for that together, when the flusher itself is told to stop."""


class Flusher(trio.abc.Instrument):
    """The list of connections that have output, and the process that empties it."""

    def __init__(self) -> None:
        self._dirty: list[BaseConnection] = []
        self._turns = trio.Lock()
        self._backlog: list[BaseConnection] = []
        """Those that did not get their turn in the pass in which they were marked, oldest first."""
        self.mark: Callable[[BaseConnection], None] = self._dirty.append
        """Has a socket written to at the end of this pass. Each delivery calls it: the list's own method is fastest."""
        self._slow: list[tuple[BaseConnection, trio.CancelScope]] = []
        """Those that did not take everything, and have no task yet."""
        self._waiter: trio.lowlevel.Task | None = None
        self._nursery: trio.Nursery | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._stopping: Exited | None = None
        """What told it to stop."""
        self._failure: BaseException | None = None
        """What writing raised."""
        self._patience: Patience
        self._lingering: dict[BaseConnection, Timer] = {}
        """When the patience ends with those that are being closed."""
        self._stop_seconds = STOP

    def child_spec(self) -> ChildSpec:
        """Say how a supervisor starts it."""
        return ChildSpec(id="flusher", start=(self._start_link, (), {}))

    def _start_link(self) -> Ok[Pid]:
        self._stopping = None  # it may be a restart
        self._stop_seconds = STOP
        self._slow.clear()
        self._patience = self_pid().runtime.patience
        return Ok(self_pid().runtime.spawn(self.run, link=True, initial_call="Flusher"))

    def expect_successor(self) -> None:
        """Have the flusher wait for no client when it is told to stop, since it starts again at once."""
        self._stop_seconds = 0.0

    async def wait_for_turn(self) -> None:
        """Wait until much work may be done for one client: one of all clients has its turn in two passes.

        In the pass between, those are served for whom there was no time in this one.
        """
        async with self._turns:
            await trio.lowlevel.checkpoint()

    @property
    def waiting(self) -> int:
        """How many clients wait for their turn."""
        return self._turns.statistics().tasks_waiting

    # ------------------------------------------------------------------------------------------- writing

    def mark_stream(self, connection: BaseConnection) -> None:
        """Have a stream written to, which has to be waited for, by a task; it takes all that gathers in this pass."""
        if self._nursery is None:
            self._dirty.append(connection)  # for the next flusher
        elif connection.drain_scope is None:
            connection.drain_scope = trio.CancelScope()
            self._nursery.start_soon(self._drain, connection, connection.drain_scope)

    def before_io_wait(self, timeout: float, /) -> None:
        """Write what has gathered; trio calls it at the end of a pass, and would forget an instrument that raises."""
        if self._dirty or self._backlog:
            try:
                self._flush()
            except BaseException as error:  # noqa: BLE001 - it is raised again, by the process
                self._failure = error
            if self._backlog or self._slow or self._failure is not None:
                # How long to wait has been decided by now: only this makes it short.
                assert self._token is not None  # noqa: S101 - it is set before trio knows of this instrument
                self._token.run_sync_soon(self._wake)

    def _flush(self) -> None:
        # Those that were marked just now first, as far as half of the turn goes: behind a broadcast to 10,000 an echo
        # would wait for 120 ms, and waits for 20.
        turn, later = self._dirty[: SLICE // 2], self._dirty[SLICE // 2 :]
        self._dirty.clear()
        self._backlog += later
        room = SLICE - len(turn)
        turn += self._backlog[:room]
        del self._backlog[:room]
        left = iter(turn)
        try:
            for connection in left:
                if connection.size and connection.drain_scope is None and not connection.flush():
                    connection.drain_scope = scope = trio.CancelScope()
                    self._slow.append((connection, scope))
        except BaseException:
            self._dirty += left  # they are not marked again: the next flusher's
            raise

    def finish(self, connection: BaseConnection) -> None:
        """Send what waits, say that no more comes, and close once the client has too, or `LINGER` is over.

        Of one that is finished already, nothing more is sent.
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
            scope = connection.drain_scope = trio.CancelScope()  # two tasks cannot write: `_flush` leaves it alone
            self._nursery.start_soon(self._drain, connection, scope)
        self._lingering[connection] = self._patience.add(LINGER, trio.CancelScope.cancel, scope)

    # ------------------------------------------------------------------------------------------- process

    async def run(self) -> None:
        """Be the process."""
        trap_exit()
        set_port(self._told)
        self._token = trio.lowlevel.current_trio_token()
        trio.lowlevel.add_instrument(self)
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
            self._nursery = None
            self._waiter = None
            self._failure = None
            for connection, _ in self._slow:
                self._leave(connection)
        raise Exit(self._stopping.reason)

    async def _drain(self, connection: BaseConnection, scope: trio.CancelScope) -> None:
        """Write to a connection that takes less than it is given, until it has caught up, or has ended."""
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

    def _leave(self, connection: BaseConnection) -> None:
        """Write no more to a slow connection, for the flusher ends; it is closed now, or the next flusher's."""
        if connection.finishing:
            self._close(connection)
        else:
            connection.drain_scope = None
            self._dirty.append(connection)

    def _close(self, connection: BaseConnection) -> None:
        self._patience.discard(self._lingering.pop(connection))
        connection.close()

    def _told(self, message: object) -> None:
        """Stop in order when the supervisor says so: what waits is sent first."""
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
