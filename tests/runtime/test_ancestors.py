from __future__ import annotations

import pytest

from phxactor.runtime import (
    KILL,
    NORMAL,
    NotAProcessError,
    events,
    open_runtime,
    receive,
    register,
    self_pid,
    spawn,
    spawn_link,
)
from phxactor.testing import settle
from tests.runtime.actors import emitted, nothing


async def test_beginning_and_end_are_told_by_events() -> None:
    async with open_runtime():
        with emitted(events.spawned) as began, emitted(events.exited) as over:
            pid = spawn_link(nothing)
            other = spawn(nothing)
            await settle()
        me = self_pid()
        assert began == [
            {"pid": pid, "parent": me, "linked": True},
            {"pid": other, "parent": me, "linked": False},
        ]
        assert sorted(over, key=str) == [{"pid": pid, "reason": NORMAL}, {"pid": other, "reason": NORMAL}]


async def test_L9_ancestors_are_names_where_there_are_any_and_end_with_the_process() -> None:
    seen: dict[str, tuple[object, ...]] = {}

    async def child(when: str) -> None:
        seen[when] = self_pid().ancestors

    async def parent() -> None:
        spawn(child, "before")
        register("parent")
        spawn(child, "after")
        await receive()

    async with open_runtime() as runtime:
        pid = spawn(parent)
        await settle()
        assert seen["before"][:2] == (pid, runtime.main)
        assert seen["after"][:2] == ("parent", runtime.main)
        pid.exit(KILL)
        await settle()
        assert pid.ancestors == ()


async def test_a_chain_of_successors_does_not_grow_for_ever() -> None:
    async def body(left: int) -> None:
        if left:
            spawn(body, left - 1)
        else:
            lengths.append(len(self_pid().ancestors))

    lengths: list[int] = []
    async with open_runtime():
        spawn(body, 200)
        await settle()
    assert lengths[0] <= 16


async def test_who_is_no_process_is_told_so() -> None:
    with pytest.raises(NotAProcessError, match="open_runtime"):
        self_pid()
    with pytest.raises(NotAProcessError):
        await receive()
