"""Topics, and the processes that are subscribed to them.

A subscription ends with its process: entries vanish before anybody hears of the end (P14), so nobody broadcasts to
the dead. What a message is, and how it reaches a subscriber, is not known here: a dispatcher may know more about its
subscribers from the metadata that they gave, as channels do to be written to without being woken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import get_ident
from typing import TypeAlias, final

import attrs

from phxactor.otp import ChildSpec
from phxactor.pubsub.server import PubSubServer
from phxactor.runtime import Pid, disown, of_this_thread, own, self_pid, wrong_thread


@final
class Subscriber:
    """One subscription: who, what he gave along, and whom a dispatcher may hand messages to in his place."""

    __slots__ = ("metadata", "pid", "through")

    def __init__(self, pid: Pid, metadata: object, through: Pid) -> None:
        """Keep all three."""
        self.pid = pid
        self.metadata = metadata
        self.through = through


Dispatcher: TypeAlias = Callable[[Iterable[Subscriber], "Pid | None", object], None]
"""Hands a message to subscribers, but for those of the process that is left out: `(subscribers, left_out, message)`."""


@attrs.frozen
class PubSubStatistics:
    """A PubSub at one moment."""

    topics: int
    """Topics with at least one subscription."""
    subscriptions: int
    """Subscriptions of all topics; a process that subscribes twice counts twice."""
    subscribers: int
    """Processes with at least one subscription."""


def to_mailboxes(subscribers: Iterable[Subscriber], left_out: Pid | None, message: object) -> None:
    """Send the message itself to every subscriber: the dispatcher unless another is given."""
    for subscriber in subscribers:
        if subscriber.pid is not left_out:
            subscriber.pid.deliver(message)


class PubSub:
    """The topic tables of one runtime. Topics are made by the first subscription and go with the last.

    They live in the thread of the server, or of whoever subscribes first: in another one, what would change or use them
    raises WrongThreadError.
    """

    def __init__(self, name: str = "pubsub") -> None:
        """Start empty; `name` is for people, as in `socket.pubsub_server`."""
        self.name = name
        self._thread = 0
        self._server: Pid | None = None
        self._topics: dict[str, dict[Subscriber, None]] = {}
        self._subscriptions: dict[Pid, list[tuple[str, Subscriber]]] = {}

    def __repr__(self) -> str:
        """Show the name."""
        return f"<PubSub {self.name}>"

    def child_spec(self) -> ChildSpec:
        """Say how a supervisor starts the process that the tables live with."""
        return ChildSpec(id=self.name, start=(PubSubServer.start_link, (self,), {}))

    def clear(self, server: Pid) -> None:
        """Forget all subscriptions: the tables live with this process from now on."""
        self._live_with(server)
        self._server = server
        for pid in self._subscriptions:
            disown(pid, self._release)
        self._topics.clear()
        self._subscriptions.clear()

    def statistics(self) -> PubSubStatistics:
        """Count what there is now."""
        return PubSubStatistics(
            topics=len(self._topics),
            subscriptions=sum(map(len, self._topics.values())),
            subscribers=len(self._subscriptions),
        )

    def subscribe(
        self, topic: str, metadata: object = None, *, pid: Pid | None = None, through: Pid | None = None
    ) -> None:
        """Subscribe a process, by default the current one; twice means that each message comes twice.

        `metadata` is for dispatchers that know of it, and so is `through`: a process that they may hand messages to in
        its place, by default itself. The one that is given to each broadcast unless another is, `to_mailboxes`, does
        not.
        """
        owner = self_pid() if pid is None else pid
        if owner.thread != self._thread or get_ident() != self._thread:
            self._live_with(owner)
        if through is None:
            through = owner
        elif through.thread != self._thread:
            raise wrong_thread(through)
        subscriber = Subscriber(owner, metadata, through)
        self._topics.setdefault(topic, {})[subscriber] = None
        entries = self._subscriptions.get(owner)
        if entries is None:
            self._subscriptions[owner] = [(topic, subscriber)]
            own(owner, self._release)
        else:
            entries.append((topic, subscriber))

    def unsubscribe(self, topic: str, *, pid: Pid | None = None) -> None:
        """End all subscriptions of a process, by default the current one, to a topic; no error if there are none."""
        owner = self_pid() if pid is None else of_this_thread(pid)
        entries = self._subscriptions.get(owner, [])
        for entry in [entry for entry in entries if entry[0] == topic]:
            entries.remove(entry)
            self._remove(*entry)
        if not entries and self._subscriptions.pop(owner, None) is not None:
            disown(owner, self._release)

    def topics(self) -> list[str]:
        """List the topics that have subscriptions."""
        return list(self._topics)

    def subscribers(self, topic: str) -> list[Subscriber]:
        """List the subscriptions of a topic, oldest first."""
        return list(self._topics.get(topic, ()))

    def broadcast(self, topic: str, message: object, dispatcher: Dispatcher = to_mailboxes) -> None:
        """Hand a message to all who are subscribed to the topic; never waits. Raises WrongThreadError."""
        if get_ident() != self._thread:
            self._check_unused()
        if topic in self._topics:
            dispatcher(list(self._topics[topic]), None, message)

    local_broadcast = broadcast

    def broadcast_from(self, pid: Pid, topic: str, message: object, dispatcher: Dispatcher = to_mailboxes) -> None:
        """Do as `broadcast`, but leave one process out."""
        if get_ident() != self._thread:
            self._check_unused()
        if topic in self._topics:
            dispatcher(list(self._topics[topic]), pid, message)

    def _live_with(self, pid: Pid) -> None:
        """Be in the thread of a process; raises WrongThreadError if that is another one, or the tables are in use."""
        of_this_thread(pid)
        if pid.thread != self._thread:
            self._check_unused()
        self._thread = pid.thread

    def _check_unused(self) -> None:
        """Raise WrongThreadError if they have a server or subscribers, all of which live in another thread."""
        if self._subscriptions or (self._server is not None and self._server.alive):
            raise wrong_thread(self)

    def _release(self, pid: Pid) -> None:
        for topic, subscriber in self._subscriptions.pop(pid, ()):
            self._remove(topic, subscriber)

    def _remove(self, topic: str, subscriber: Subscriber) -> None:
        table = self._topics[topic]
        del table[subscriber]
        if not table:
            del self._topics[topic]
