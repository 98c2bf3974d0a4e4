"""The tables of a running PubSub: the topics, and the processes subscribed to them.

The tables are stored in the dictionary of the PubSub's process and end with it. A subscription ends with its process,
before any other process learns of that end (P14), so no broadcast goes to an ended process. When the PubSub's process
ends, each subscriber gets its exit signal, as if they were linked (Elixir's Registry links them). No real link is made,
because each channel would have to pay for it.
"""

from __future__ import annotations

from typing import final

import attrs

from phxactor.pubsub._subscriber import Subscriber
from phxactor.runtime import Pid, disown, link_signal, own


@attrs.frozen
class PubSubStatistics:
    """The counts of a PubSub at one moment."""

    topics: int
    """Topics with at least one subscription."""
    subscriptions: int
    """Subscriptions of all topics; a process that subscribes twice counts twice."""
    subscribers: int
    """Processes with at least one subscription."""


@final
class Tables:
    """The topics and their subscriptions. The first subscription creates a topic; removing the last one deletes it."""

    __slots__ = ("_subscriptions", "topics")

    def __init__(self) -> None:
        self.topics: dict[str, dict[Subscriber, None]] = {}
        """The subscriptions of each topic, oldest first."""
        self._subscriptions: dict[Pid, list[tuple[str, Subscriber]]] = {}
        """The subscriptions of each process, with their topics."""

    def statistics(self) -> PubSubStatistics:
        """Return the current counts."""
        return PubSubStatistics(
            topics=len(self.topics),
            subscriptions=sum(map(len, self.topics.values())),
            subscribers=len(self._subscriptions),
        )

    def add(self, topic: str, subscriber: Subscriber) -> None:
        """Add a subscription. It is removed when its process ends."""
        owner = subscriber.pid
        self.topics.setdefault(topic, {})[subscriber] = None
        entries = self._subscriptions.get(owner)
        if entries is None:
            self._subscriptions[owner] = [(topic, subscriber)]
            own(owner, self._release)
        else:
            entries.append((topic, subscriber))

    def remove_all(self, topic: str, owner: Pid) -> None:
        """Remove all subscriptions of a process to a topic."""
        entries = self._subscriptions.get(owner, [])
        for entry in [entry for entry in entries if entry[0] == topic]:
            entries.remove(entry)
            self._remove(*entry)
        if not entries and self._subscriptions.pop(owner, None) is not None:
            disown(owner, self._release)

    def end(self, server: Pid) -> None:
        """Remove all subscriptions, and send the subscribers the exit signal of the PubSub's process (X1 to X3)."""
        subscribers = list(self._subscriptions)
        self.topics.clear()
        self._subscriptions.clear()
        for pid in subscribers:
            disown(pid, self._release)
        for pid in subscribers:
            link_signal(pid, server, server.exit_reason)

    def _release(self, pid: Pid) -> None:
        for topic, subscriber in self._subscriptions.pop(pid, ()):
            self._remove(topic, subscriber)

    def _remove(self, topic: str, subscriber: Subscriber) -> None:
        table = self.topics[topic]
        del table[subscriber]
        if not table:
            del self.topics[topic]
