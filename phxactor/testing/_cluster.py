"""Several nodes in one loop: `async with cluster(3) as nodes`.

async with cluster(3) as nodes:
    a, b, c = nodes
    await a.run(say_something)            in a process of that node
    nodes.network.cut("a", "b")           a pair that cannot hear each other
    await trio.sleep(10)                  virtual time
    nodes.network.heal()
    await c.stop(); c.go_on()             SIGSTOP, SIGCONT
    await b.kill()                        SIGKILL
    await nodes.restart(b)                with a new id
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from string import ascii_lowercase
from typing import TYPE_CHECKING, overload

import trio

from phxactor.cluster import Cluster
from phxactor.envelope import MAX_MESSAGE_BYTES
from phxactor.runtime import Exit
from phxactor.testing._network import INBOX, Network
from phxactor.testing._settle import settle
from phxactor.testing._simulated_carrier import Simulated
from phxactor.testing._simulated_node import Carriers, SimulatedNode
from phxactor.testing._stopped import Stopped

if TYPE_CHECKING:
    from phxactor.otp import Child
    from phxactor.testing.schedule import Schedule


class Nodes(Sequence[SimulatedNode]):
    """The nodes of a simulated cluster, named a, b, c and so on, and the network between them."""

    def __init__(self, nodes: list[SimulatedNode], network: Network, nursery: trio.Nursery) -> None:
        """Store the nodes; `cluster` starts them."""
        self.network = network
        self._nodes = nodes
        self._nursery = nursery

    @overload
    def __getitem__(self, index: int) -> SimulatedNode: ...
    @overload
    def __getitem__(self, index: slice) -> list[SimulatedNode]: ...
    def __getitem__(self, index: int | slice) -> SimulatedNode | list[SimulatedNode]:
        """Return a node by its index, or several by a slice."""
        return self._nodes[index]

    def __len__(self) -> int:
        """Count the nodes, also those that have ended."""
        return len(self._nodes)

    def __iter__(self) -> Iterator[SimulatedNode]:
        """Iterate over the nodes."""
        return iter(self._nodes)

    def named(self, name: str) -> SimulatedNode:
        """Return the node with a name."""
        return next(node for node in self._nodes if node.name == name)

    async def restart(self, node: SimulatedNode) -> None:
        """Start a node that has ended; it has a new id."""
        self.network.tell(f"{node.name} starts")
        await node.start(self._nursery)


@asynccontextmanager
async def cluster(
    count: int,
    *,
    children: Callable[[], Sequence[Child]] = tuple,
    carriers: Carriers | None = None,
    secret: str | None = None,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
    delay: float = 0.0,
    loss: float = 0.0,
    uneven: bool = False,
    inbox: int = INBOX,
    seed: int | None = None,
    schedule: Schedule | None = None,
    network: Network | None = None,
    processes: bool = True,
) -> AsyncIterator[Nodes]:
    """Run several nodes, each with a runtime of its own, in the loop of a test. Use virtual time.

    Faults of the network are drawn by the schedule, if there is one that plays, else by the seed. They are lines of the
    schedule's trace. Without `loss` and `uneven` there are none but those that the test makes.

    Args:
        count: the number of nodes.
        children: makes the children of each node, which start after its cluster.
        carriers: makes the carriers of a node by its name; by default one that is simulated.
        secret: what the simulated carriers seal their messages with; None for no seal.
        max_message_bytes: the size of a message at most, in bytes.
        delay: seconds that a message takes from node to node.
        loss: the share of messages that are lost, from 0 to 1.
        uneven: whether a message may take up to a hundred times as long; those behind it on the same way wait for it.
        inbox: bytes that may wait for a node from each other node; what does not fit is lost.
        seed: another number makes other faults, and other ids of nodes, so other owners of sharded servers.
        schedule: the schedule that plays the test.
        network: the network, made before, for carriers that need it.
        processes: whether processes of one node can reach those of others (phxactor.distribution); without it the
            carriers carry what the test says, and their beats.

    """
    seed = seed or 0
    chance = Random(seed)  # noqa: S311 - no secret
    network = network or Network(
        delay=delay,
        loss=loss,
        uneven=uneven,
        choose=chance.randrange if schedule is None else schedule.choose,
        tell=(lambda _: None) if schedule is None else schedule.trace.remark,
        inbox=inbox,
    )
    stopped = Stopped()

    def simulated(name: str) -> Cluster:
        return Cluster(Simulated(network, secret), name=name, max_message_bytes=max_message_bytes)

    make = simulated if carriers is None else carriers
    names = [ascii_lowercase[n] if count <= len(ascii_lowercase) else f"n{n}" for n in range(count)]
    nodes = [SimulatedNode(name, make, children, stopped, seed=seed, processes=processes) for name in names]
    failure: Exception | Exit | None = None
    if schedule is not None:
        for node in nodes:
            node.labels = schedule.trace.labels
    async with trio.open_nursery() as nursery:
        nursery.start_soon(network.run)
        async with trio.open_nursery() as alive:
            for node in nodes:
                await node.start(alive)
            await settle()
            cluster = Nodes(nodes, network, alive)
            network.kill = lambda name: alive.start_soon(cluster.named(name).kill, name=f"kill {name}")
            try:
                yield cluster
            except (Exception, Exit) as error:  # noqa: BLE001 - raised again, where no nursery wraps it in a group
                failure = error
            finally:
                network.kill = lambda _: None
                with trio.CancelScope(shield=True):
                    for node in nodes:
                        if node.runs:
                            await node.leave()
        nursery.cancel_scope.cancel()
    network.close()
    if failure is not None:
        try:
            raise failure
        finally:
            del failure  # its traceback has this frame
