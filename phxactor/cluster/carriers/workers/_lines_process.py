"""The process of all lines of a node: reads them, flushes them at the end of each pass, and gives the beats.

It has an epoll object for the lines, and its task sleeps until one of them is ready. So a pass of the scheduler in
which no line has anything costs one call of a function (`before_io_wait`), and no system call. After `TURN` seconds of
work it goes on in the next pass: a message may go to thousands of clients.

The beat comes from the timers of the runtime, so from the loop that runs the processes (NO38), and before a node is
called silent all that it has sent is read (NO12).
"""

from __future__ import annotations

import select
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Final, final

import trio

from phxactor.cluster import LocalNode
from phxactor.cluster._beats import INTERVAL
from phxactor.cluster.carriers.workers._frames import LineError
from phxactor.runtime import SHUTDOWN, Exit, Exited, Pid, Reason, self_pid, send_after, set_port, trap_exit

if TYPE_CHECKING:
    from phxactor.cluster.carriers.workers._line import Line
    from phxactor.cluster.carriers.workers._workers import Workers

TURN: Final = 0.005
"""Seconds that it handles frames in one pass."""
LINGER: Final = 1.0
"""Seconds that other nodes have to take what waits for them when this node leaves."""

MOST: Final = 128
"""Reads of a line that is closed from this side: more than a socket's buffer and what waits here."""

_BEAT: Final = "beat"
"""The message of its timer."""


@final
class LinesProcess(trio.abc.Instrument):
    """One life of the process."""

    def __init__(self, workers: Workers, node: LocalNode) -> None:
        """Prepare the process; `run` is its body."""
        self._workers = workers
        self._node = node
        self._poll: select.epoll
        self._pid: Pid
        self._lines: dict[int, Line] = {}
        """The open lines by descriptor."""
        self._left: list[Line] = []
        """Lines that have frames left to handle; they are not read meanwhile."""
        self._scope: trio.CancelScope
        self._reason: Reason | None = None
        """Why the supervisor ends it; None while it runs."""
        self._token: trio.lowlevel.TrioToken

    # ------------------------------------------------------------------------------- called by the carrier

    def listen(self, line: Line) -> None:
        """Read a line from now on. Raises OSError at the system's limit for epoll."""
        self._poll.register(line.fileno, select.EPOLLIN if line.writable else select.EPOLLIN | select.EPOLLOUT)
        self._lines[line.fileno] = line

    def forget(self, line: Line) -> None:
        """Read a line no more."""
        if self._lines.pop(line.fileno, None) is not None:
            self._poll.unregister(line.fileno)
        if line in self._left:
            self._left.remove(line)

    def await_writable(self, line: Line) -> None:
        """Flush a line again once its socket takes more."""
        if line.fileno in self._lines:
            self._poll.modify(line.fileno, select.EPOLLIN | select.EPOLLOUT)

    def exhaust(self, line: Line) -> None:
        """Read and handle all that a line has, up to its end."""
        for _ in range(MOST):
            more = self._receive(line)
            self._handle(line, inf)
            if not more or line.fileno not in self._lines:
                return

    # ------------------------------------------------------------------------------------------- reading

    def _turn(self) -> None:
        """Read from all lines that are ready, and handle what has come for a while."""
        turn, self._left = self._left, []
        for fileno, ready in self._poll.poll(0):
            line = self._lines[fileno]
            if ready & select.EPOLLOUT:
                self._poll.modify(fileno, select.EPOLLIN)
                line.writable = True
                self._workers.mark(line)
            if ready & ~select.EPOLLOUT and line not in turn:
                self._receive(line)
                turn.append(line)
        until = perf_counter() + TURN
        for line in turn:
            if self._lines.get(line.fileno) is line and self._handle(line, until):
                self._left.append(line)

    def _receive(self, line: Line) -> bool:
        if line.receive():
            self._workers.heard(line)
            return True
        return False

    def _handle(self, line: Line, until: float) -> bool:
        """Handle frames; close the line at its end. Returns whether frames are left."""
        try:
            if line.handle(self._workers, until):
                return True
        except LineError:
            self._node.refused(self._workers, "frame")
            self._workers.close(line)
        else:
            if line.ended:
                self._workers.close(line)
        return False

    # ------------------------------------------------------------------------------------------- writing

    def before_io_wait(self, timeout: float, /) -> None:
        """Write what has gathered in this pass. Trio calls this as a pass ends; if it raised, trio would drop it."""
        if self._workers.dirty:
            try:
                self._workers.flush()
            except BaseException as error:  # noqa: BLE001 - the process ends with it
                self._node.runtime.port_failed(self._pid, error)
                self._token.run_sync_soon(_wake)  # trio has already chosen how long it waits

    # ------------------------------------------------------------------------------------------- process

    async def run(self) -> None:
        """Run the process."""
        self._pid = self_pid()
        self._token = trio.lowlevel.current_trio_token()
        self._scope = trio.CancelScope()
        trap_exit()
        with select.epoll() as self._poll:
            trio.lowlevel.add_instrument(self)
            try:
                set_port(self._told)
                self._workers.begin(self)
                send_after(self._pid, _BEAT, INTERVAL)
                with self._scope:
                    await self._read()
                await self._leave()
            finally:
                trio.lowlevel.remove_instrument(self)
                self._workers.end()
        raise Exit(self._reason or SHUTDOWN)

    async def _read(self) -> None:
        while True:
            if self._left:
                await trio.lowlevel.checkpoint()
            else:
                await trio.lowlevel.wait_readable(self._poll.fileno())
            self._turn()

    async def _leave(self) -> None:
        """Say goodbye, and wait a while until it is written."""
        self._workers.say_goodbye()
        self._workers.flush()
        with trio.move_on_after(LINGER):
            while any(not line.writable for line in self._lines.values()):
                await trio.lowlevel.wait_readable(self._poll.fileno())
                self._turn()
                self._workers.flush()
        self._workers.close_all()

    def _told(self, message: object) -> None:
        """Take the beat of the timer, and the exit signal of the supervisor."""
        if type(message) is Exited:
            self._reason = message.reason
            self._scope.cancel()
        elif message is _BEAT:
            send_after(self._pid, _BEAT, INTERVAL)
            self._turn()
            self._workers.beat()


def _wake() -> None:
    """Do nothing: the call itself has woken trio."""
