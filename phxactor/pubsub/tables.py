"""The tables of a PubSub that runs: the topics, and the processes that are subscribed to them.

They live and die with the PubSub's process, in whose dictionary they are found. A subscription ends with its process,
before anybody hears of that end (P14), so nobody broadcasts to the dead. The other way round, a subscriber is as if it
were linked to the PubSub's process: it gets that process's exit signal (Elixir's Registry links them). No link is made
for it, since every channel would pay for one.
"""

from __future__ import annotations

from typing import final

import attrs

from phxactor.pubsub.subscriber import Subscriber
from phxactor.runtime import Pid, disown, own
from phxactor.runtime.signals import link_signal


@attrs.frozen
class PubSubStatistics:
    """A PubSub at one moment."""

    topics: int
    """Topics with at least one subscription."""
    subscriptions: int
    """Subscriptions of all topics; a process that subscribes twice counts twice."""
    subscribers: int
    """Processes with at least one subscription."""


@final
class Tables:
    """Topics are made by the first subscription and go with the last."""

    __slots__ = ("_subscriptions", "topics")

    def __init__(self) -> None:
        self.topics: dict[str, dict[Subscriber, None]] = {}
        """The subscriptions of each topic, oldest first."""
        self._subscriptions: dict[Pid, list[tuple[str, Subscriber]]] = {}

    def statistics(self) -> PubSubStatistics:
        """Count what there is now."""
        return PubSubStatistics(
            topics=len(self.topics),
            subscriptions=sum(map(len, self.topics.values())),
            subscribers=len(self._subscriptions),
        )

    def add(self, topic: str, subscriber: Subscriber) -> None:
        """Enter a subscription, until its process ends."""
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
        """Signal the end of the PubSub's process to the subscribers (X1 to X3)."""
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
