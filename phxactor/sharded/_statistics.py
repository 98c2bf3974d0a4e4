"""What a node knows of the servers that it shares, at one moment, for people who look. No process notices."""

from __future__ import annotations

import attrs

from phxactor.cluster import Node
from phxactor.runtime import Runtime, self_pid
from phxactor.sharded._entry import Phase
from phxactor.sharded._region import Region
from phxactor.sharded._regions import all_of


@attrs.frozen
class ShardedStatistics:
    """A `Sharded` or `Singleton` as this node sees it."""

    name: str
    me: Node
    """This node."""
    view: int | None
    """The number of the present view; None if there is none yet."""
    owners: tuple[Node, ...]
    """The nodes that own keys in that view."""
    keys: int
    """Keys whose servers run on this node."""
    leaving: int
    """Those of them that another node owns, and states that wait for an owner: they are being handed over."""
    coming: int
    """Keys whose states other nodes will hand over to this one."""
    waits: bool
    """Whether this node must not start keys yet: it has no view, or members of it have not said all of the last one."""
    suspended: bool
    """Whether it runs nothing, as it is on the small side of a split (NO24)."""


def sharded_statistics(runtime: Runtime | None = None) -> list[ShardedStatistics]:
    """List what runs in a runtime, by default the current process's, by name."""
    regions = all_of(self_pid().runtime if runtime is None else runtime)
    return [_statistics(one) for _, one in sorted(regions.items()) if one.pid is not None and one.pid.alive]


def _statistics(region: Region) -> ShardedStatistics:
    view, barrier = region.view, region.barrier
    leaving = sum(entry.phase is Phase.MOVING for entry in region.entries.values())
    return ShardedStatistics(
        name=region.name,
        me=region.me,
        view=None if view is None else view.number,
        owners=() if view is None else tuple(view.owners),
        keys=len(region.entries),
        leaving=leaving + len(region.states.waiting),
        coming=len(barrier.expected),
        waits=view is None or not barrier.is_open,
        suspended=region.suspended,
    )
