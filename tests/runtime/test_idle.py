"""When a process has nothing left to do, and that nobody pays for it who does not ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import Call, call
from phxactor.runtime import KILL, Exit, is_idle, open_runtime, receive, self_pid, set_port, spawn
from phxactor.runtime._idle import IdleWatch
from phxactor.testing import settle


async def worker() -> None:
    """Take a second for each message, and a call of another process for an awaitable one."""
    while True:
        message = await receive()
        if callable(message):
            await message()
        else:
            await trio.sleep(1)


async def answers_late() -> None:
    while True:
        asked = await receive()
        assert type(asked) is Call
        await trio.sleep(5)
        asked.from_.reply(None)


@pytest.fixture(name="looks")
def _looks(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Count the steps of tasks that are looked at."""
    looks: list[None] = []
    look = IdleWatch.after_task_step

    def counted(self: IdleWatch, task: trio.lowlevel.Task) -> None:
        looks.append(None)
        look(self, task)

    monkeypatch.setattr(IdleWatch, "after_task_step", counted)
    return looks


async def test_who_asks_is_told_once(autojump_clock: MockClock, looks: list[None]) -> None:
    async with open_runtime() as runtime:
        pid = spawn(worker)
        await settle()
        assert is_idle(pid)
        for number in range(3):
            pid.send(number)
        assert not is_idle(pid)
        runtime.idle.ask(pid, self_pid(), "first")
        runtime.idle.ask(pid, self_pid(), "idle")  # one message for each who asks: the last
        began = trio.current_time()
        assert await receive() == "idle"
        assert trio.current_time() - began == pytest.approx(3)
        assert is_idle(pid)
        seen = len(looks)
        pid.send("more")
        await settle()
        assert len(looks) == seen  # trio tells nobody any more
        assert not self_pid().mailbox


async def test_whoever_ends_has_nothing_left_to_do(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        pid = spawn(worker)
        pid.send("work")
        await settle()
        runtime.idle.ask(pid, self_pid(), "over")
        pid.exit(KILL)
        assert await receive() == "over"
        assert is_idle(pid)


async def test_who_waits_for_an_answer_is_busy(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        other, pid = spawn(answers_late), spawn(worker)

        async def ask() -> None:
            await call(other, "question", timeout=None)

        work: Callable[[], Awaitable[None]] = ask
        pid.send(work)
        await settle()
        assert pid.waiter is not None
        assert not is_idle(pid)
        runtime.idle.ask(pid, self_pid(), "answered")
        began = trio.current_time()
        assert await receive() == "answered"
        assert trio.current_time() - began == pytest.approx(5)


async def test_a_port_is_busy_while_it_runs(autojump_clock: MockClock) -> None:
    asked: list[bool] = []

    async def ported() -> None:
        pid = self_pid()

        def port(_: object) -> None:
            asked.append(is_idle(pid))
            pid.runtime.idle.ask(pid, pid.runtime.main, "taken")

        set_port(port)
        await trio.sleep_forever()

    async with open_runtime():
        pid = spawn(ported)
        await settle()
        pid.send("message")
        assert asked == [False]
        assert await receive() == "taken"
        assert is_idle(pid)


async def test_two_askers_are_told(autojump_clock: MockClock) -> None:
    heard: list[object] = []

    async def asker() -> None:
        heard.append(await receive())
        raise Exit("normal")

    async with open_runtime() as runtime:
        pid = spawn(worker)
        pid.send("work")
        for name in ("one", "two"):
            runtime.idle.ask(pid, spawn(asker), name)
        await trio.sleep(2)
        assert sorted(map(str, heard)) == ["one", "two"]  # trio runs them in any order
