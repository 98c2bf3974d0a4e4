"""Programs of a simulated cluster by number, and what must hold: python -m tests.sharded.simulation [COUNT] [FIRST].

In each program processes of all nodes add numbers to keys, by calls and casts, while nodes and lines fail.

- No two servers of one key run by one view, or at all while nodes only come and leave; none is left where the key is
  not owned.
- Each call ends within its time-out, each monitor fires exactly once.
- While nodes only come and leave, and where nodes that have met are parted and the small side stops, no key runs twice
  at any time, and each start has a larger token.
- After healing all nodes see one owner of each key. Where no node was killed, each answered addition is there once;
  where nothing was cut either, all that was sent is there, in the order of each sender.
"""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from random import Random
from typing import Final
from unittest.mock import patch

import trio
from trio._core import _run as trio_run
from trio.testing import MockClock

from phxactor import call, cast, self_pid
from phxactor.distribution import CannotTravelError
from phxactor.distribution.events import cut
from phxactor.runtime import KILL, Exit
from phxactor.sharded import Sharded
from phxactor.sharded._regions import found
from phxactor.sharded.events import lost, suspended
from phxactor.sharded.events import view as view_event
from phxactor.telemetry import Event
from phxactor.testing import Nodes, cluster
from tests.sharded.ledger import KEYS, Ledger, Sum
from tests.sharded.watching import Watcher, watcher

TIMEOUT: Final = 20.0
STEPS: Final = 12
SENDERS: Final = 12
WATCHERS: Final = 6
REGIONS: Final = 3
"""How many regions are killed, at most: with more, a supervisor gives up."""


async def _sends(ledger: Ledger, sums: Sharded, name: str, chance: Random, until: float) -> None:
    number = 0
    while trio.current_time() < until:
        if self_pid().node in ledger.leaving:
            ledger.ending.add(name)
        key = chance.choice(KEYS)
        number += 1
        item = (name, number)
        ledger.sent.setdefault((name, key), []).append(number)
        if chance.random() < 0.5:
            cast(sums[key], item)
        else:
            began = trio.current_time()
            ledger.open_calls += 1
            try:
                await call(sums[key], item, TIMEOUT)
                ledger.added[key].append(item)
            except Exit as end:
                if not (ledger.killed or ledger.cut or self_pid().node in ledger.leaving):
                    ledger.failed.append(f"a call of {name} to {key} failed: {end}")
            finally:
                ledger.open_calls -= 1
                if self_pid().node in ledger.leaving:
                    ledger.ending.add(name)
            if trio.current_time() - began > TIMEOUT + 0.1:
                ledger.failed.append("a call took longer than its time-out")
        await trio.sleep(chance.choice([0, 0.01, 0.05, 0.3]))


async def _step(nodes: Nodes, chance: Random, ledger: Ledger, way: str) -> str:
    """Let something happen."""
    network = nodes.network
    one, other = chance.sample([node.name for node in nodes], 2)
    node = nodes.named(one)
    what = chance.choice(WAYS[way])
    up = [each for each in nodes if each.runs]
    match what:
        case "leave" if node.runs and len(up) > 1:
            await trio.sleep(5)  # a node that has just come may not be seen yet
            ledger.leaving.add(node.identity)
            ledger.killed |= ledger.cut  # it may have nobody to hand over to
            await node.leave()
        case "start" if not node.runs:
            await nodes.restart(node)
        case "cut":
            ledger.cut = True
            network.cut(one, other)
        case "isolate":
            ledger.cut = True
            network.isolate(one)
        case "heal":
            network.heal()
        case "kill" if node.runs and len(up) > 1:
            ledger.killed = True
            await node.kill(silent=chance.random() < 0.3)
        case "region" if node.runs and ledger.regions < REGIONS:
            ledger.killed = True
            ledger.regions += 1
            pid = node.runtime.names.whereis("sums")
            if pid is not None:
                pid.exit(KILL)
        case _:
            return "nothing"
    return f"{what} {one} {other}"


CALM: Final = ["leave", "start", "start"]
CUTS: Final = ["cut", "isolate", "heal", "heal"]
DEATHS: Final = ["kill", "region", "start"]
WAYS: Final = {"calm": CALM, "splits": CUTS, "cuts": CALM + CUTS, "all": CALM + CUTS + DEATHS}


async def play(seed: int, on_split: str = "both") -> list[str]:
    """Play a program; returns what was wrong. It is the same each time, on any machine.

    Ids of nodes and trio's order of tasks are drawn by the seed too, and no garbage is collected meanwhile, since what
    is forgotten then is told to other nodes.
    """
    collected = gc.isenabled()
    gc.disable()
    trio_run._r.seed(seed)  # noqa: SLF001 - trio has no other way
    try:
        with patch.object(trio_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True):
            return await _play(seed, on_split)
    finally:
        if collected:
            gc.enable()


async def _play(seed: int, on_split: str) -> list[str]:
    chance = Random(seed)  # noqa: S311 - no secret
    ledger = Ledger()
    server = type("Sum", (Sum,), {"ledger": ledger})
    way = chance.choice(list(WAYS))
    idle = chance.choice([None, 2.0]) if way == "calm" else None  # nobody else keeps what they have
    sums = Sharded("sums", server, on_split=on_split, settle=3, idle=idle)  # type: ignore[arg-type]
    told = [f"{way}, idle {idle}"]
    ledger.slowness = chance.choice([0, 0.2, 2])
    ledger.is_alone = way == "calm" or (way == "splits" and on_split == "majority")

    def note(event: Event, fields: Mapping[str, object]) -> None:
        told.append(f"{trio.current_time():.3f} {event.name.removeprefix('phxactor.')} {dict(fields)}")

    for event in (view_event, suspended, lost, cut):
        event.attach(note)
    uneven = chance.random() < 0.3
    delay = 0.001 if uneven else chance.choice([0, 0.01, 0.1])
    async with cluster(3, children=lambda: [sums], delay=delay, uneven=uneven, seed=seed) as nodes:
        if way == "splits":
            await trio.sleep(5)
        watchers = await _act(nodes, chance, ledger, sums, told)
        nodes.network.heal()
        for node in nodes:
            if not node.runs:
                await nodes.restart(node)
        await trio.sleep(60)
        try:
            await _check(nodes, ledger, sums, on_split)
        except Exit as end:
            states = [(node.name, found(node.runtime, "sums").view) for node in nodes]
            ledger.failed.append(f"the check failed: {end}; views are {states}")
        for node in nodes:  # all servers end
            pid = node.runtime.names.whereis("sums")
            if pid is not None:  # else it is just starting again
                pid.exit(KILL)
        await trio.sleep(30)
        for one in watchers:
            ledger.failed += one.wrong()
    for event in (view_event, suspended, lost, cut):
        event.detach(note)
    return [*ledger.failed, *told] if ledger.failed else []


async def _act(nodes: Nodes, chance: Random, ledger: Ledger, sums: Sharded, told: list[str]) -> list[Watcher]:
    """Have processes add and watch while things happen; returns who watches."""
    end = trio.current_time() + 60
    senders: set[str] = set()
    watchers: list[Watcher] = []
    for _ in range(STEPS):
        for node in nodes:
            if node.runs and len(watchers) < WATCHERS:
                with suppress(Exit):
                    watchers.append(watcher(sums, node.spawn, _chance(chance), KEYS))
            if node.runs and len(senders) < SENDERS:
                name = f"{node.name}{len(senders)}"
                senders.add(name)
                stays = trio.current_time() + chance.choice([1, 5, 20])
                with suppress(Exit):
                    node.spawn(_guarded, ledger, sums, name, _chance(chance), min(stays, end))
        told.append(f"{trio.current_time():.1f} {await _step(nodes, chance, ledger, told[0].partition(',')[0])}")
        await trio.sleep(chance.choice([0, 0.05, 0.5, 3, 12]))
    return watchers


async def _guarded(ledger: Ledger, sums: Sharded, name: str, chance: Random, until: float) -> None:
    try:
        await _sends(ledger, sums, name, chance, until)
    except CannotTravelError as error:
        ledger.failed.append(str(error))


async def _check(nodes: Nodes, ledger: Ledger, sums: Sharded, on_split: str) -> None:
    if ledger.open_calls:
        ledger.failed.append(f"{ledger.open_calls} calls hang")
    if ledger.killed and any(found(node.runtime, "sums").suspended for node in nodes):
        return  # most of its last view was killed, and nobody can say so
    _check_owners(nodes, ledger, [await node.run(_owners, sums) for node in nodes])
    for key in KEYS:
        have = await nodes[0].run(_items, sums, key)
        if ledger.killed:
            continue
        twice = [item for item in dict.fromkeys(have) if have.count(item) > 1]
        missing = [item for item in ledger.added[key] if item not in have]
        if twice or (missing and not (ledger.cut and on_split == "majority")):
            ledger.failed.append(f"{key}: twice {twice}, missing {missing}")
        if not ledger.cut:
            _check_order(ledger, key, have)


async def _owners(sums: Sharded) -> list[str]:
    return [str(sums[key].node) for key in KEYS]


async def _items(sums: Sharded, key: str) -> list[tuple[str, int]]:
    return await call(sums[key], "items")  # type: ignore[no-any-return]


def _check_owners(nodes: Nodes, ledger: Ledger, found: list[list[str]]) -> None:
    if any(one != found[0] for one in found):
        ledger.failed.append(f"nodes see different owners: {found}")
    for key, owner in zip(KEYS, found[0], strict=True):
        here = [str(pid.node) for pid, _ in ledger.running(key)]
        if here not in ([], [owner]):
            ledger.failed.append(f"{key} is of {owner} and runs on {here}")


def _check_order(ledger: Ledger, key: str, have: list[tuple[str, int]]) -> None:
    """Check that all came in order; of a sender whose node was told to end the last may be missing."""
    for (name, its_key), numbers in ledger.sent.items():
        if its_key == key:
            got = [number for sender, number in have if sender == name]
            if got != numbers and not (name in ledger.ending and got == numbers[: len(got)]):
                ledger.failed.append(f"{key} of {name}: sent {numbers}, got {got}")


def _chance(chance: Random) -> Random:
    return Random(chance.random())  # noqa: S311 - no secret


def held(seed: int, on_split: str) -> list[str]:
    """Play one program in a trio run of its own; returns what was wrong."""
    try:
        return trio.run(play, seed, on_split, clock=MockClock(autojump_threshold=0))
    except Exception as error:  # noqa: BLE001 - whatever it is, the number is told
        return [repr(error)]


def _played(seed: int) -> list[str]:
    logging.disable(logging.CRITICAL)
    return [
        "\n  ".join([f"program {seed} ({on_split}):", *wrong])
        for on_split in ("both", "majority")
        if (wrong := held(seed, on_split))
    ]


def main(count: int, first: int) -> int:
    """Play so many numbers, each with both ways to split, on all cores. Returns 1 if something was wrong."""
    failed = 0
    with ProcessPoolExecutor() as pool:
        for number, wrong in enumerate(pool.map(_played, range(first, first + count), chunksize=5), 1):
            failed += len(wrong)
            for told in wrong:
                print(told, flush=True)  # noqa: T201 - a program for people
            if number % 100 == 0 and number < count:
                print(f"{2 * number} programs, {failed} failed", flush=True)  # noqa: T201 - the same
    print(f"{2 * count} programs, {failed} failed")  # noqa: T201 - the same
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100, int(sys.argv[2]) if len(sys.argv) > 2 else 0))
