"""The servers that nodes share, as plain values: for the snapshot, and for the panel Nodes by owner."""

from __future__ import annotations

from typing import Final, TypeAlias

from phxactor.observer._picture import Shared
from phxactor.observer._texts import text
from phxactor.runtime import Runtime
from phxactor.sharded import ShardedStatistics, sharded_statistics

ROWS: Final = 200
"""Rows of the panel at most."""

Row: TypeAlias = tuple[str, str | None, str, bool, int | None, int | None, str | None]
"""Name, owner, the end of its id, whether that is this node; and of this node the keys here, the view and the state."""


def shared(runtime: Runtime) -> tuple[Shared, ...]:
    """Return what the snapshot has of them."""
    return tuple(
        Shared(
            name=text(one.name),
            view=one.view,
            owners=tuple(text(owner.name) for owner in one.owners),
            keys=one.keys,
            state=state_of(one),
        )
        for one in sharded_statistics(runtime)
    )


def rows(runtime: Runtime) -> list[Row]:
    """Return a row for each owner of each; this node has one too where it owns no keys."""
    found: list[Row] = []
    for one in sharded_statistics(runtime):
        others = [owner for owner in one.owners if owner != one.me]
        found.append((text(one.name), text(one.me.name), _end(one.me.id), True, one.keys, one.view, state_of(one)))
        found += [(text(one.name), text(owner.name), _end(owner.id), False, None, one.view, None) for owner in others]
    return found[:ROWS]


def state_of(one: ShardedStatistics) -> str:
    """Say what this node does about them."""
    if one.suspended:
        return "suspended"
    if one.view is None:
        return "waits for a view"
    if one.leaving or one.coming:
        return f"hands over: {one.leaving} go, {one.coming} come"
    if one.waits:
        return "waits for members"
    return "runs" if one.me in one.owners else "owns no keys"


def _end(id_: bytes) -> str:
    return id_.hex()[-8:] if any(id_) else ""  # where there is no cluster, nodes have no id
