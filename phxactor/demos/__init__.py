"""Small programs to watch: `phxactor demo NAME`. See README.md in this folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import attrs

from phxactor.demos import chat, circuit, cluster, escalation, pipeline, pool, rooms


@attrs.frozen
class Demo:
    """One demo."""

    summary: str
    """What the demo shows, in one line."""
    run: Callable[..., None]
    """Runs the demo to its end. If `serves`, it is called with a host and a port."""
    serves: bool = False


DEMOS: Final[Mapping[str, Demo]] = {
    "chat": Demo("a chat in the browser beside its supervision tree; crash your channel", chat.run, serves=True),
    "cluster": Demo("four workers serve one page; kill any, and see the others go on", cluster.run, serves=True),
    "rooms": Demo("four workers share counters; kill or drain one, and see what moves", rooms.run, serves=True),
    "pipeline": Demo("rest_for_one: a stage fails, and those that depend on it start again", pipeline.run),
    "circuit": Demo("links: what the end of one process does to those around it", circuit.run),
    "pool": Demo("workers are lost and replaced, and their jobs given to others", pool.run),
    "escalation": Demo("a supervisor gives up, and so does the one above it", escalation.run),
}
