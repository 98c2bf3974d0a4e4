"""The leaks that the fixture `no_leaks` finds, each with the code that created the leaked object.

    process       the runtime had to kill it at its end: it was no supervisor's child
    task          its process was killed, and the task does not end
    name, timer   still there when the runtime has ended; a timer that would send to a name
    socket        still open when the test has ended
    thread        still running a second after the test has ended; threads that event loops and the log reuse are exempt

and when all clients of the test have disconnected, before the runtime stops (`_client_leaks`):

    channel       it outlives its client
    monitor       a process has made several on the same process, and not removed them
    subscription  a process has made several to the same topic, and not removed them

A timer that sends to a process ends with that process. Single subscriptions and monitors end with their owner. These
are no leaks.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from socket import socket
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch
from weakref import WeakKeyDictionary

from phxactor.runtime import Pid, Runtime, Timer, Timers, events
from phxactor.telemetry import NAME, Event
from phxactor.testing._client_leaks import RuntimeClients
from phxactor.testing._creation_sites import Origin, in_event_loop, origin

if TYPE_CHECKING:
    from phxactor.testing._client import Client

KEPT: Final = ("Trio thread ", "asyncio_", NAME)
"""Prefixes of the names of threads that event loops and the log keep for reuse."""
ENDING: Final = 1.0
"""Seconds of the wall clock for a thread that is ending: that of an executor, say, which nobody refers to any more."""


class Watch:
    """Records what is created while a test runs, and what of it is left behind."""

    def __init__(self) -> None:
        self.found: list[str] = []
        """The leaks found so far, one line each."""
        self._origins: WeakKeyDictionary[Pid, Origin] = WeakKeyDictionary()
        self._runtimes: list[Runtime] = []
        """The runtimes that have ended."""
        self._timers: dict[int, Origin] = {}
        """The creation sites of timers, by `id(timer)`; a pending timer keeps its id."""
        self._sockets: WeakKeyDictionary[socket, Origin] = WeakKeyDictionary()
        self._threads = set(threading.enumerate())
        self._clients: dict[Runtime, RuntimeClients] = {}

    def describe(self, pid: Pid) -> str:
        """Return a process with its label and its creation site."""
        label = "" if pid.label is None else f" ({pid.label})"
        made = self._origins.get(pid)
        return f"{pid!r}{label}" + ("" if made is None else f", spawned at {made}")

    def over(self) -> list[str]:
        """Return all leaks, after the end of the test."""
        for runtime in self._runtimes:
            self.found += [f"name: {name!r} of {self.describe(pid)}" for name, pid in runtime.names.all().items()]
            for timer in runtime.pending_timers():
                if timer.destination is None and not isinstance(getattr(timer.callback, "__self__", None), Pid):
                    made = self._timers.get(id(timer), "?")
                    self.found.append(f"timer: would send {timer.argument!r:.100}, made at {made}")
        for one, made in list(self._sockets.items()):
            if one.fileno() != -1:
                self.found.append(f"socket: {one!r}, made at {made}")
        self.found += [f"thread: {thread.name}" for thread in self._other_threads() if not _ends(thread)]
        return self.found

    def _other_threads(self) -> list[threading.Thread]:
        return [
            thread
            for thread in threading.enumerate()
            if thread not in self._threads and not thread.name.startswith(KEPT)
        ]

    def record(self, event: Event, fields: Mapping[str, object]) -> None:
        """Record an event of a runtime."""
        match event, fields:
            case events.spawned, {"pid": Pid() as pid}:
                self._origins[pid] = origin()
            case events.stray, {"pids": list(pids)}:
                self.found += [f"process: {self.describe(pid)}" for pid in pids]
            case events.zombie, {"pid": Pid() as pid}:
                self.found.append(f"task: {self.describe(pid)}, was killed and does not end")

    def record_socket(self, made: socket) -> None:
        """Record a new socket, unless an event loop creates it for itself."""
        if not in_event_loop():
            self._sockets[made] = origin()

    def record_client(self, client: Client) -> None:
        """Record a client of the kit."""
        runtime = client.transport_pid.runtime
        if runtime in self._clients:
            self._clients[runtime].add(client)
        else:
            self._clients[runtime] = RuntimeClients(client)

    async def find_client_leaks(self, runtime: Runtime) -> None:
        """Find the leaks of clients, when a runtime is about to stop."""
        self._runtimes.append(runtime)
        clients = self._clients.pop(runtime, None)
        if clients is not None:
            self.found += await clients.disconnect(self.describe)

    def record_timer(self, made: Timer) -> None:
        """Record a new timer."""
        self._timers[id(made)] = origin()


_watches: Final[list[Watch]] = []


@contextmanager
def watching() -> Iterator[Watch]:
    """Record all that is created in the block, also by fixtures and in runtimes opened there."""
    watch = Watch()
    recorded = (events.spawned, events.stray, events.zombie)
    for event in recorded:
        event.attach(watch.record)
    _record_sockets()
    _watches.append(watch)
    try:
        with (
            patch.object(Timers, "add_at", _recording_timers(watch, Timers.add_at)),
            patch.object(Runtime, "stop", _finding_client_leaks(watch, Runtime.stop)),
        ):
            yield watch
    finally:
        _watches.remove(watch)
        for event in recorded:
            event.detach(watch.record)


def record_client(client: Client) -> None:
    """Record a client of the kit in all active watches."""
    for watch in _watches:
        watch.record_client(client)


def _recording_timers(watch: Watch, add_at: Callable[..., Timer]) -> Callable[..., Timer]:
    def record(*args: Any) -> Timer:  # noqa: ANN401 - those of the method
        timer = add_at(*args)
        watch.record_timer(timer)
        return timer

    return record


def _finding_client_leaks(watch: Watch, stop: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def find(runtime: Runtime, *args: Any) -> None:  # noqa: ANN401 - those of the method
        try:
            await watch.find_client_leaks(runtime)
        finally:
            await stop(runtime, *args)

    return find


@cache
def _record_sockets() -> None:
    """Install an audit hook for new sockets (PEP 578), once: Python cannot remove an audit hook."""

    def record(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.__new__" and isinstance(arguments[0], socket):
            for watch in _watches:
                watch.record_socket(arguments[0])

    sys.addaudithook(record)


def _ends(thread: threading.Thread) -> bool:
    """Wait a moment for a thread; say whether it has ended."""
    gc.collect()  # an executor may be garbage that nobody has collected yet
    thread.join(ENDING)
    return not thread.is_alive()
