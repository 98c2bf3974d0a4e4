"""Agent: section 5.5 of the specification."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from phxactor.otp import Agent, Error, call, cast, system
from phxactor.runtime import Crash, Exit, Pid, open_runtime, self_pid
from tests.otp import Callback, end


def add(value: int, more: int) -> int:
    return value + more


async def agent() -> Pid:
    return (await Agent.start(lambda: 0)).unwrap()


async def test_an_agent_keeps_a_value(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = (await Agent.start_link(dict, [("a", 1)])).unwrap()
        assert await Agent.get(pid, lambda value: value["a"]) == 1
        pid = await agent()
        await Agent.update(pid, add, 3)
        Agent.cast(pid, add, 4)
        assert await Agent.get_and_update(pid, lambda value: (value, value * 2)) == 7
        assert await Agent.get(pid, lambda value: value) == 14
        assert await system.get_state(pid) == 14
        assert await system.replace_state(pid, lambda _: 1) == 1
        assert await Agent.get(pid, add, 1) == 2


@pytest.mark.parametrize("function", [Agent.get, Agent.update, Agent.get_and_update, Agent.cast])
async def test_A1_functions_run_inside_the_agent_which_dies_when_they_raise(
    autojump_clock: MockClock, function: Callback
) -> None:
    async with open_runtime():
        ran_in: list[Pid] = []

        def look(value: object) -> object:
            ran_in.append(self_pid())
            return value, value

        def fail(_: object) -> object:
            raise ValueError

        pid = await agent()
        done = function(pid, look)
        if done is not None:
            await done
        failing = function(pid, fail)
        if failing is not None:
            with pytest.raises(Exit) as caught:
                await failing
            assert isinstance(caught.value.reason, tuple)
            assert caught.value.reason[0] is await end(pid)
        ended = await end(pid)
        assert ran_in == [pid]
        assert isinstance(ended, Crash)
        assert isinstance(ended.exception, ValueError)


async def test_A2_get_and_update_wants_a_pair(autojump_clock: MockClock) -> None:
    async with open_runtime():
        for junk in ("no pair", (1, 2, 3), None):
            pid = await agent()
            with pytest.raises(Exit) as caught:
                await Agent.get_and_update(pid, lambda _, junk=junk: junk)
            assert await end(pid) == ("bad_return_value", junk)
            assert isinstance(caught.value.reason, tuple)
            assert caught.value.reason[0] == ("bad_return_value", junk)


async def test_A3_a_first_function_that_raises_is_an_error(autojump_clock: MockClock) -> None:
    async with open_runtime():
        failure = ValueError("first")

        def fail() -> object:
            raise failure

        started = await Agent.start(fail)
        assert isinstance(started, Error)
        assert isinstance(started.reason, Crash)
        assert started.reason.exception is failure


async def test_an_agent_takes_no_other_requests(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = await agent()
        with pytest.raises(Exit):
            await call(pid, "hello")
        assert isinstance(await end(pid), Crash)


async def test_what_is_no_function_for_it_ends_an_agent(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = await agent()
        cast(pid, "no function")
        reason = await end(pid)
        assert isinstance(reason, Crash)
        assert "Agent" in str(reason.exception)
