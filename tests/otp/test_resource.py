"""Resources: a context that is entered before what depends on it starts, and left after that has ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import GenServer, Resource, Supervisor, Task, system, value_of
from phxactor.runtime import (
    KILL,
    KILLED,
    SHUTDOWN,
    Crash,
    Exit,
    Exited,
    NoProcessError,
    Pid,
    Reason,
    Runtime,
    Shutdown,
    monitor,
    receive,
    send,
    spawn,
    spawn_link,
    trap_exit,
)
from phxactor.testing import settle
from tests.otp.opened import Opened


async def test_its_value_is_found_by_name_in_any_process(phx_runtime: Runtime) -> None:
    it = Opened()
    await it.start()
    seen: list[object] = []

    async def looks() -> None:
        seen.append(it.resource.value)
        seen.append(value_of("pool"))

    spawn(looks)
    await settle()
    assert seen == ["value 1", "value 1"]
    await trio.to_thread.run_sync(lambda: seen.append(it.resource.value))
    assert seen == ["value 1"] * 3
    assert await system.get_state("pool") == "value 1"


async def test_the_supervisor_waits_until_it_is_entered(autojump_clock: MockClock, phx_runtime: Runtime) -> None:
    it = Opened(enters=7)
    seen: list[object] = []

    async def asks() -> None:
        await trio.sleep(3)
        try:
            seen.append(it.resource.value)
        except NoProcessError as error:
            seen.append(str(error))

    spawn(asks)

    async def after() -> None:
        seen.append((trio.current_time(), it.resource.value))

    start = Task.child_spec(after)
    (await Supervisor.start_link([it.resource, start], strategy="rest_for_one")).unwrap()
    await settle()
    assert seen == [
        f"{it.pid()!r} holds nothing: it is no resource, or is being opened or closed",
        (7, "value 1"),
    ]


@pytest.mark.parametrize("reason", [SHUTDOWN, Shutdown("enough")])
async def test_told_to_end_it_leaves_the_context_without_an_exception(
    reason: Reason, autojump_clock: MockClock, phx_runtime: Runtime
) -> None:
    it = Opened(leaves=4)
    trap_exit()
    pid = (await it.resource.start_link()).unwrap()
    pid.exit(reason)
    await trio.sleep(2)
    with pytest.raises(NoProcessError, match="is being opened or closed"):
        _ = it.resource.value
    assert await receive() == Exited(pid, reason)
    assert trio.current_time() == 4
    assert it.log == ["opened 1", "closed 1", "left"]
    with pytest.raises(NoProcessError, match="the resource 'pool' does not run: make it a child of a supervisor"):
        _ = it.resource.value


async def test_it_is_left_after_what_depends_on_it_has_ended(autojump_clock: MockClock, phx_runtime: Runtime) -> None:
    it = Opened(leaves=1)

    class User(GenServer):
        async def init(self) -> None:
            trap_exit()

        async def terminate(self, reason: Reason) -> None:
            await trio.sleep(1)
            it.log.append(f"used {it.resource.value}")

    supervisor = (await Supervisor.start_link([it.resource, User], strategy="rest_for_one")).unwrap()
    trap_exit()
    supervisor.exit(SHUTDOWN)
    await receive()
    assert it.log == ["opened 1", "used value 1", "closed 1", "left"]


async def test_it_is_killed_if_it_takes_too_long_to_leave(autojump_clock: MockClock, phx_runtime: Runtime) -> None:
    it = Opened(leaves=10)
    pid = await it.start(shutdown=3)
    watch = monitor(pid)
    await Supervisor.terminate_child(it.supervisor, "pool")
    assert trio.current_time() == 3
    assert it.log == ["opened 1", "left"]
    down = await receive()
    assert (down.ref, down.reason) == (watch, KILLED)


@pytest.mark.parametrize("how", ["exit", "link", "fails", "kill"])
async def test_its_crash_restarts_it_and_what_depends_on_it(
    how: str, phx_runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    it, used = Opened(), list[str]()

    class User(GenServer):
        async def init(self) -> None:
            used.append(it.resource.value)

    (await Supervisor.start_link([it.resource, User], strategy="rest_for_one")).unwrap()
    watch = monitor(it.pid())
    match how:
        case "exit":
            it.pid().exit("boom")
        case "link":
            send("pool", Exited(spawn(trio.sleep_forever), "boom"))
        case "fails":
            it.fails.set()
        case "kill":
            it.pid().exit(KILL)
    down = await receive(lambda message: getattr(message, "ref", None) is watch)
    await settle()
    assert used == ["value 1", "value 2"]
    assert it.resource.value == "value 2"
    within = {"exit": "Exit", "link": "Exit", "fails": "Cancelled", "kill": "Cancelled"}[how]
    assert it.log == ["opened 1", within, "left", "opened 2"]
    if how == "fails":
        assert isinstance(down.reason, Crash)
        assert str(down.reason.exception) == "the work has failed"
    else:
        assert down.reason == (KILLED if how == "kill" else "boom")
    records = [record for record in caplog.records if "terminating" in record.getMessage()]
    assert [record.getMessage().rpartition("; ")[2] for record in records] == ["state: 'str'"] * (how != "kill")


async def test_a_process_that_it_has_started_takes_it_along(phx_runtime: Runtime) -> None:
    @asynccontextmanager
    async def with_workers() -> AsyncIterator[list[Pid]]:
        yield [spawn_link(ends, reason) for reason in ("normal", "boom")]

    async def ends(reason: Reason) -> None:
        await receive()
        raise Exit(reason)

    trap_exit()
    resource = Resource("workers", with_workers)
    pid = (await resource.start_link()).unwrap()
    normal, abnormal = resource.value
    normal.send("end")
    await settle()
    assert resource.value == [normal, abnormal]
    abnormal.send("end")
    assert await receive() == Exited(pid, "boom")
