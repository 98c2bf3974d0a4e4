"""Outages: what befalls the nodes of a simulated cluster, as values; drawn by Hypothesis, printed as they are written.

    async with cluster(3) as nodes:
        await play(nodes, [Cut("a", "b"), Pass(7), Kill("c"), Heal(), Restart("c")])

A step that does not apply (a node is stopped that has ended) changes nothing. `calm` ends all that goes on, so that a
test can say what must hold afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

import attrs
import trio

if TYPE_CHECKING:
    from phxactor.testing._cluster import Nodes


@attrs.frozen
class Pass:
    """Time passes."""

    seconds: float

    async def play(self, _: Nodes) -> None:
        """Wait."""
        await trio.sleep(self.seconds)


@attrs.frozen
class Cut:
    """Two nodes cannot hear each other."""

    one: str
    other: str

    async def play(self, nodes: Nodes) -> None:
        """Cut the wires."""
        if self.one != self.other:
            nodes.network.cut(self.one, self.other)


@attrs.frozen
class Isolate:
    """A node and all others cannot hear each other."""

    name: str

    async def play(self, nodes: Nodes) -> None:
        """Cut its wires."""
        nodes.network.isolate(self.name)


@attrs.frozen
class Heal:
    """All can hear one another."""

    async def play(self, nodes: Nodes) -> None:
        """Mend the wires."""
        nodes.network.heal()


@attrs.frozen
class Freeze:
    """A node is stopped, as by SIGSTOP."""

    name: str

    async def play(self, nodes: Nodes) -> None:
        """Stop it."""
        await nodes.named(self.name).stop()


@attrs.frozen
class Thaw:
    """A node that was stopped goes on, as by SIGCONT."""

    name: str

    async def play(self, nodes: Nodes) -> None:
        """Let it go on."""
        nodes.named(self.name).go_on()


@attrs.frozen
class Kill:
    """A node ends, as by SIGKILL; with `silent` its machine does."""

    name: str
    silent: bool = False

    async def play(self, nodes: Nodes) -> None:
        """Kill it."""
        node = nodes.named(self.name)
        if node.runs:
            await node.kill(silent=self.silent)


@attrs.frozen
class Leave:
    """A node ends in order."""

    name: str

    async def play(self, nodes: Nodes) -> None:
        """Have it leave."""
        node = nodes.named(self.name)
        if node.runs:
            await node.leave()


@attrs.frozen
class Restart:
    """A node that has ended starts again."""

    name: str

    async def play(self, nodes: Nodes) -> None:
        """Start it."""
        node = nodes.named(self.name)
        if not node.runs:
            await nodes.restart(node)


Outage: TypeAlias = Pass | Cut | Isolate | Heal | Freeze | Thaw | Kill | Leave | Restart


async def play(nodes: Nodes, outages: Iterable[Outage]) -> None:
    """Let them happen, one after the other."""
    for one in outages:
        await one.play(nodes)


async def calm(nodes: Nodes) -> None:
    """End all outages: no more losses, all hear one another, those that were stopped go on. Ended nodes stay so.

    Returns after 10 seconds of virtual time, when all nodes see one another.
    """
    nodes.network.loss = 0.0
    nodes.network.heal()
    for node in nodes:
        node.go_on()
    await trio.sleep(10)
