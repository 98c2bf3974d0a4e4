from __future__ import annotations

import signal
import threading

import pytest
import trio

from phxactor.runtime import KILLED, SHUTDOWN, Exit, Exited, receive, run, self_pid, spawn_link, trap_exit
from phxactor.testing import settle
from tests.patience import PATIENCE
from tests.runtime.programs import program

HANDLERS = (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))


async def settle_and(number: signal.Signals) -> None:
    await settle()
    signal.raise_signal(number)


def test_run_ends_when_main_returns_and_stops_the_others() -> None:
    steps: list[object] = []

    async def child() -> None:
        trap_exit()
        message = await receive()
        assert isinstance(message, Exited)
        steps.append(message.reason)

    async def main(name: str) -> None:
        assert self_pid().runtime.main is self_pid()
        steps.append(name)
        spawn_link(child)
        await settle()

    run(main, "main")
    assert steps == ["main", SHUTDOWN]


def test_run_raises_what_main_raises() -> None:
    async def main() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run(main)


def test_run_raises_the_exit_of_a_linked_process() -> None:
    async def child() -> None:
        raise Exit("boom")

    async def main() -> None:
        spawn_link(child)
        await trio.sleep_forever()

    with pytest.raises(Exit) as caught:
        run(main)
    assert caught.value.reason == "boom"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_TM33_a_signal_stops_in_order_and_run_returns(number: signal.Signals) -> None:
    steps: list[object] = []

    async def child(name: str) -> None:
        trap_exit()
        message = await receive()
        assert isinstance(message, Exited)
        steps.append((name, message.reason))

    async def main() -> None:
        for name in ("first", "last"):
            spawn_link(child, name)
        await settle_and(number)
        await trio.sleep_forever()

    run(main)
    assert steps == [("last", SHUTDOWN), ("first", SHUTDOWN)]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == HANDLERS


def test_TM33_main_may_trap_the_signal() -> None:
    messages: list[object] = []

    async def main() -> None:
        trap_exit()
        await settle_and(signal.SIGTERM)
        messages.append(await receive())

    run(main)
    (message,) = messages
    assert isinstance(message, Exited)
    assert message.reason == SHUTDOWN


@pytest.mark.parametrize("stuck", ["main", "child"])
def test_TM33_a_second_signal_kills_what_is_still_there(stuck: str) -> None:
    steps: list[str] = []

    async def body() -> None:
        trap_exit()
        for _ in range(2):
            await settle_and(signal.SIGTERM)
        try:
            await trio.sleep_forever()
        finally:
            steps.append("killed")

    async def main() -> None:
        if stuck == "main":
            await body()
        else:
            spawn_link(body)
            await trio.sleep_forever()

    with pytest.raises(Exit) as caught:
        run(main)
    assert caught.value.reason == KILLED
    assert steps == ["killed"]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == HANDLERS


def test_TM33_in_another_thread_no_signals_are_received() -> None:
    steps: list[str] = []

    async def main() -> None:
        steps.append("ran")

    thread = threading.Thread(target=run, args=(main,))
    thread.start()
    thread.join()
    assert steps == ["ran"]


# ----------------------------------------------------------------------------------- programs of their own


OBSTINATE = """
    async def child():
        trap_exit()
        print("ready", flush=True)
        while True:
            message = await receive()
            print("told", message.reason, flush=True)
            {then}

    async def main():
        spawn_link(child)
        await trio.sleep_forever()

    run(main)
    print("after", flush=True)
"""


def test_a_program_that_stops_in_order_exits_with_0() -> None:
    with program(OBSTINATE.format(then="break")) as process:
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=PATIENCE)
    assert (output, errors, process.returncode) == ("told shutdown\nafter\n", "", 0)


def test_a_program_that_is_told_twice_is_killed_and_says_so() -> None:
    with program(OBSTINATE.format(then="pass")) as process:
        assert process.stdout is not None
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "told shutdown\n"
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=PATIENCE)
    assert output == ""
    assert errors.rstrip().endswith("Exit: :killed")
    assert process.returncode == 1


def test_a_program_whose_main_fails_shows_why() -> None:
    text = """
        async def main():
            print("ready", flush=True)
            raise ValueError("what is wrong")

        run(main)
    """
    with program(text) as process:
        _, errors = process.communicate(timeout=PATIENCE)
    assert errors.rstrip().endswith("ValueError: what is wrong")
    assert process.returncode == 1


def test_ctrl_c_while_a_process_computes_stops_in_order() -> None:
    text = """
        async def busy():
            print("ready", flush=True)
            while True:
                sum(range(1000))
                await trio.lowlevel.checkpoint()

        async def main():
            spawn_link(busy)
            await trio.sleep_forever()

        run(main)
    """
    with program(text) as process:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
    assert (errors, process.returncode) == ("", 0)
