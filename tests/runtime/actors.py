"""Processes for tests: they do as they are told, and keep what else comes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import attrs
import trio

from phxactor.runtime import SHUTDOWN, Exit, Exited, Pid, Reason, receive, self_pid, set_port, spawn, trap_exit
from phxactor.telemetry import Event
from phxactor.testing import settle

Result = TypeVar("Result")


@attrs.frozen(eq=False)
class Do:
    """To an actor: call this."""

    function: Callable[[], object]


class Actor:
    """A process that calls what it is told to call, and keeps all other messages in `mail`."""

    def __init__(self, *, trap: bool = False, start: Callable[..., Pid] = spawn) -> None:
        self.mail: list[object] = []
        self.pid = start(self._obey, trap)

    async def _obey(self, trap: bool) -> None:
        trap_exit(trap)
        while True:
            match await receive():
                case Do(function=function):
                    function()
                case Exited() as message if _says_goodbye(message):
                    return
                case message:
                    self.mail.append(message)

    async def do(self, function: Callable[..., Result], *args: object) -> Result:
        """Have the actor call it, and wait until everything is quiet; fails if it did not return."""
        results: list[Result] = []
        self.pid.send(Do(lambda: results.append(function(*args))))
        await settle()
        return results[0]

    async def end(self, function: Callable[..., object], *args: object) -> Reason:
        """Have the actor call what ends it, wait until everything is quiet, and return its exit reason."""
        self.pid.send(Do(lambda: function(*args)))
        await settle()
        return reason(self.pid)


class PortActor:
    """A process whose port keeps every message in `mail`, or gives it to a function of the test."""

    def __init__(self, port: Callable[[object], object] | None = None, *, trap: bool = False) -> None:
        self.mail: list[object] = []
        self.port = port or self.mail.append
        self.pid = spawn(self._wait, trap)

    async def _wait(self, trap: bool) -> None:
        trap_exit(trap)
        set_port(self._take)
        await trio.sleep_forever()

    def _take(self, message: object) -> None:
        if isinstance(message, Exited) and _says_goodbye(message):
            raise Exit(SHUTDOWN)
        self.port(message)


def _says_goodbye(message: Exited) -> bool:
    """Tell whether the test is over: those that trap exits are asked to end."""
    return message.pid is self_pid().parent and not message.pid.alive


async def actors(count: int, *, trap: bool = False) -> list[Actor]:
    """Make some, and wait until they listen."""
    made = [Actor(trap=trap) for _ in range(count)]
    await settle()
    return made


async def port_actor(port: Callable[[object], object] | None = None, *, trap: bool = False) -> PortActor:
    """Make one, and wait until it has its port."""
    made = PortActor(port, trap=trap)
    await settle()
    return made


async def ended(body: Callable[..., Awaitable[object]], *args: object) -> Reason:
    """Run a body as a process and return its exit reason."""
    pid = spawn(body, *args)
    return await self_pid().runtime.ended(pid)


def reason(pid: Pid) -> Reason:
    """Return the exit reason of a process that has wholly ended."""
    assert not pid.alive
    assert pid.number not in pid.runtime.processes
    return pid.exit_reason


def leave(why: Reason) -> None:
    """End the process that calls it."""
    raise Exit(why)


async def nothing() -> None:
    """Be a process that ends at once."""


async def idle() -> None:
    """Be a process that takes no message."""
    await trio.sleep_forever()


class Order:
    """Processes that take their time to end, and the order in which they do."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    async def slow(self, name: str, seconds: float = 1) -> None:
        trap_exit()
        message = await receive()
        assert isinstance(message, Exited)
        assert message.pid is self_pid().parent
        self.steps.append(f"{name} told {message.reason}")
        await trio.sleep(seconds)
        self.steps.append(f"{name} gone")

    async def orphan(self, name: str) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self.steps.append(f"{name} gone")


in_order = ["c told shutdown", "c gone", "b told shutdown", "b gone", "a told shutdown", "a gone"]


def shielded(function: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    """Make a body that calls a function in a shield."""

    async def body() -> None:
        with trio.CancelScope(shield=True):
            await function()

    return body


async def stubborn(seconds: float) -> None:
    """Be a process that shields itself."""
    with trio.CancelScope(shield=True):
        await trio.sleep(seconds)


@contextmanager
def emitted(event: Event) -> Iterator[list[dict[str, object]]]:
    """Collect the fields of an event while the block runs."""
    seen: list[dict[str, object]] = []

    def handler(_: Event, fields: object) -> None:
        assert isinstance(fields, dict)
        seen.append(fields)

    event.attach(handler)
    try:
        yield seen
    finally:
        event.detach(handler)
