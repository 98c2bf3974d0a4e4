"""The garbage collector while programs run: what lives long is frozen, and what is dropped then is found again."""

from __future__ import annotations

import gc
import weakref

import attrs
import orjson
import pytest
import trio

from phxactor.runtime import KILL, garbage, open_runtime, receive, run, spawn, sweep
from phxactor.testing import settle


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


async def test_what_has_survived_is_frozen_and_a_sweep_finds_what_was_dropped() -> None:
    async with open_runtime() as runtime:
        with garbage.tuned(runtime):
            node = Node()
            alive = weakref.ref(node)
            gc.collect(0)
            del node
            gc.collect()
            assert alive() is not None
            assert sweep() > 0
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


def test_without_a_program_a_sweep_is_a_collection() -> None:
    alive = weakref.ref(Node())
    assert sweep() > 0
    assert alive() is None
    assert gc.get_freeze_count() == 0
