"""Carrier: what brings bytes from node to node.

A carrier is an object that a program makes; its processes run under the cluster's supervisor. `LocalNode` calls the
carrier, and the carrier calls `LocalNode`, always as plain functions in the runtime's thread:

    LocalNode ── publish, publish_to_all, send, watch, unwatch ──▶ Carrier
    LocalNode ◀── up, down, received, gap, away, back, watched, dropped, lanes ── Carrier

What a carrier promises: what one node publishes on one lane, and what it sends to one node, arrives in order, at most
once. What is lost is told as a gap, once by each node that missed something, for each sender. Nothing more.

A carrier that others can write to has an attribute `needs_secret`: if it is True, the carrier starts only in a cluster
that has a secret, and seals with `node.secret`.

A carrier starts out *away*: it calls `back` when it can carry, and `away` when it no longer can.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from phxactor.otp import ChildSpec

if TYPE_CHECKING:
    from phxactor.cluster._local_node import LocalNode

DownReason: TypeAlias = Literal["left", "silent", "lost"]
"""Why a node is down: it said goodbye; nothing was heard of it for 5 s; or its line ended."""


class Carrier(Protocol):
    """Brings bytes from node to node. tests/cluster/contract.py is the test that each carrier passes."""

    @property
    def name(self) -> str:
        """What it is called in events and statistics, such as "redis". No two carriers of a node share a name."""

    def child_spec(self, node: LocalNode) -> ChildSpec:
        """Return the child specification of its process or supervisor, which calls `node`.

        The supervisor of the cluster starts it before all else of the program, and stops it last. If it ends, the nodes
        that it reached are down ("lost"), and it is away until it calls `back` again.
        """

    def publish(self, lane: str, message: bytes) -> None:
        """Bring a message to all nodes that watch a lane.

        Never waits, never raises: what cannot go is counted by `node.dropped`. Not called while the carrier is away.
        """

    def publish_to_all(self, message: bytes) -> None:
        """Bring a message to all nodes, as `publish` does."""

    def send(self, to: bytes, message: bytes) -> bool:
        """Bring a message to the node with this id. Returns whether it knows a way there; never waits, never raises."""

    def watch(self, lanes: Sequence[str]) -> None:
        """Bring from now on what is published on these lanes.

        Answered by `node.watched(self, lanes)`, at once or later, when each node that it reaches is known to have it.
        Called with each new lane, so a carrier tells the lanes of one pass of the scheduler together. Also called while
        it is away. Then it may ignore them: it asks `node.lanes()` when it connects, and calls `back` after that.
        """

    def unwatch(self, lanes: Sequence[str]) -> None:
        """Bring no more of these lanes; they are confirmed by nobody."""

    def covers(self, node_id: bytes) -> bool:
        """Say whether this carrier alone brings what a node publishes: what other carriers bring of it is dropped.

        The answer about a node must not depend on time, or a message could arrive twice. Workers know one another by
        the `group` of their ids; every other carrier returns False.
        """
