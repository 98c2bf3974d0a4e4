"""The reader: the one process that reads from all plain sockets of an endpoint.

The reader has its own epoll object for these sockets. At the beginning of each scheduler pass, right after trio has
waited for I/O, it reads from the ready sockets and calls each transport's `take` in the transport's context, as if the
transport's own task had read. So the channels run in the same pass. Trio calls the reader there as a
`trio.abc.Instrument`; the reader's task only makes trio wake up for the epoll object. The reader also receives the
first bytes of connections (`first`), and reports clients that leave while no task reads (`watch`).

If each connection's task read for itself, each read would cost a task switch, a system call to arm trio's epoll again,
and a pass. With the reader, the task sleeps until the connection ends or must stop reading (`Connection.feed`). On
systems without epoll, the task reads.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter
from typing import Final, final

import trio
from trio.lowlevel import (
    wait_readable,
    wait_task_rescheduled,
    wait_writable,
)

from phxactor.net._base_connection import READ_SIZE, Take
from phxactor.net._newcomers import Newcomers
from phxactor.net._quiet import LOOK, Quiet
from phxactor.net._reading import QUIET, Reading
from phxactor.net._writables import Writables
from phxactor.otp import ChildSpec, Ok
from phxactor.runtime import Pid, Timer, self_pid

AT_ONCE: Final = 64
"""Most ready connections that one call of epoll returns."""
TURN: Final = 0.005
"""Seconds that the reader reads in one pass; the ready connections left are read in the next pass."""
AVAILABLE: Final = hasattr(select, "epoll")
"""Whether the system has epoll, as Linux does."""
OF_ITS_OWN: Final = 3
"""Entries in the reader's table that are no connections."""
GONE: Final = "there is no reader any more"


@final
class Watched:
    """A connection that the reader does not read: it only watches whether the client leaves."""

    __slots__ = ("_fileno", "_left", "_reader")

    def __init__(self, reader: Reader, fileno: int, left: Callable[[], None]) -> None:
        self._reader = reader
        self._fileno = fileno
        self._left = left

    def read(self) -> None:
        """Call `left`, once: the client has left."""
        self.stop()
        self._left()

    def wake(self, _: object) -> None:
        """Do nothing: the reader ends, the client has not left."""

    def stop(self) -> None:
        """End the watch; a second call does nothing."""
        self._reader.forget(self._fileno, self)


class Reader(trio.abc.Instrument):
    """The sockets of an endpoint, and the process that reads from them."""

    def __init__(self) -> None:
        self._poll: select.epoll
        self._newcomers: Newcomers
        self._quiet: Quiet
        self._looking: Timer | None = None
        """The time of the next look for connections that are quiet; None if no other ones are there."""
        self._writables: Writables
        self._pid: Pid
        self._readings: dict[int, Reading | Watched | Newcomers | Writables | Quiet] = {}
        self._ready: list[tuple[int, int]] = []
        """Ready sockets of the last call of epoll that were not read yet; some may be closed by now."""

    def child_spec(self) -> ChildSpec:
        """Return the child spec of the reader."""
        return ChildSpec(id="reader", start=(self._start_link, (), {}))

    def _start_link(self) -> Ok[Pid]:
        self._readings = {}
        self._ready = []
        self._poll = select.epoll()
        self._newcomers = Newcomers()
        self._writables = Writables()
        self._quiet = Quiet(self._poll, self._readings)
        self._looking = None
        for several in (self._newcomers, self._writables, self._quiet):
            self._readings[several.poll.fileno()] = several
            self._poll.register(several.poll.fileno(), select.EPOLLIN)
        self._pid = self_pid().runtime.spawn(self.run, link=True, initial_call="Reader")
        return Ok(self._pid)

    async def first(self, sock: socket.socket, seconds: float) -> bytes:
        """Return the bytes of one read; b"" if the client closes, after `seconds`, and if the reader does not run."""
        newcomers = self._newcomers
        if newcomers.poll.closed:
            return b""
        one = newcomers.add(sock, READ_SIZE)  # may raise OSError: the system's limit for epoll is reached
        patience = self._pid.runtime.patience
        timer = patience.add(seconds, one.wake, None)
        try:
            await wait_task_rescheduled(one.stop_waiting)
        finally:
            patience.discard(timer)
            newcomers.discard(one)
        return one.data or b""

    async def receive(self, sock: socket.socket, size: int) -> bytes | None:
        """Return the bytes of one read; None if the reader cannot read it.

        Raises trio.BrokenResourceError on a reset, and when the socket is closed meanwhile.
        """
        newcomers = self._newcomers
        if newcomers.poll.closed:
            return None
        try:
            one = newcomers.add(sock, size)
        except OSError:
            return None
        try:
            await wait_task_rescheduled(one.stop_waiting)
        finally:
            newcomers.discard(one)
        if one.error is not None:
            raise trio.BrokenResourceError(one.error)
        return one.data

    def close(self, sock: socket.socket) -> None:
        """Wake the tasks that wait for a socket in `first`, `receive` or `writable`: it is about to be closed."""
        self._newcomers.close(sock)
        self._writables.close(sock)

    async def writable(self, sock: socket.socket) -> None:
        """Wait until a socket takes more output, or is closed; many that do so at once have turns."""
        try:
            waited = await self._writables.wait(sock)
        except OSError:  # the system's limit for epoll is reached
            waited = False
        if not waited:
            await wait_writable(sock)

    async def feed(self, sock: socket.socket, take: Take, max_bytes: int) -> None:
        """Pass all received bytes to `take`, until the client closes; the connection's task awaits this.

        Raises the exception of `take`; trio.BrokenResourceError on a reset, or if the reader does not run.
        """
        poll, fileno = self._poll, sock.fileno()
        while not poll.closed:
            poll.register(fileno, select.EPOLLIN)  # may raise OSError: the system's limit for epoll is reached
            self._readings[fileno] = reading = Reading(sock, take, max_bytes)
            if self._looking is None:
                self._looking = self._pid.runtime.patience.add(LOOK, self._look, None)
            try:
                await wait_task_rescheduled(reading.stop_waiting)
                if reading.error is not None:
                    raise reading.error
            finally:
                reading.error = None
                if not poll.closed:
                    del self._readings[fileno]
                    (poll if reading.age < QUIET else self._quiet.poll).unregister(fileno)
                    if len(self._readings) == OF_ITS_OWN:
                        self._look_no_more()
            if reading.held is None:
                return
            await reading.held
        raise trio.BrokenResourceError(GONE)

    def _look(self, _: None) -> None:
        more = not self._poll.closed and self._quiet.look()
        self._looking = self._pid.runtime.patience.add(LOOK, self._look, None) if more else None

    def _look_no_more(self) -> None:
        if self._looking is not None:
            self._pid.runtime.patience.discard(self._looking)
            self._looking = None

    def watch(self, sock: socket.socket, left: Callable[[], None]) -> Callable[[], None]:
        """Call `left` when the client closes its side or resets; return a function that ends the watch.

        Received bytes stay unread, and do not hide a close: epoll reports EPOLLRDHUP by itself, and EPOLLHUP and
        EPOLLERR unasked.
        """
        poll, fileno = self._poll, sock.fileno()
        watched = Watched(self, fileno, left)
        with suppress(OSError):  # the system's limit for epoll is reached: only the handler's time limit is left
            if not poll.closed:
                poll.register(fileno, select.EPOLLRDHUP)
                self._readings[fileno] = watched
        return watched.stop

    def forget(self, fileno: int, watched: Watched) -> None:
        """End a watch, unless it has ended already."""
        if self._readings.get(fileno) is watched:
            del self._readings[fileno]
            if not self._poll.closed:
                self._poll.unregister(fileno)

    def after_io_wait(self, timeout: float, /) -> None:
        """Read from ready sockets. Trio calls this as a pass begins; if it raised, trio would drop it."""
        try:
            ready = self._ready
            if not ready:
                ready = self._ready = self._poll.poll(0, AT_ONCE)
            if ready:
                late = perf_counter() + TURN
                while ready:
                    reading = self._readings.get(ready.pop()[0])
                    if reading is not None:
                        reading.read()
                    if ready and perf_counter() > late:
                        break
        except BaseException as error:  # noqa: BLE001 - the reader's process ends with it
            self._pid.runtime.port_failed(self._pid, error)

    async def run(self) -> None:
        """Run the reader's process."""
        trio.lowlevel.add_instrument(self)
        try:
            while True:
                await wait_readable(self._poll.fileno())
        finally:
            trio.lowlevel.remove_instrument(self)
            self._look_no_more()
            self._poll.close()
            for reading in self._readings.values():
                reading.wake(trio.BrokenResourceError(GONE))
            self._readings.clear()  # it holds objects that hold it
