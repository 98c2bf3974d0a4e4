"""What a start function answers, with and without await, and a supervisor that is killed meanwhile (S11, D4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from phxactor.otp import IGNORE, ChildSpec, DynamicSupervisor, Error, GenServer, Ok, Supervisor, supervisor_events
from phxactor.runtime import KILL, Exit, Pid, Runtime, Shutdown, receive, self_pid, spawn, trap_exit, whereis
from phxactor.testing import settle

Start = Callable[[], Any]


def at_once(answer: object) -> Start:
    """Make a synchronous start function."""
    return lambda: answer


def later(answer: object) -> Start:
    """Make an asynchronous start function."""

    async def start() -> object:
        await trio.lowlevel.checkpoint()
        return answer

    return start


ways = pytest.mark.parametrize("way", [at_once, later])


@ways
async def test_a_start_function_answers_an_error(way: Callable[[object], Start], phx_runtime: Runtime) -> None:
    spec = ChildSpec(id="odd", start=(way(Error("no room")), (), {}))
    told: list[object] = []

    def fails(_: object, fields: Any) -> None:  # noqa: ANN401
        told.append(fields["reason"])

    supervisor_events.start_error.attach(fails)
    trap_exit()
    assert await Supervisor.start_link([spec]) == Error(Shutdown(("failed_to_start_child", "odd", "no room")))
    plain = (await Supervisor.start_link([])).unwrap()
    assert await Supervisor.start_child(plain, spec) == Error(("no room", spec))
    pool = (await DynamicSupervisor.start_link()).unwrap()
    assert await DynamicSupervisor.start_child(pool, spec) == Error("no room")
    assert await Supervisor.which_children(plain) == []
    supervisor_events.start_error.detach(fails)
    assert told == ["no room"] * 3


@ways
async def test_a_start_function_answers_ignore(way: Callable[[object], Start], phx_runtime: Runtime) -> None:
    spec = ChildSpec(id="odd", start=(way(IGNORE), (), {}))
    supervisor = (await Supervisor.start_link([spec])).unwrap()
    (child,) = await Supervisor.which_children(supervisor)
    assert child.pid is None
    pool = (await DynamicSupervisor.start_link()).unwrap()
    assert await DynamicSupervisor.start_child(pool, spec) == IGNORE


@ways
async def test_a_start_function_answers_what_is_no_answer(way: Callable[[object], Start], phx_runtime: Runtime) -> None:
    pool = (await DynamicSupervisor.start_link()).unwrap()
    for odd in ("odd", None, 5):
        assert await DynamicSupervisor.start_child(pool, ChildSpec(id="odd", start=(way(odd), (), {}))) == Error(odd)


class Store(GenServer):
    """A child that has started already."""


class Slow(GenServer):
    """A child that takes long to start."""

    async def init(self) -> None:
        await trio.sleep_forever()


async def never() -> Ok[Pid]:
    await trio.sleep_forever()
    raise AssertionError


@pytest.mark.parametrize("slow", [Slow.child_spec(name="slow"), ChildSpec(id="never", start=(never, (), {}))])
@pytest.mark.parametrize("kind", [Supervisor, DynamicSupervisor])
async def test_a_supervisor_is_killed_while_a_child_starts(
    slow: ChildSpec, kind: type[Supervisor | DynamicSupervisor], phx_runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    """It ends at once, and so do its children; the child that was starting is no failed start."""
    failed: list[object] = []

    def fails(_: object, fields: object) -> None:
        failed.append(fields)

    supervisor_events.start_error.attach(fails)
    main = self_pid()

    async def starts() -> None:
        trap_exit()
        children: tuple[Any, ...] = ([],) if kind is Supervisor else ()
        supervisor = (await kind.start_link(*children, name="tree")).unwrap()
        await kind.start_child(supervisor, Store.child_spec(name="store"))
        main.send(supervisor)
        main.send(await result_of(kind.start_child(supervisor, slow)))

    spawn(starts)
    supervisor = await receive()
    await settle()
    supervisor.exit(KILL)
    assert await receive() == "killed"
    await settle()
    supervisor_events.start_error.detach(fails)
    assert failed == []
    assert [whereis(name) for name in ("tree", "store", "slow")] == [None, None, None]
    assert [record.getMessage() for record in caplog.records if "start" in record.getMessage()] == []


async def result_of(call: Awaitable[object]) -> object:
    """Return the reason of the `Exit` that a call raises."""
    with pytest.raises(Exit) as caught:
        await call
    reason: Any = caught.value.reason
    return reason[0]
