"""What a test leaves behind, and who made it: what the fixture `no_leaks` looks for.

    process       one that the end of its runtime had to kill: nobody's child, and nobody's watcher
    task          that of a killed process that does not end
    name, timer   when the runtime is over; a timer that would send to a name
    socket        one that is open when the test is over
    thread        one that runs when the test is over, but for those that event loops and the log keep for the next time

and when all clients of the test have gone, before anything stops (`leavers`):

    channel       one that outlives its client
    monitor       one that a process has made again and again on another, and not taken back
    subscription  the same for a topic

A timer that is to send to a process ends with it; subscriptions and monitors end with their owner: these are no leaks.
"""

from __future__ import annotations

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
from phxactor.testing._client_leaks import Leavers
from phxactor.testing._creation_sites import Origin, in_event_loop, origin

if TYPE_CHECKING:
    from phxactor.testing._client import Client

KEPT: Final = ("Trio thread ", "asyncio_", NAME)
"""How the threads are named that event loops keep for the next call, and the log for the next line."""


class Watch:
    """What is made while a test runs, and which of it is left behind."""

    def __init__(self) -> None:
        self.found: list[str] = []
        """What has been left behind so far, a line each."""
        self._origins: WeakKeyDictionary[Pid, Origin] = WeakKeyDictionary()
        self._runtimes: list[Runtime] = []
        """Those that are over."""
        self._timers: dict[int, Origin] = {}
        """By the timer's identity: whoever is pending has it still."""
        self._sockets: WeakKeyDictionary[socket, Origin] = WeakKeyDictionary()
        self._threads = set(threading.enumerate())
        self._leavers: dict[Runtime, Leavers] = {}

    def describe(self, pid: Pid) -> str:
        """Say who a process is and who made it."""
        label = "" if pid.label is None else f" ({pid.label})"
        made = self._origins.get(pid)
        return f"{pid!r}{label}" + ("" if made is None else f", spawned at {made}")

    def over(self) -> list[str]:
        """List all that has been left behind; the test is over."""
        for runtime in self._runtimes:
            self.found += [f"name: {name!r} of {self.describe(pid)}" for name, pid in runtime.names.all().items()]
            for timer in runtime.pending_timers():
                if timer.destination is None and not isinstance(getattr(timer.callback, "__self__", None), Pid):
                    made = self._timers.get(id(timer), "?")
                    self.found.append(f"timer: would send {timer.argument!r:.100}, made at {made}")
        for one, made in list(self._sockets.items()):
            if one.fileno() != -1:
                self.found.append(f"socket: {one!r}, made at {made}")
        for thread in threading.enumerate():
            if thread not in self._threads and not thread.name.startswith(KEPT):
                self.found.append(f"thread: {thread.name}")
        return self.found

    def hear(self, event: Event, fields: Mapping[str, object]) -> None:
        """Take note of what runtimes tell."""
        match event, fields:
            case events.spawned, {"pid": Pid() as pid}:
                self._origins[pid] = origin()
            case events.stray, {"pids": list(pids)}:
                self.found += [f"process: {self.describe(pid)}" for pid in pids]
            case events.zombie, {"pid": Pid() as pid}:
                self.found.append(f"task: {self.describe(pid)}, was killed and does not end")

    def hear_socket(self, made: socket) -> None:
        """Take note of a socket that is being made, unless it is one of an event loop, and lives as long."""
        if not in_event_loop():
            self._sockets[made] = origin()

    def hear_client(self, client: Client) -> None:
        """Take note of a client of the kit."""
        runtime = client.transport_pid.runtime
        if runtime in self._leavers:
            self._leavers[runtime].add(client)
        else:
            self._leavers[runtime] = Leavers(client)

    async def hear_stop(self, runtime: Runtime) -> None:
        """Look at what clients leave behind, when a runtime is about to stop."""
        self._runtimes.append(runtime)
        leavers = self._leavers.pop(runtime, None)
        if leavers is not None:
            self.found += await leavers.leave(self.describe)

    def hear_timer(self, made: Timer) -> None:
        """Take note of a timer."""
        self._timers[id(made)] = origin()


_watches: Final[list[Watch]] = []


@contextmanager
def watching() -> Iterator[Watch]:
    """Take note of all that is made in the block, also by fixtures and in runtimes that it opens."""
    watch = Watch()
    heard = (events.spawned, events.stray, events.zombie)
    for event in heard:
        event.attach(watch.hear)
    _hear_sockets()
    _watches.append(watch)
    try:
        with (
            patch.object(Timers, "add_at", _telling_timers(watch, Timers.add_at)),
            patch.object(Runtime, "stop", _telling_stops(watch, Runtime.stop)),
        ):
            yield watch
    finally:
        _watches.remove(watch)
        for event in heard:
            event.detach(watch.hear)


def tell_watches(client: Client) -> None:
    """Have a client of the kit noted, if somebody watches."""
    for watch in _watches:
        watch.hear_client(client)


def _telling_timers(watch: Watch, add_at: Callable[..., Timer]) -> Callable[..., Timer]:
    def tell(*args: Any) -> Timer:  # noqa: ANN401 - those of the method
        timer = add_at(*args)
        watch.hear_timer(timer)
        return timer

    return tell


def _telling_stops(watch: Watch, stop: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def tell(runtime: Runtime, *args: Any) -> None:  # noqa: ANN401 - those of the method
        try:
            await watch.hear_stop(runtime)
        finally:
            await stop(runtime, *args)

    return tell


@cache
def _hear_sockets() -> None:
    """Have Python tell of each socket that is made (PEP 578); there is no way to take that back."""

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.__new__" and isinstance(arguments[0], socket):
            for watch in _watches:
                watch.hear_socket(arguments[0])

    sys.addaudithook(hear)
