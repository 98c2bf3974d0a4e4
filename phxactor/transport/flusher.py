"""The flusher: the one process that writes to all connections of a runtime.

It wakes once a pass of the scheduler and sends to each connection what has gathered there, with one system call each;
so a channel that answers eight messages in a row costs one, and a broadcast costs its sender none. Its nursery holds a
task for each connection whose client reads too slowly, and for each that is being closed.
"""

from __future__ import annotations

import trio
from trio.lowlevel import Abort, RaiseCancelT, checkpoint, current_task, reschedule, wait_task_rescheduled

from phxactor.otp import ChildSpec, Ok
from phxactor.runtime import Exit, Exited, Pid, self_pid, set_port, trap_exit
from phxactor.transport.base_connection import BaseConnection

SLICE = 500
"""Connections that are written to before others get a turn: some 3 ms."""
LINGER = 5.0
"""Seconds that a client has to take the last bytes and to close its side (RFC 6455 section 7.1.1)."""
STOP = 1.0
"""Seconds that all clients have for that together, when the flusher itself is told to stop."""


class Flusher:
    """The list of connections that have output, and the process that empties it."""

    def __init__(self) -> None:
        self._dirty: list[BaseConnection] = []
        self._waiter: trio.lowlevel.Task | None = None
        self._nursery: trio.Nursery | None = None
        self._stopping: Exited | None = None
        """What told it to stop."""

    def child_spec(self) -> ChildSpec:
        """Say how a supervisor starts it."""
        return ChildSpec(id="flusher", start=(self._start_link, (), {}))

    def _start_link(self) -> Ok[Pid]:
        self._stopping = None  # it may be a restart
        return Ok(self_pid().runtime.spawn(self.run, link=True, initial_call="Flusher"))

    def mark(self, connection: BaseConnection) -> None:
        """Have a connection written to in this pass."""
        self._dirty.append(connection)
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            reschedule(waiter)

    def finish(self, connection: BaseConnection) -> None:
        """Send what waits, say that no more comes, and close once the client has too, or `LINGER` is over."""
        connection.finishing = True
        if connection.drain_scope is not None:
            connection.drain_scope.deadline = trio.current_time() + LINGER  # its task goes on to `_finish`
        elif self._nursery is not None:
            connection.drain_scope = trio.CancelScope()  # two tasks cannot write to one, so `run` leaves it alone
            self._nursery.start_soon(self._finish, connection)
        else:
            connection.flush()
            connection.close()

    async def run(self) -> None:
        """Be the process."""
        trap_exit()
        set_port(self._told)
        try:
            async with trio.open_nursery() as self._nursery:
                while self._stopping is None:
                    if not self._dirty:
                        self._waiter = current_task()
                        await wait_task_rescheduled(self._stop_waiting)
                    dirty, self._dirty = self._dirty, []
                    for number, connection in enumerate(dirty, 1):
                        connection.dirty = False
                        if connection.size and connection.drain_scope is None and not connection.flush():
                            connection.drain_scope = trio.CancelScope()
                            self._nursery.start_soon(self._drain, connection, connection.drain_scope)
                        if not number % SLICE:
                            await checkpoint()
                    dirty.clear()  # the next pass may be far off, and they gone by then
                self._nursery.cancel_scope.deadline = trio.current_time() + STOP
        finally:
            self._nursery = None
            self._waiter = None
        raise Exit(self._stopping.reason)

    async def _drain(self, connection: BaseConnection, scope: trio.CancelScope) -> None:
        """Write to a connection that takes less than it is given, until it has caught up."""
        with scope:
            await connection.drain()
        if connection.finishing:
            await self._finish(connection)
        else:
            connection.drain_scope = None

    async def _finish(self, connection: BaseConnection) -> None:
        try:
            with trio.move_on_after(LINGER):
                await connection.hang_up()
        finally:
            connection.close()

    def _told(self, message: object) -> None:
        """Stop in order when the supervisor says so: what waits is sent first."""
        if isinstance(message, Exited):
            self._stopping = message
            if self._waiter is not None:
                waiter, self._waiter = self._waiter, None
                reschedule(waiter)

    def _stop_waiting(self, _: RaiseCancelT) -> Abort:
        self._waiter = None
        return Abort.SUCCEEDED
