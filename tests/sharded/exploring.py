"""A small cluster that is explored: two nodes, one sharded server, two callers, and what may fail between them."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import trio

from phxactor import call, cast
from phxactor.cluster import Node
from phxactor.runtime import Exit, NotAProcessError
from phxactor.sharded import Sharded
from phxactor.testing import Nodes, cluster
from tests.sharded.ledger import Ledger, Sum
from tests.sharded.watching import Watcher

KEY: Final = "key:0"
TIMEOUT: Final = 10.0


async def _adds(ledger: Ledger, sums: Sharded, name: str) -> None:
    for number in range(4):
        ledger.sent.setdefault((name, KEY), []).append(number)
        if number % 2:
            began = trio.current_time()
            ledger.open_calls += 1
            try:
                with suppress(Exit):
                    await call(sums[KEY], (name, number), TIMEOUT)
                    ledger.added[KEY].append((name, number))
            finally:
                ledger.open_calls -= 1  # also if the caller is killed
            if trio.current_time() - began > TIMEOUT + 0.1:
                ledger.failed.append("a call took longer than its time-out")
        else:
            cast(sums[KEY], (name, number))


async def _items(sums: Sharded) -> list[tuple[str, int]]:
    return await call(sums[KEY], "items", TIMEOUT)  # type: ignore[no-any-return]


async def small(on_split: str = "both") -> None:
    """Let two callers add, while a node leaves and comes back. Raises AssertionError if something is wrong."""
    ledger = Ledger(is_alone=on_split == "majority")
    server = type("Sum", (Sum,), {"ledger": ledger})
    sums = Sharded("sums", server, on_split=on_split, settle=1)  # type: ignore[arg-type]
    watch = Watcher(sums)
    await _play(ledger, sums, watch)


async def _play(ledger: Ledger, sums: Sharded, watch: Watcher) -> None:
    async with cluster(2, children=lambda: [sums]) as nodes:
        born = [node.identity for node in nodes]
        await trio.sleep(5)  # they meet, if both live
        for node in nodes:
            if node.runs:
                with suppress(Exit):
                    node.spawn(_adds, ledger, sums, node.name)
                    if node is nodes[0]:
                        node.spawn(watch.run, _Both(), [KEY, KEY])
        await trio.sleep(2 * TIMEOUT)
        await _check(nodes, ledger, sums, born)


class _Both:
    """Chooses the first."""

    def sample(self, keys: list[str], _: int) -> list[str]:
        return keys[:1]

    def choice(self, keys: list[str]) -> str:
        return keys[0]


async def _check(nodes: Nodes, ledger: Ledger, sums: Sharded, born: list[Node]) -> None:
    await _mend(nodes)
    assert not ledger.open_calls, "a call hangs"
    assert len(ledger.running(KEY)) <= 1, "two servers run"
    have = await _seen(nodes, sums)
    if len(have) < len(nodes) or have[0] != have[1]:  # something has failed just now, and nothing more may
        await _mend(nodes)
        have = await _seen(nodes, sums)
    assert len(have) == len(nodes), "a node does not answer"
    assert have[0] == have[1], f"the nodes see {have}"
    assert not ledger.failed, ledger.failed
    if [node.identity for node in nodes] == born:  # nobody has died
        missing = [item for item in ledger.added[KEY] if item not in have[0]]
        assert not missing, f"answered, and not there: {missing}"
        assert len(have[0]) == len({*have[0]}), f"there twice: {have[0]}"
        for (name, _), sent in ledger.sent.items():
            got = [number for sender, number in have[0] if sender == name]
            assert ledger.starts_of > 1 or got == sorted(got), f"sent {sent}, got {got}"


async def _mend(nodes: Nodes) -> None:
    await trio.sleep(1)  # a node that has been killed has ended then
    nodes.network.heal()
    for node in nodes:
        if not node.runs:
            await nodes.restart(node)
    await trio.sleep(2 * TIMEOUT)


async def _seen(nodes: Nodes, sums: Sharded) -> list[list[tuple[str, int]]]:
    """Return what each node has of the key, those that have died left out."""
    have = []
    for node in nodes:
        with suppress(Exit, NotAProcessError):
            have.append(await node.run(_items, sums))
    return have
