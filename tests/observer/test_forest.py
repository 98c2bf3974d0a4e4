"""The tree that events keep up is the tree that a look at all processes gives."""

from __future__ import annotations

import random

import pytest
import trio
from trio.testing import MockClock

from phxactor import DynamicSupervisor, Pid, Supervisor, link, open_runtime, self_pid, spawn, spawn_link, unlink
from phxactor.observer._forest import Forest
from phxactor.observer._view import View
from phxactor.observer._window import rows_of
from phxactor.runtime import KILL, trap_exit
from tests.observer.trees import Worker, supervisor, worker

SHUTDOWN = "shutdown"


def drawn(forest: Forest) -> list[tuple[str, int, str]]:
    forest.settle()
    _, rows = rows_of(forest.root, View(count=10_000, depth=64))
    return [(node.key(), depth, node.relation) for node, depth, *_ in rows]


def counted(forest: Forest) -> None:
    """Assert that each node knows how many of those below it have something below them."""
    for node in forest.nodes.values():
        assert node.inner == sum(bool(one.below) for one in node.below or ()), node.key()


async def parent_of_linked(linked: bool) -> None:
    for _ in range(3):
        (spawn_link if linked else spawn)(trio.sleep_forever)
    await trio.sleep_forever()


def fresh(forest: Forest) -> list[tuple[str, int, str]]:
    other = Forest(forest.runtime)
    for pid in [*forest.runtime.processes.values()]:
        other.add(pid)
    return drawn(other)


@pytest.mark.parametrize("seed", range(6))
async def test_events_keep_it_as_a_new_look_would_show_it(seed: int, autojump_clock: MockClock) -> None:
    chance = random.Random(seed)  # noqa: S311 - for tests
    async with open_runtime():
        runtime = self_pid().runtime
        trap_exit(True)
        forest = Forest(runtime)
        forest.attach()
        for pid in [*forest.runtime.processes.values()]:
            forest.add(pid)
        many = {"max_restarts": 1000}
        for number in range(3):
            strategy = chance.choice(["one_for_one", "rest_for_one", "one_for_all"])
            children = [worker("a"), supervisor("team", worker("b"), worker("c")), worker("d")]
            await Supervisor.start_link(children, strategy=strategy, name=f"top {number}", **many)
        await DynamicSupervisor.start_link(name="dynamic", **many)
        for _ in range(60):
            pids = [pid for pid in forest.runtime.processes.values() if pid is not self_pid()]
            one: Pid = chance.choice(pids)
            match chance.randrange(6):
                case 0:
                    spawn(parent_of_linked, chance.random() < 0.5)
                case 1:
                    one.exit(chance.choice([KILL, "crash", SHUTDOWN]))
                case 2:
                    await DynamicSupervisor.start_child("dynamic", Worker) if runtime.names.whereis("dynamic") else None
                case 3 if one.alive:
                    link(one)
                case 4:
                    unlink(one)
                case _:
                    await trio.sleep(chance.choice([0, 0.5, 7]))
            await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(10)
        assert sorted(drawn(forest)) == sorted(fresh(forest))
        counted(forest)
        forest.detach()
        runtime.kill()
        await trio.sleep(10)
