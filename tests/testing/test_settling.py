"""What `settle` waits for, and what not."""

from __future__ import annotations

import time
from functools import partial
from threading import Event

import pytest
import trio
from trio.testing import MockClock

from phxactor import Pid, receive, self_pid, send_after, spawn
from phxactor.runtime import open_runtime, set_port, taking
from phxactor.runtime._mailbox import BUDGET
from phxactor.testing import settle


async def test_messages_have_been_passed_on_to_the_last() -> None:
    heard: list[object] = []

    async def last() -> None:
        while True:
            heard.append(await receive())

    async def pass_on(to: Pid) -> None:
        while True:
            to.send(await receive())

    async with open_runtime():
        pid = spawn(last)
        for _ in range(200):
            pid = spawn(pass_on, pid)
        for number in range(200):
            pid.send(number)
        await settle()
        assert heard == list(range(200))


async def test_what_a_port_put_off_to_later_passes_is_done() -> None:
    heard: list[object] = []

    async def with_port() -> None:
        set_port(heard.append)
        await trio.sleep_forever()

    async with open_runtime():
        pid = spawn(with_port)
        await settle()
        with taking(pid):
            for number in range(3 * BUDGET):
                pid.send(number)
        assert len(heard) == BUDGET
        await settle()
        assert heard == list(range(3 * BUDGET))


async def test_timers_that_are_due_have_fired_and_no_others(autojump_clock: MockClock) -> None:
    heard: list[object] = []

    async def again() -> None:
        send_after(self_pid(), "in time", 0)
        send_after(self_pid(), "too late", 1e-9)
        while True:
            message = await receive()
            heard.append(message)
            if heard.count("in time") < 10:
                send_after(self_pid(), "in time", 0)

    async with open_runtime():
        spawn(again)
        await settle()
        assert heard == ["in time"] * 10
        assert trio.current_time() == 0
        await trio.sleep(1)
        assert heard == ["in time"] * 10 + ["too late"]


async def test_threads_are_waited_for_while_virtual_time_stands_still(autojump_clock: MockClock) -> None:
    heard: list[object] = []

    async def thoughtful() -> None:
        await trio.to_thread.run_sync(time.sleep, 0.02)
        heard.append("done")

    async with open_runtime():
        send_after(self_pid(), "an hour later", 3600)
        spawn(thoughtful)
        await settle()
        assert heard == ["done"]
        assert trio.current_time() == 0


async def test_a_thread_that_never_ends_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phxactor.testing._settle.PATIENCE", 0.01)
    release = Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(trio.to_thread.run_sync, release.wait))
        with pytest.raises(TimeoutError, match=r"works on for 0\.01 s"):
            await settle()
        release.set()


async def test_two_may_wait() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(settle)
        await settle()
