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
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from time import perf_counter
from typing import Final, final

import trio
from trio.lowlevel import (
    Abort,
    RaiseCancelT,
    Task,
    current_task,
    reschedule,
    wait_readable,
    wait_task_rescheduled,
    wait_writable,
)

from phxactor.net._base_connection import READ_SIZE, Take
from phxactor.net._newcomers import Newcomers
from phxactor.net._writables import Writables
from phxactor.otp import ChildSpec, Ok
from phxactor.runtime import Pid, self_pid

AT_ONCE: Final = 64
"""Most ready connections that one call of epoll returns."""
TURN: Final = 0.005
"""Seconds that the reader reads in one pass; the ready connections left are read in the next pass."""
AVAILABLE: Final = hasattr(select, "epoll")
"""Whether the system has epoll, as Linux does."""
GONE: Final = "there is no reader any more"


@final
class Reading:
    """A connection that the reader feeds: its socket, its `take`, and its sleeping task."""

    __slots__ = ("context", "error", "held", "max_bytes", "receive", "take", "task")

    def __init__(self, sock: socket.socket, take: Take, max_bytes: int) -> None:
        self.receive = sock.recv
        self.max_bytes = max_bytes
        self.take = take
        task = current_task()
        self.context = task.context
        """The context of the connection's process, for `take`."""
        self.task: Task | None = task
        """The connection's task while it sleeps; None once it is woken."""
        self.held: Awaitable[None] | None = None
        """The awaitable that `take` returned: the task awaits it before more is read."""
        self.error: BaseException | None = None
        """The exception for the task to raise: of `take`, or for a broken connection."""

    def read(self) -> None:
        """Read once and call `take`; wake the task at the end of input, or if `take` returned an awaitable."""
        if self.task is None:
            return
        try:
            data = self.receive(self.max_bytes)
        except BlockingIOError:
            return
        except OSError as error:
            self.wake(trio.BrokenResourceError(str(error)))
            return
        if data:
            try:
                held = self.held = self.context.run(self.take, data)
            except BaseException as error:  # noqa: BLE001 - the connection's task raises it again
                self.wake(error)
                return
            if held is None:
                return
            if not self._is_awaited() and isinstance(held, Coroutine):  # the process was ended meanwhile
                held.close()
        self.wake(None)

    def _is_awaited(self) -> bool:
        return self.task is not None

    def wake(self, error: BaseException | None) -> None:
        """Wake the task, to raise `error` if it is not None."""
        if self.task is not None:
            self.error = error
            reschedule(self.task)
            self.task = None

    def stop_waiting(self, _: RaiseCancelT) -> Abort:
        """Let the task be cancelled."""
        self.task = None
        return Abort.SUCCEEDED


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
        self._writables: Writables
        self._pid: Pid
        self._readings: dict[int, Reading | Watched | Newcomers | Writables] = {}
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
        for several in (self._newcomers, self._writables):
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
            try:
                await wait_task_rescheduled(reading.stop_waiting)
                if reading.error is not None:
                    raise reading.error
            finally:
                reading.error = None
                if not poll.closed:
                    del self._readings[fileno]
                    poll.unregister(fileno)
            if reading.held is None:
                return
            await reading.held
        raise trio.BrokenResourceError(GONE)

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
            self._poll.close()
            for reading in self._readings.values():
                reading.wake(trio.BrokenResourceError(GONE))
