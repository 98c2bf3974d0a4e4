"""A program ends in time in every state, by itself or by a signal (TM33); each is a program of its own."""

from __future__ import annotations

import signal
import time

import pytest

from tests.runtime.programs import program

SWALLOWS = """
    async def child():
        trap_exit()
        print("ready", flush=True)
        while True:
            try:
                await trio.sleep_forever()
            except BaseException:
                with trio.CancelScope(shield=True):
                    await trio.sleep(0.05)
"""
BLOCKS = """
    import time

    async def child():
        print("ready", flush=True)
        while True:
            time.sleep(0.01)
"""
SHIELDS = """
    async def child():
        print("ready", flush=True)
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()
"""
THREAD = """
    import time

    async def child():
        print("ready", flush=True)
        await trio.to_thread.run_sync(time.sleep, 100)
"""
RUN = """
    async def main():
        spawn_link(child)
        await trio.sleep_forever()

    run(main, stop_timeout={timeout})
"""
STATES = pytest.mark.parametrize(
    "state", [SWALLOWS, BLOCKS, SHIELDS, THREAD], ids=["swallows", "blocks", "shields", "thread"]
)


@pytest.mark.slow
@STATES
def test_TM33_a_signal_ends_a_program_in_time_whatever_it_does(state: str) -> None:
    with program(state + RUN.format(timeout=0.5)) as process:
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        assert time.monotonic() - began > 0.5
    assert process.returncode == 1
    assert "phxactor: the program is ended by force" in errors


@STATES
def test_TM33_a_second_signal_kills_at_once_whatever_it_does(state: str) -> None:
    with program(state + RUN.format(timeout=1000)) as process:
        while process.poll() is None:  # the first is taken in when the program comes to it; more than two do no harm
            process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
    assert process.returncode in {1, -signal.SIGTERM}


IN_A_HURRY = """
    from functools import partial
    from phxactor.runtime import _run

    _run.open_runtime = partial(_run.open_runtime, kill_grace=2.0)
"""
"""What is killed has two seconds in place of five, which is more than the stop has: what
swallows that works without a pause meanwhile."""
LOSES = {
    "the nursery is cancelled": "trio.lowlevel.current_task().parent_nursery.cancel_scope.cancel()",
    "the nursery fails": "trio.lowlevel.current_task().parent_nursery.start_soon(fails)",
    "trio fails": "trio.lowlevel.spawn_system_task(fails)",
}


@pytest.mark.parametrize("line", LOSES.values(), ids=LOSES)
@pytest.mark.parametrize("others", ["trio.sleep_forever", "traps", "swallows"])
def test_TM1_what_cannot_be_saved_ends_the_program_with_the_error(line: str, others: str) -> None:
    text = f"""
    {IN_A_HURRY.strip()}

    async def fails():
        raise ValueError("what it was")

    async def traps():
        trap_exit()
        while True:
            await receive()

    async def swallows():
        while True:
            try:
                await trio.sleep_forever()
            except BaseException:
                await trio.lowlevel.cancel_shielded_checkpoint()

    async def loses():
        print("ready", flush=True)
        {line}
        await trio.sleep_forever()

    async def main():
        from phxactor.otp import Supervisor, DynamicSupervisor
        await DynamicSupervisor.start_link()
        spawn({others})
        spawn(loses)
        await trio.sleep_forever()

    run(main, stop_timeout=0.5)
    """
    with program(text) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    if "fails" in line:
        assert "what it was" in errors
    elif others != "swallows":
        assert "the nursery of all processes was cancelled or has failed" in errors
