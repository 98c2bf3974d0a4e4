"""Whatever way a process ends, and whatever becomes of a wait, nothing is left that only the collector would find."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from inspect import isawaitable

import pytest
import trio
from trio.testing import MockClock

from phxactor.runtime import (
    KILL,
    Exit,
    NameTakenError,
    NoProcessError,
    Pid,
    cleanup,
    link,
    monitor,
    open_runtime,
    own,
    receive,
    register,
    self_pid,
    send_after,
    set_port,
    spawn,
    spawn_link,
    trap_exit,
)
from phxactor.testing import settle
from tests.cycles import leaves_no_cycles

pytestmark = pytest.mark.allow_leaks("it counts objects itself")


class Stateful:
    """What a body holds: it knows its own process, as most servers do."""

    def __init__(self) -> None:
        self.pid = self_pid()
        self.payload = bytearray(1000)


async def _raises(error: Callable[[], BaseException] = ValueError) -> None:
    state = Stateful()
    if state.payload:
        raise error()


async def _raises_below() -> None:
    state = Stateful()
    await _raises()
    del state


async def _raises_by_attribute() -> None:
    Stateful().missing  # type: ignore[attr-defined]  # noqa: B018 - it is what fails


async def _raises_from_another() -> None:
    state = Stateful()
    try:
        await _raises()
    except ValueError as error:
        raise KeyError(len(state.payload)) from error


async def _raises_in_a_nursery() -> None:
    state = Stateful()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_raises)
        nursery.start_soon(_raises_below)
    del state


async def _raises_at_its_end() -> None:
    state = Stateful()
    try:
        await receive()
    finally:
        if state.payload:
            raise KeyError


async def _cleans_up() -> None:
    state = Stateful()
    try:
        await receive()
    finally:
        with cleanup(5):
            await trio.sleep(1)
        del state


async def _shields_itself() -> None:
    state = Stateful()
    with trio.CancelScope(shield=True):
        await trio.sleep(100)
    del state


async def _port_raises() -> None:
    state = Stateful()

    def port(message: object) -> None:
        raise ValueError(len(state.payload))

    set_port(port)
    await trio.sleep_forever()


async def _generator() -> AsyncIterator[int]:
    state = Stateful()
    with trio.CancelScope():
        try:
            yield 1
        finally:
            if state.payload:
                raise ValueError


async def _leaves_open() -> None:
    state = Stateful()
    async for _ in _generator():
        break
    await trio.open_nursery().__aenter__()
    trio.CancelScope().__enter__()
    del state


async def _links(number: int) -> None:
    state = Stateful()
    if number:
        spawn_link(_links, number - 1)
        await receive()
    raise ValueError(len(state.payload))


async def _sends_itself(reason: object) -> None:
    state = Stateful()
    self_pid().exit(reason)
    del state


async def _registers() -> None:
    state = Stateful()
    register("somebody")
    await receive()
    del state


def _ends(body: Callable[..., Awaitable[object]], *args: object, by: object = None) -> Callable[[], Awaitable[None]]:
    """Make an act: have a process come and end, by itself or by a signal."""

    async def act() -> None:
        pid = spawn(body, *args)
        await settle()
        if by is not None:
            pid.exit(by)
            await settle()
        if body is _port_raises:
            pid.send("message")
            await settle()
        await trio.sleep(10)
        assert not pid.alive

    return act


async def _receives_in_vain() -> None:
    with pytest.raises(TimeoutError):
        await receive(timeout=1)
    with trio.move_on_after(1):
        await receive()
    with trio.move_on_after(1):
        await receive(lambda _: False)


async def _watches_the_dead() -> None:
    pid = spawn(_raises)
    await settle()
    monitor(pid)
    monitor("nobody")
    await settle()
    trap_exit(False)
    with pytest.raises(NoProcessError):
        link(pid)
    trap_exit()


async def _takes_a_taken_name() -> None:
    pid = spawn(_registers)
    await settle()
    with pytest.raises(NameTakenError):
        register("somebody")
    pid.exit(KILL)
    await settle()


async def _releases_badly() -> None:
    def release(pid: Pid) -> None:
        raise ValueError(pid)

    pid = spawn(receive)
    own(pid, release)
    pid.exit("boom")
    await settle()


async def _times_badly() -> None:
    def fire(argument: object) -> None:
        raise ValueError(argument)

    self_pid().runtime.timers.add(1, fire, Stateful())
    send_after(self_pid(), "tick", 1)
    await trio.sleep(2)


ACTS: dict[str, Callable[[], Awaitable[None]]] = {
    "returns": _ends(trio.lowlevel.checkpoint),
    "raises": _ends(_raises),
    "raises below": _ends(_raises_below),
    "raises by an attribute": _ends(_raises_by_attribute),
    "raises from another": _ends(_raises_from_another),
    "raises in a nursery": _ends(_raises_in_a_nursery),
    "raises SystemExit": _ends(_raises, SystemExit),
    "raises KeyboardInterrupt": _ends(_raises, KeyboardInterrupt),
    "exits": _ends(_raises, partial(Exit, "boom")),
    "exits with an error": _ends(_raises, partial(Exit, ("bad", ValueError("x")))),
    "signals itself": _ends(_sends_itself, "boom"),
    "is told to exit": _ends(_registers, by="boom"),
    "is killed": _ends(_registers, by=KILL),
    "raises when told to exit": _ends(_raises_at_its_end, by="boom"),
    "cleans up": _ends(_cleans_up, by="boom"),
    "is given up": _ends(_shields_itself, by=KILL),
    "has a port that raises": _ends(_port_raises),
    "leaves things open": _ends(_leaves_open),
    "ends with a chain": _ends(_links, 5),
    "receives in vain": _receives_in_vain,
    "watches the dead": _watches_the_dead,
    "takes a taken name": _takes_a_taken_name,
    "releases badly": _releases_badly,
    "times badly": _times_badly,
}


@pytest.mark.parametrize("name", ACTS)
async def test_no_end_of_a_process_leaves_a_cycle(name: str, autojump_clock: MockClock) -> None:
    async with open_runtime():
        trap_exit()

        async def act() -> None:
            done = ACTS[name]()
            if isawaitable(done):
                await done
            while self_pid().mailbox:
                await receive()

        await leaves_no_cycles(act)
        await trio.sleep(200)  # those that were given up
