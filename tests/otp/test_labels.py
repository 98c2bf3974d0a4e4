"""Ancestors, callers, initial calls and labels: section 11 of the specification."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from phxactor.otp import Supervisor, Task, events, get_label, set_label
from phxactor.runtime import Pid, open_runtime, register, self_pid, spawn, spawn_link
from phxactor.testing import settle
from tests.otp import Kit, end, told


async def test_L9_ancestors_are_names_where_the_parent_had_one(autojump_clock: MockClock) -> None:
    async with open_runtime():
        seen: list[tuple[Pid | str, ...]] = []

        async def child() -> None:
            seen.append(self_pid().ancestors)

        async def parent() -> None:
            spawn(child)
            await settle()
            register("parent")
            spawn(child)
            await settle()

        me, pid = self_pid(), spawn(parent)
        await end(pid)
        assert [ancestors[:2] for ancestors in seen] == [(pid, me), ("parent", me)]


async def test_L10_callers_are_who_asked(autojump_clock: MockClock) -> None:
    async with open_runtime():

        async def callers() -> tuple[Pid, ...]:
            return self_pid().callers

        async def nested() -> tuple[Pid, object]:
            return self_pid(), await Task.async_(callers)

        found = await Task.async_(nested)
        assert isinstance(found, tuple)
        assert found[1] == (found[0], self_pid())
        pid = (await Kit.start_link()).unwrap()
        assert pid.callers == ()


async def test_L11_the_initial_call_is_init_or_the_function(autojump_clock: MockClock) -> None:
    class Tree(Supervisor):
        pass

    async with open_runtime():
        server = (await Kit.start_link()).unwrap()
        assert server.initial_call == "Kit.init"
        supervisor = (await Tree.start_link([])).unwrap()
        assert supervisor.initial_call.endswith("Tree.init")
        task = Task.start(trio.sleep_forever).unwrap()
        await settle()
        assert task.initial_call == "sleep_forever"


async def test_L12_labels(autojump_clock: MockClock) -> None:
    async with open_runtime():

        async def labelled() -> None:
            set_label({"room": 7})
            await trio.sleep_forever()

        with told(events.labelled) as heard:
            first, second = spawn_link(labelled), spawn_link(labelled)
            assert get_label(first) is None
            await settle()
        assert get_label(first) == get_label(second) == {"room": 7}
        assert [fields["label"] for _, fields in heard] == [{"room": 7}] * 2
