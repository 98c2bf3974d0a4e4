"""Whatever way a runtime ends, nothing is left that only the collector would find: no nursery, no `main`, no task."""

from __future__ import annotations

import gc
from contextlib import suppress
from weakref import ref

import pytest
import trio
from trio.testing import MockClock

from phxactor.runtime import (
    DEAD,
    Exit,
    NotAProcessError,
    Pid,
    Runtime,
    Shutdown,
    monitor,
    open_runtime,
    receive,
    register,
    self_pid,
    send_after,
    spawn,
    spawn_link,
)
from tests.cycles import Act, leaves_no_cycles

pytestmark = pytest.mark.allow_leaks("it counts objects itself")


async def is_left() -> None:
    async with open_runtime():
        pass


async def has_processes_left() -> None:
    async with open_runtime():
        spawn_link(receive)
        spawn(receive)
        register("one", spawn(receive))
        monitor("one")
        send_after("one", "late", 60)
        await trio.lowlevel.checkpoint()


async def has_all_its_watches() -> None:
    async with open_runtime() as runtime:
        assert runtime.patience is not None
        assert runtime.pauses is not None
        assert runtime.idle is not None
        await trio.sleep(1)


async def raises() -> None:
    with suppress(ValueError):
        async with open_runtime():
            spawn_link(receive)
            raise ValueError


async def exits() -> None:
    with suppress(Exit):
        async with open_runtime():
            raise Exit("boom")


async def exits_in_order() -> None:
    async with open_runtime():
        raise Exit(Shutdown("done"))


async def crashes_with_a_linked_process() -> None:
    async def crash() -> None:
        raise ValueError

    with suppress(Exit):
        async with open_runtime():
            spawn_link(crash)
            await trio.sleep_forever()


async def is_cancelled() -> None:
    with trio.move_on_after(1):
        async with open_runtime():
            spawn_link(receive)
            await trio.sleep_forever()


async def kills_a_shielded_process() -> None:
    async def hold_out() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(60)

    async with open_runtime(stop_timeout=1, kill_grace=1):
        spawn_link(hold_out)
        await trio.lowlevel.checkpoint()


ENDS = (
    is_left,
    has_processes_left,
    has_all_its_watches,
    raises,
    exits,
    exits_in_order,
    crashes_with_a_linked_process,
    is_cancelled,
    kills_a_shielded_process,
)


@pytest.mark.parametrize("end", ENDS, ids=[end.__name__ for end in ENDS])
async def test_no_end_of_a_runtime_leaves_a_cycle(end: Act, autojump_clock: MockClock) -> None:
    await leaves_no_cycles(end)


async def test_the_main_of_a_runtime_that_has_ended_is_a_dead_process(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        main = self_pid()
    assert main.state is DEAD
    assert main.runtime.main is main  # as long as the runtime is used
    assert main.runtime.statistics().processes == 0
    gone = ref(runtime)
    del runtime
    assert gone() is None
    main.send("too late")
    main.exit("boom")
    assert (main.alive, main.exit_reason, repr(main)) == (False, "normal", "#PID<2 main>")
    with pytest.raises(NotAProcessError, match="this runtime has ended"):
        main.runtime.statistics()


async def test_a_runtime_keeps_its_main(autojump_clock: MockClock) -> None:
    async def end() -> Runtime:
        async with open_runtime() as runtime:
            return runtime

    runtime = await end()
    gc.collect()
    assert isinstance(runtime.main, Pid)
    assert runtime.main.exit_reason == "normal"
    with pytest.raises(NotAProcessError, match="the runtime has ended"):
        runtime.spawn(receive)
