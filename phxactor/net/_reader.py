"""The reader: the one process that reads from all connections of an endpoint that are plain sockets.

It has an epoll object of its own that knows of all of them. At the beginning of each pass of the scheduler, right after
trio has waited for the system, it reads from those that have something, and hands it to their transports at once, as a
port takes a message: for the transport it is as if its own task had read, and the channels run in the same pass. Trio
calls it there (`trio.abc.Instrument`); its task does nothing but have trio wake up for that epoll object. It also
receives the first bytes of a connection (`first`), for the task that waits for them, and tells of a client that leaves
while nothing is read (`watch`).

With a task of its own that reads, each connection would cost a switch to that task for each read, a system call that
arms trio's epoll again, and a pass: 5 of 22 µs of an echo that comes alone. Its task sleeps until the connection ends
or has to hold back (`Connection.feed`); where the system has no epoll, it reads.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from time import perf_counter
from typing import Final, final

import trio
from trio.lowlevel import Abort, RaiseCancelT, Task, current_task, reschedule, wait_readable, wait_task_rescheduled

from phxactor.net._base_connection import READ_SIZE, Take
from phxactor.otp import ChildSpec, Ok
from phxactor.runtime import Pid, self_pid

AT_ONCE: Final = 64
"""Connections that are read from before others get a turn."""
TURN: Final = 0.005
"""Seconds after which the others of those are read from in the next pass."""
AVAILABLE: Final = hasattr(select, "epoll")
"""Whether the system has what it takes, as Linux does."""
GONE: Final = "there is no reader any more"


@final
class Reading:
    """What the reader knows of a connection."""

    __slots__ = ("context", "error", "held", "max_bytes", "receive", "take", "task")

    def __init__(self, sock: socket.socket, take: Take, max_bytes: int) -> None:
        self.receive = sock.recv
        self.max_bytes = max_bytes
        self.take = take
        task = current_task()
        self.context = task.context
        """In which `take` runs: it is the connection's process that does."""
        self.task: Task | None = task
        """The connection's, while it sleeps."""
        self.held: Awaitable[None] | None = None
        """What must be awaited before more is read."""
        self.error: BaseException | None = None
        """What `take` raised, or what became of the connection."""

    def read(self) -> None:
        """Read once, and have it taken; at the end, or when something is to be awaited, let the task go on."""
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
            except BaseException as error:  # noqa: BLE001 - it is raised again, by the task
                self.wake(error)
                return
            if held is None:
                return
            if not self._is_awaited() and isinstance(held, Coroutine):  # its process was ended meanwhile
                held.close()
        self.wake(None)

    def _is_awaited(self) -> bool:
        return self.task is not None

    def wake(self, error: BaseException | None) -> None:
        """Let the task go on, or fail."""
        if self.task is not None:
            self.error = error
            reschedule(self.task)
            self.task = None

    def stop_waiting(self, _: RaiseCancelT) -> Abort:
        """Let the task be cancelled."""
        self.task = None
        return Abort.SUCCEEDED


@final
class First:
    """A connection of which one piece is wanted."""

    __slots__ = ("data", "sock", "task")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.task: Task | None = current_task()
        self.data = b""

    def read(self) -> None:
        """Read once; a reset is an end."""
        try:
            self.data = self.sock.recv(READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            pass
        self.wake(None)

    def wake(self, _: object) -> None:
        """Let the task go on."""
        if self.task is not None:
            reschedule(self.task)
            self.task = None

    def stop_waiting(self, _: RaiseCancelT) -> Abort:
        """Let the task be cancelled."""
        self.task = None
        return Abort.SUCCEEDED


@final
class Watched:
    """A connection from which nothing is read: only whether its client has gone is looked at."""

    __slots__ = ("_fileno", "_left", "_reader")

    def __init__(self, reader: Reader, fileno: int, left: Callable[[], None]) -> None:
        self._reader = reader
        self._fileno = fileno
        self._left = left

    def read(self) -> None:
        """Tell that it has, once."""
        self.stop()
        self._left()

    def wake(self, _: object) -> None:
        """Tell nothing: it is the reader that ends."""

    def stop(self) -> None:
        """Look no more; again is no error."""
        self._reader.forget(self._fileno, self)


class Reader(trio.abc.Instrument):
    """The sockets that are read from, and the process that does."""

    def __init__(self) -> None:
        self._poll: select.epoll
        self._pid: Pid
        self._readings: dict[int, Reading | First | Watched] = {}
        self._ready: list[tuple[int, int]] = []
        """Those that were ready when it was asked last, and have not been read from; some may be gone by now."""

    def child_spec(self) -> ChildSpec:
        """Say how a supervisor starts it."""
        return ChildSpec(id="reader", start=(self._start_link, (), {}))

    def _start_link(self) -> Ok[Pid]:
        self._readings = {}
        self._ready = []
        self._poll = select.epoll()
        self._pid = self_pid().runtime.spawn(self.run, link=True, initial_call="Reader")
        return Ok(self._pid)

    async def first(self, sock: socket.socket, seconds: float) -> bytes:
        """Receive once; none at the end, after so many seconds, and when there is no reader (any more)."""
        poll, fileno = self._poll, sock.fileno()
        if poll.closed:
            return b""
        poll.register(fileno, select.EPOLLIN)  # it may raise: there is no room for more
        self._readings[fileno] = first = First(sock)
        patience = self._pid.runtime.patience
        timer = patience.add(seconds, first.wake, None)
        try:
            await wait_task_rescheduled(first.stop_waiting)
        finally:
            patience.discard(timer)
            if not poll.closed:
                del self._readings[fileno]
                poll.unregister(fileno)
        return first.data

    async def feed(self, sock: socket.socket, take: Take, max_bytes: int) -> None:
        """Have all that comes handed to `take`, to the end; for the task of the connection's process.

        Raises what `take` raises, and trio.BrokenResourceError on a reset, or when there is no reader (any more).
        """
        poll, fileno = self._poll, sock.fileno()
        while not poll.closed:
            poll.register(fileno, select.EPOLLIN)  # it may raise: there is no room for more
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
        """Have `left` called when the client has closed its side, or all of it; returns what ends the watch.

        Nothing is read, so nothing that has come is in the way: the system tells of it by itself (EPOLLRDHUP, and
        EPOLLHUP and EPOLLERR, for which nobody has to ask).
        """
        poll, fileno = self._poll, sock.fileno()
        watched = Watched(self, fileno, left)
        with suppress(OSError):  # there is no room for more: then it is only the handler's time that ends it
            if not poll.closed:
                poll.register(fileno, select.EPOLLRDHUP)
                self._readings[fileno] = watched
        return watched.stop

    def forget(self, fileno: int, watched: Watched) -> None:
        """End a watch, unless it has ended."""
        if self._readings.get(fileno) is watched:
            del self._readings[fileno]
            if not self._poll.closed:
                self._poll.unregister(fileno)

    def after_io_wait(self, timeout: float, /) -> None:
        """Read what has come; trio calls it at the beginning of a pass, and would forget an instrument that raises."""
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
        except BaseException as error:  # noqa: BLE001 - it ends the process
            self._pid.runtime.port_failed(self._pid, error)

    async def run(self) -> None:
        """Be the process."""
        trio.lowlevel.add_instrument(self)
        try:
            while True:
                await wait_readable(self._poll.fileno())
        finally:
            trio.lowlevel.remove_instrument(self)
            self._poll.close()
            for reading in self._readings.values():
                reading.wake(trio.BrokenResourceError(GONE))
