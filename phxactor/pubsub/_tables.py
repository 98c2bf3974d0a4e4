"""The tables of a running PubSub: the topics, and the processes subscribed to them.

The tables are stored in the dictionary of the PubSub's process and end with it. A subscription ends with its process,
before any other process learns of that end (P14), so no broadcast goes to an ended process. When the PubSub's process
ends, each subscriber gets its exit signal, as if they were linked (Elixir's Registry links them). No real link is made,
because each channel would have to pay for it.

In a cluster, the other nodes bring what is broadcast to a topic while some process here has an interest in it: a
subscription, or a hold (`hold`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import attrs

from phxactor.pubsub._subscriber import Subscriber
from phxactor.runtime import Pid, disown, link_signal, own

if TYPE_CHECKING:
    from phxactor.cluster import LocalNode

MAX_TOPIC: Final = 65_535
"""The most bytes of a topic that crosses to other nodes: two bytes for its length."""


@attrs.frozen
class PubSubStatistics:
    """The counts of a PubSub at one moment."""

    topics: int
    """Topics with at least one subscription."""
    subscriptions: int
    """Subscriptions of all topics; a process that subscribes twice counts twice."""
    subscribers: int
    """Processes with at least one subscription."""
    sent: int = 0
    """Messages given to the cluster, for other nodes."""
    received: int = 0
    """Messages of other nodes and emitters that subscribers here got."""


@final
class Tables:
    """The topics and their subscriptions. The first subscription creates a topic; removing the last one deletes it.

    Args:
        scope: the name of the PubSub; that of the same name on other nodes takes what is broadcast here.
        node: this node in its cluster; None without one.

    """

    __slots__ = ("_holds", "_interests", "_subscriptions", "node", "received", "scope", "sent", "topics")

    def __init__(self, scope: str, node: LocalNode | None) -> None:
        self.scope = scope
        self.node = node
        self.topics: dict[str, dict[Subscriber, None]] = {}
        """The subscriptions of each topic, oldest first."""
        self.sent = 0
        self.received = 0
        self._subscriptions: dict[Pid, list[tuple[str, Subscriber]]] = {}
        """The subscriptions of each process, with their topics."""
        self._holds: dict[Pid, list[str]] = {}
        """The topics that each process holds; empty without a cluster."""
        self._interests: dict[str, int] = {}
        """How many subscriptions and holds each topic has; empty without a cluster."""

    def statistics(self) -> PubSubStatistics:
        """Return the current counts."""
        return PubSubStatistics(
            topics=len(self.topics),
            subscriptions=sum(map(len, self.topics.values())),
            subscribers=len(self._subscriptions),
            sent=self.sent,
            received=self.received,
        )

    def add(self, topic: str, subscriber: Subscriber) -> None:
        """Add a subscription. It is removed when its process ends. It takes the place of a hold of that process."""
        owner = subscriber.pid
        self.topics.setdefault(topic, {})[subscriber] = None
        held = None
        if self.node is not None:
            held = self._holds.get(owner)
            if held is None or not self._end_hold(topic, owner, held):
                self._gain(self.node, topic)
        entries = self._subscriptions.get(owner)
        if entries is not None:
            entries.append((topic, subscriber))
            return
        self._subscriptions[owner] = [(topic, subscriber)]
        if held is None:  # else it was owned for that
            own(owner, self._release)

    def has(self, topic: str, owner: Pid) -> bool:
        """Return whether a process is subscribed to a topic."""
        return any(entry[0] == topic for entry in self._subscriptions.get(owner, ()))

    def remove_all(self, topic: str, owner: Pid) -> None:
        """Remove all subscriptions of a process to a topic."""
        entries = self._subscriptions.get(owner, [])
        for entry in [entry for entry in entries if entry[0] == topic]:
            entries.remove(entry)
            self._remove(*entry)
        if not entries and self._subscriptions.pop(owner, None) is not None and owner not in self._holds:
            disown(owner, self._release)

    def hold(self, topic: str, owner: Pid) -> None:
        """Have other nodes bring a topic for as long as a process lives, though it is not subscribed yet."""
        if self.node is None:
            return
        self._gain(self.node, topic)
        held = self._holds.get(owner)
        if held is not None:
            held.append(topic)
            return
        self._holds[owner] = [topic]
        if owner not in self._subscriptions:
            own(owner, self._release)

    def release(self, topic: str, owner: Pid) -> None:
        """End a hold of a process, if it has one."""
        held = self._holds.get(owner)
        if held is not None and self._end_hold(topic, owner, held):
            self._lose(topic)
            if not held and owner not in self._subscriptions:
                disown(owner, self._release)

    def _end_hold(self, topic: str, owner: Pid, held: list[str]) -> bool:
        """Take one hold of a process out of its list. Returns whether it had one."""
        if topic not in held:
            return False
        held.remove(topic)
        if not held:
            del self._holds[owner]
        return True

    def end(self, server: Pid) -> None:
        """Remove all subscriptions, and send the subscribers the exit signal of the PubSub's process (X1 to X3)."""
        subscribers = list(self._subscriptions)
        owners = {*subscribers, *self._holds}
        interests = list(self._interests)
        for table in (self.topics, self._subscriptions, self._holds, self._interests):
            table.clear()
        if self.node is not None:
            for topic in interests:
                self.node.unwatch(self.scope, topic)
        for pid in owners:
            disown(pid, self._release)
        for pid in subscribers:
            link_signal(pid, server, server.exit_reason)

    def _release(self, pid: Pid) -> None:
        for topic, subscriber in self._subscriptions.pop(pid, ()):
            self._remove(topic, subscriber)
        for topic in self._holds.pop(pid, ()):
            self._lose(topic)

    def _remove(self, topic: str, subscriber: Subscriber) -> None:
        table = self.topics[topic]
        del table[subscriber]
        if not table:
            del self.topics[topic]
        if self.node is not None:
            self._lose(topic)

    def _gain(self, node: LocalNode, topic: str) -> None:
        count = self._interests.get(topic, 0)
        self._interests[topic] = count + 1
        if not count and _can_cross(topic):
            node.watch(self.scope, topic)

    def _lose(self, topic: str) -> None:
        count = self._interests[topic] - 1
        if count:
            self._interests[topic] = count
        else:
            del self._interests[topic]
            if self.node is not None:
                self.node.unwatch(self.scope, topic)


def _can_cross(topic: str) -> bool:
    """Say whether a message between nodes has room for a topic, and it is text: no half of a surrogate pair."""
    try:
        return len(topic.encode()) <= MAX_TOPIC
    except UnicodeEncodeError:
        return False
