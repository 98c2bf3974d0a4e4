"""The garbage collector while programs run: what lives long is frozen, and what is dropped then is found again."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Callable

import attrs
import orjson
import pytest
import trio

from phxactor.runtime import KILL, open_runtime, receive, run, spawn, sweep
from phxactor.runtime import _garbage as garbage
from phxactor.testing import settle
from tests.conformance.server import ROOT


@pytest.fixture(autouse=True)
def _thawed() -> None:
    """Take back what tests/conftest.py has frozen: here it counts what is."""
    gc.unfreeze()


class Node:
    """Refers to itself, so that only a collection frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_it_is_set_while_a_program_runs_and_as_it_was_afterwards() -> None:
    before, seen = gc.get_threshold(), []

    async def main() -> None:
        seen.append(gc.get_threshold())
        assert gc.get_freeze_count() > 0
        await trio.lowlevel.checkpoint()

    run(main)
    assert seen == [garbage.THRESHOLDS]
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
    assert not any(isinstance(one, garbage.Freezer) for one in gc.callbacks)


async def test_of_programs_that_overlap_the_last_one_puts_it_back() -> None:
    before = gc.get_threshold()
    async with open_runtime() as runtime:
        first, second = garbage.tuned(runtime), garbage.tuned(runtime)
        with first:
            second.__enter__()
            assert sum(isinstance(one, garbage.Freezer) for one in gc.callbacks) == 1
        assert gc.get_threshold() == garbage.THRESHOLDS
        assert gc.get_freeze_count() > 0
        second.__exit__(None, None, None)
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize("look", [sweep, gc.collect], ids=["sweep", "gc.collect"])
async def test_what_has_survived_is_frozen_and_a_look_at_everything_finds_what_was_dropped(
    look: Callable[[], int],
) -> None:
    async with open_runtime() as runtime:
        with garbage.tuned(runtime):
            node = Node()
            alive = weakref.ref(node)
            gc.collect(0)
            del node
            gc.collect(0)
            gc.collect(1)
            assert alive() is not None
            assert look() > 0
            assert alive() is None
            assert gc.get_freeze_count() > 0


async def _returns() -> None:
    pass


@attrs.frozen
class Came:
    """How many processes there were before a look; left of those, started, and came and went before the next one."""

    before: int = 0
    left: int = 0
    started: int = 0
    passed: int = 0


@pytest.mark.parametrize(
    ("came", "of_young", "looked_at"),
    [
        (Came(started=1), 1_000_000, False),
        (Came(started=1), 0, True),
        (Came(passed=1), 1_000_000, True),
        (Came(before=1), 1_000_000, True),
        (Came(before=2, left=1, started=1), 1_000_000, True),
        (Came(before=2, left=1, started=2, passed=1), 1_000_000, False),
    ],
)
async def test_what_new_processes_explain_is_not_looked_at(
    monkeypatch: pytest.MonkeyPatch, came: Came, of_young: int, looked_at: bool
) -> None:
    monkeypatch.setattr(garbage, "YOUNG", of_young)
    async with open_runtime() as runtime:
        with garbage.tuned(runtime):
            before = [spawn(receive) for _ in range(came.before)]
            gc.collect(0)
            for pid in before[: came.left]:
                pid.exit(KILL)
            for _ in range(came.started):
                spawn(receive)
            for _ in range(came.passed):
                spawn(_returns)
            await settle()
            alive = weakref.ref(Node())
            gc.collect(0)
            assert (alive() is None) is looked_at
            sweep()
            assert alive() is None


@pytest.mark.parametrize(("of_process", "found"), [(0, True), (1_000_000, False)])
async def test_it_sweeps_by_itself_when_more_is_frozen_than_the_processes_explain(
    monkeypatch: pytest.MonkeyPatch, of_process: int, found: bool
) -> None:
    monkeypatch.setattr(garbage, "EVERY", 1)
    monkeypatch.setattr(garbage, "OF_PROCESS", of_process)
    gc.collect()
    monkeypatch.setattr(garbage, "SLACK", len(gc.get_objects()) + 15_000)
    async with open_runtime() as runtime:
        with garbage.tuned(runtime):
            nodes = [Node() for _ in range(10_000)]
            alive = weakref.ref(nodes[0])
            gc.collect(0)
            del nodes
            more = [Node() for _ in range(10_000)]
            gc.collect(0)
            await settle()
            assert (alive() is None) is found
            assert more


async def test_what_one_call_has_made_is_counted_however_much_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """From Python 3.12 on, the collector looks only when a call into C has returned."""
    monkeypatch.setattr(garbage, "EVERY", 1)
    monkeypatch.setattr(garbage, "OF_PROCESS", 0)
    gc.collect()
    monkeypatch.setattr(garbage, "SLACK", len(gc.get_objects()) + 4 * garbage.THRESHOLDS[0])
    many = b"[" + b"[]," * 10 * garbage.THRESHOLDS[0] + b"[]]"
    async with open_runtime() as runtime:
        with garbage.tuned(runtime):
            node = Node()
            alive = weakref.ref(node)
            gc.collect(0)
            del node
            kept = orjson.loads(many)
            gc.collect(0)
            await settle()
            assert alive() is None
            assert kept


@pytest.mark.parametrize(("of_process", "found"), [(0, True), (1 << 40, False)])
async def test_it_sweeps_by_itself_when_there_are_more_bytes_than_the_processes_explain(
    monkeypatch: pytest.MonkeyPatch, of_process: int, found: bool
) -> None:
    size = [1 << 20]
    monkeypatch.setattr(garbage, "SLACK_BYTES", 4 << 20)
    monkeypatch.setattr(garbage, "BYTES_OF_PROCESS", of_process)
    monkeypatch.setattr(garbage, "resident", lambda: size[0])
    given_back: list[int] = []
    monkeypatch.setattr(garbage, "give_back", lambda: given_back.append(size[0]))
    async with open_runtime() as runtime:
        with garbage.tuned(runtime):
            # What a look at everything leaves is taken to be there for good: it may double.
            for more, swept in ((4 << 20, False), ((4 << 20) + 1, True), (8 << 20, False), ((8 << 20) + 3, True)):
                node = Node()
                alive = weakref.ref(node)
                gc.collect(0)
                del node
                size[0] = more
                gc.collect(0)
                await settle()
                assert (alive() is None) is (found and swept), more
    assert given_back == ([(4 << 20) + 1, (8 << 20) + 3] if found else [])


@pytest.mark.parametrize("many", [True, False])
async def test_it_does_not_sweep_while_many_processes_end(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock, many: bool
) -> None:
    """9,000 clients that time out at once have made the others wait for 0.3 s."""
    size = [0]
    monkeypatch.setattr(garbage, "resident", lambda: size[0])
    monkeypatch.setattr(garbage, "MANY", 5 if many else 1000)
    found: list[float] = []
    async with open_runtime() as runtime:
        with garbage.tuned(runtime):
            crowd = [runtime.spawn(trio.sleep_forever) for _ in range(100)]
            gc.collect(0)
            node = Node()
            weakref.finalize(node, lambda: found.append(trio.current_time()))
            gc.collect(0)
            del node
            for number, pid in enumerate(crowd):
                pid.exit(KILL)
                await runtime.ended(pid)
                if number == 20:
                    size[0] = 1 << 40
                gc.collect(0)
                await trio.sleep(1)
            assert bool(found) is not many
            await trio.sleep(2.5 * garbage.SETTLING)
            (swept,) = found
            assert (swept > len(crowd)) is many


CYCLES = """
class Job:
    def __init__(self):
        self.itself, self.held = self, bytearray(100_000)

async def main():
    for _ in range(200):
        jobs, others = [Job() for _ in range(50)], [[] for _ in range(400)]
        await trio.lowlevel.checkpoint()
        del jobs, others

run(main, collector=sys.argv[1])
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a program is read from Linux's /proc")
@pytest.mark.slow
def test_the_bytes_of_cycles_that_live_for_a_moment_are_bounded() -> None:
    def peak(collector: str) -> int:
        text = f"import sys, trio\nfrom phxactor.runtime import run\n{CYCLES}"
        command = [sys.executable, "-c", text, collector]
        return int(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)

    assert peak("processes") < peak("python") + 32 * 1024


def test_the_collector_may_be_left_to_python() -> None:
    before, seen = gc.get_threshold(), []

    async def main() -> None:
        alive = weakref.ref(Node())
        gc.collect(0)
        seen.append((gc.get_threshold(), gc.get_freeze_count(), sweep() > 0 or alive() is None))

    run(main, collector="python")
    assert seen == [(before, 0, True)]


def test_a_collector_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="collector must be one of 'processes', 'python', not 'none'"):
        run(_returns, collector="none")  # type: ignore[arg-type]


async def test_of_two_programs_the_one_that_stays_is_swept_though_the_other_was_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    size = [0]
    monkeypatch.setattr(garbage, "resident", lambda: size[0])
    async with open_runtime() as stays, open_runtime() as leaves:
        with garbage.tuned(leaves):
            staying = garbage.tuned(stays)
            staying.__enter__()
            monkeypatch.setattr(leaves, "run_soon", lambda _: None)  # it has ended before that came
            size[0] = 1 << 40
            gc.collect(0)
        alive = weakref.ref(Node())
        gc.collect(0)
        await settle()
        assert alive() is None
        staying.__exit__(None, None, None)


def test_without_a_program_a_sweep_is_a_collection() -> None:
    alive = weakref.ref(Node())
    assert sweep() > 0
    assert alive() is None
    assert gc.get_freeze_count() == 0


async def test_nothing_is_looked_at_while_a_large_message_is_decoded() -> None:
    looks: list[str] = []

    def note(phase: str, info: object) -> None:
        looks.append(phase)

    text = b"[" + b"[]," * 100_000 + b"0]"
    async with open_runtime() as runtime:
        gc.callbacks.append(note)
        tuned = garbage.tuned(runtime)
        tuned.__enter__()
        looks.clear()
        try:
            with garbage.unlooked():
                kept = orjson.loads(text)
            assert looks == []
            assert gc.get_count()[0] < garbage.THRESHOLDS[0]  # nor soon after it
            assert gc.isenabled()
            kept = orjson.loads(text)
            assert looks
        finally:
            gc.callbacks.remove(note)
            tuned.__exit__(None, None, None)
    assert len(kept) == 100_001


async def test_a_collector_that_is_off_stays_off() -> None:
    async with open_runtime() as runtime:
        tuned = garbage.tuned(runtime)
        tuned.__enter__()
        gc.disable()
        try:
            with garbage.unlooked():
                pass
            assert not gc.isenabled()
        finally:
            gc.enable()
            tuned.__exit__(None, None, None)
