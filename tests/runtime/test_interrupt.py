from __future__ import annotations

import signal

import pytest
import trio
from trio.testing import MockClock

from phxactor.runtime import Exited, open_runtime, receive, spawn, trap_exit
from phxactor.testing import settle
from tests.runtime.actors import port_actor


def test_TM33_ctrl_c_in_a_process_is_for_main() -> None:
    steps: list[str] = []

    async def worker() -> None:
        signal.raise_signal(signal.SIGINT)
        steps.append("the worker goes on")
        trap_exit()
        message = await receive()
        assert isinstance(message, Exited)
        steps.append(f"told {message.reason}")

    async def program() -> None:
        async with open_runtime():
            spawn(worker)
            await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        trio.run(program, clock=MockClock(autojump_threshold=0))
    assert steps == ["the worker goes on", "told shutdown"]


@pytest.mark.allow_leaks("what is left, and killed")
def test_TM33_ctrl_c_while_stopping_kills_what_is_left() -> None:
    steps: list[str] = []

    async def worker() -> None:
        trap_exit()
        await receive()
        steps.append("told")
        signal.raise_signal(signal.SIGINT)
        try:
            await trio.sleep(30)
        finally:
            steps.append(f"gone at {trio.current_time()}")

    async def program() -> None:
        async with open_runtime():
            spawn(worker)
            await settle()

    with pytest.raises(KeyboardInterrupt):
        trio.run(program, clock=MockClock(autojump_threshold=0))
    assert steps == ["told", "gone at 0.0"]


def test_TM33_ctrl_c_in_a_port_is_for_main_too() -> None:
    steps: list[str] = []

    def port(_: object) -> None:
        signal.raise_signal(signal.SIGINT)
        steps.append("the port goes on")

    async def program() -> None:
        async with open_runtime():
            actor = await port_actor(port)
            actor.pid.send("hello")
            steps.append("so does main")
            await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        trio.run(program, clock=MockClock(autojump_threshold=0))
    assert steps == ["the port goes on", "so does main"]
