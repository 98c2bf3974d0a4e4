"""What a running Presence or Tracker holds at one moment, for people who look at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

import attrs

from phxactor.presence._tables import Tables
from phxactor.runtime import Pid

if TYPE_CHECKING:
    from phxactor.presence._element import Element


@attrs.frozen
class PresenceStatistics:
    """The counts of a Presence or Tracker at one moment."""

    processes: int
    """Tracked processes of this node."""
    tracked: int
    """Elements of this node: a process under two keys, or in two topics, counts twice."""
    topics: int
    """Topics in which somebody is online, on any node."""
    online: int
    """Elements that are online, on all nodes."""
    replicas: Mapping[str, str]
    """The trackers of other nodes, by the name of the node: `"up"`, or `"silent"` while nothing is heard of it."""


@attrs.frozen
class TrackedProcess:
    """A process of this node that is tracked under a key of a topic."""

    pid: Pid
    topic: str
    key: str


def statistics_of(tables: Tables) -> PresenceStatistics:
    """Count."""
    known, replication = tables.set, tables.replication
    return PresenceStatistics(
        processes=sum(1 for _ in known.owners()),
        tracked=len(known),
        topics=len(known.online.topics),
        online=sum(topic.count for topic in known.online.topics.values()),
        replicas={} if replication is None else replication.replicas(),
    )


def look(supervisor: Pid, most: int) -> tuple[PresenceStatistics, list[TrackedProcess]] | None:
    """Return the counts of the Presence or Tracker that a process supervises, and at most `most` of who is tracked.

    Returns None if the process is no such supervisor. No process notices.
    """
    tables = None if supervisor.dictionary is None else supervisor.dictionary.get(Tables)
    if not isinstance(tables, Tables):
        return None
    return statistics_of(tables), [
        TrackedProcess(element.owner, element.topic, element.key)
        for element in islice(_own(tables), most)
        if isinstance(element.owner, Pid)
    ]


def present(supervisor: Pid, topic: str, most: int) -> list[tuple[str, int]] | None:
    """Return the keys that are online in a topic, on any node, with the number of their metas: at most `most`.

    Returns None if the process supervises no Presence or Tracker. No process notices.
    """
    tables = None if supervisor.dictionary is None else supervisor.dictionary.get(Tables)
    if not isinstance(tables, Tables):
        return None
    online = tables.set.online.topics.get(topic)
    if online is None:
        return []
    return [(key, len(held) if isinstance(held, dict) else 1) for key, held in islice(online.keys.items(), most)]


def _own(tables: Tables) -> Iterator[Element]:
    for owner in tables.set.owners():
        yield from tables.set.of(owner)
