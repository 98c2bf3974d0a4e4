"""The publisher: tells the clients of this node, and the callbacks of a program, what has changed; topic by topic.

    changed ──▶ pending ──┬─ a small topic: at once, in the step of the change ──┐
                          ├─ a large one: at the end of a window ────────────────┼──▶ (fetch) ──▶ diff ──▶ callbacks
                          └─ an end of a process: in the tracker's next step ────┘

While a diff of a topic is being fetched, all that changes in that topic becomes the next one. Other topics do not wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, final

from phxactor.presence._callbacks import Told
from phxactor.presence._element import Changes, Element, Grouped, grouped
from phxactor.presence._listed import COUNTS, Listed
from phxactor.presence._options import Options, window_of
from phxactor.presence._publication import Publication
from phxactor.socket import Broadcast, Broadcaster, InTurns

if TYPE_CHECKING:
    from phxactor.presence._fetching import Fetching
    from phxactor.presence._online import Online
    from phxactor.pubsub import PubSub
    from phxactor.runtime import Pid, Runtime

BACKLOG: Final = 1000
"""Diffs that may wait for the callbacks."""
FLUSH: Final = "flush"
"""The message to the tracker: there are diffs to send."""


@final
class Publisher:
    """Publishes the changes of one Presence or Tracker on one node."""

    __slots__ = (
        "_blocked",
        "_broadcasters",
        "_dirty",
        "_latest",
        "_online",
        "_options",
        "_publications",
        "_runtime",
        "_turns",
        "callbacks",
        "fetching",
        "missed",
        "tracker",
    )

    def __init__(self, options: Options, online: Online, runtime: Runtime) -> None:
        """Start with nothing to tell."""
        self._options: Final = options
        self._online: Final = online
        self._runtime: Final = runtime
        self._broadcasters: dict[PubSub, Broadcaster] = {}
        """Where diffs go: the PubSub of the options, and those of the endpoints whose channels use it."""
        self._latest: PubSub | None = None
        """The PubSub that was added last, or named again: a channel's is nearly always this one."""
        self._turns: Final = InTurns(runtime, self._all_have_it)
        """What hands the diffs of topics with very many clients to a part of them in each pass."""
        if options.pubsub is not None:
            self.publish_to(options.pubsub)
        self._blocked: set[str] = set()
        """Topics whose next diff is due, while clients still get the last one."""
        self._publications: dict[str, Publication] = {}
        self._dirty: dict[str, None] = {}
        """Topics whose diffs the tracker sends in its next step."""
        self.tracker: Pid | None = None
        """The tracker's process: it gets `FLUSH` when something is dirty."""
        self.fetching: Fetching | None = None
        """What runs `fetch`; None for a class without one."""
        self.callbacks: Pid | None = None
        """The process that runs the other callbacks; None for a class without any."""
        self.missed = False
        """Whether that process was too far behind to be told more: then it looks itself, once it has caught up."""

    def publish_to(self, pubsub: PubSub) -> None:
        """Send diffs to the subscribers of a PubSub, too."""
        if pubsub is not self._latest:
            self._latest = pubsub
            self._broadcasters.setdefault(pubsub, Broadcaster(pubsub))

    # ---------------------------------------------------------------------------------------------- changes

    def changed(
        self,
        name: str,
        joins: Sequence[Element],
        leaves: Sequence[Element],
        *,
        now: bool = True,
        returns: bool = False,
    ) -> None:
        """Tell of a change in one topic: at once, or when its time comes.

        Without `now` it goes out in the tracker's next step. With `returns`, those who leave may come back: the leaves
        of keys that have gone are held for the grace of the options.
        """
        publication = self._publications.get(name)
        if publication is None:
            publication = self._publications[name] = Publication(self._options.max_listed)
        if publication.held and joins:
            leaves = [*leaves, *publication.held.release(joins)]
        if returns and leaves and self._options.grace is not None:
            leaves = self._hold(name, publication, leaves, self._options.grace)
            if not (joins or leaves):
                return
        if publication.waits:
            publication.pending.add(joins, leaves)
            return
        topic = self._online.topics.get(name)
        window = 0.0 if topic is None else window_of(topic.count)
        if window:
            due = publication.last + window
            if due > self._runtime.now():
                publication.pending.add(joins, leaves)
                publication.waits = True
                publication.timer = self._runtime.timers.add_at(due, self._soon, name)
                return
        if not now:
            publication.pending.add(joins, leaves)
            publication.waits = True
            self._soon(name)
        elif publication.pending or publication.fetched is not None or self._turns.is_busy(name):
            publication.pending.add(joins, leaves)
            self._flush(name, publication)
        else:  # the usual case: this change alone is the diff
            self._tell(name, publication, Changes([*joins], [*leaves]))
            if topic is None:
                self._forget(name, publication)

    def _hold(self, name: str, publication: Publication, leaves: Sequence[Element], grace: float) -> list[Element]:
        """Hold the leaves of keys that have gone; return the others."""
        topic = self._online.topics.get(name)
        others: list[Element] = []
        until = self._runtime.now() + grace
        for element in leaves:
            if topic is not None and element.key in topic.keys:
                others.append(element)
            else:
                publication.held.hold(element, until)
        if publication.held and publication.ending is None:
            publication.ending = self._runtime.timers.add_at(until, self._end_grace, name)
        return others

    def _end_grace(self, name: str) -> None:
        publication = self._publications[name]
        publication.ending = None
        leaves = publication.held.due(self._runtime.now())
        if publication.held:
            publication.ending = self._runtime.timers.add_at(publication.held.next_due(), self._end_grace, name)
        if leaves:
            self.changed(name, (), leaves, now=False)

    def _soon(self, name: str) -> None:
        if not self._dirty and self.tracker is not None:
            self.tracker.deliver(FLUSH)
        self._dirty[name] = None

    def flush(self) -> None:
        """Send the diffs that are due, in the tracker's step."""
        dirty, self._dirty = self._dirty, {}
        for name in dirty:
            publication = self._publications.get(name)
            if publication is not None:
                publication.waits = False
                self._flush(name, publication)

    def _flush(self, name: str, publication: Publication) -> None:
        """Send what is pending, unless a diff of this topic is still on its way."""
        if publication.fetched is not None or self._turns.is_busy(name):
            if publication.fetched is None:
                self._blocked.add(name)
            publication.waits = True
            return
        if publication.pending:
            changes = publication.pending.take()
            if changes:
                self._tell(name, publication, changes)
        if name not in self._online.topics:
            self._forget(name, publication)

    def _forget(self, name: str, publication: Publication) -> None:
        if not publication.waits and publication.rests():
            self._publications.pop(name, None)

    def _tell(self, name: str, publication: Publication, changes: Changes) -> None:
        publication.encoded = publication.parts = None
        publication.last = self._runtime.now()
        shown = changes
        if publication.listed is not None:
            topic = self._online.topics.get(name)
            shown = publication.listed.take(changes, topic)
            if publication.listed.count_of(topic) != publication.listed.counted:
                self._count(name, publication.listed)
        if self.fetching is None or not shown:
            self._send(name, changes, grouped(shown.joins), grouped(shown.leaves))
        else:
            publication.fetched = fetched = (changes, shown)
            publication.waits = True
            self.fetching.start(name, shown, partial(self._fetched, name, publication, fetched))

    def _fetched(
        self, name: str, publication: Publication, fetched: tuple[Changes, Changes], joins: Grouped, leaves: Grouped
    ) -> None:
        if publication.fetched is fetched:
            publication.fetched = None
            publication.waits = False
            self._send(name, fetched[0], joins, leaves)
            self._flush(name, publication)

    def _count(self, name: str, listed: Listed) -> None:
        """Tell clients how many are present, at once or when the last count is old enough."""
        if listed.timer is None:
            due = listed.last + COUNTS
            if due > self._runtime.now():
                listed.timer = self._runtime.timers.add_at(due, self._count_due, name)
            else:
                self._send_count(name, listed)

    def _count_due(self, name: str) -> None:
        publication = self._publications.get(name)
        if publication is not None and publication.listed is not None:
            publication.listed.timer = None
            self._send_count(name, publication.listed)
            self._flush(name, publication)

    def _send_count(self, name: str, listed: Listed) -> None:
        topic = self._online.topics.get(name)
        count = listed.count_of(topic)
        if count != listed.counted:
            listed.counted, listed.last = count, self._runtime.now()
            self._broadcast(name, self._options.count_event, {"count": 0 if topic is None else len(topic.keys)})

    def _send(self, name: str, changes: Changes, joins: Grouped, leaves: Grouped) -> None:
        if joins or leaves or self._options.max_listed is None:
            self._broadcast(name, self._options.diff_event, {"joins": joins, "leaves": leaves})
        if self.callbacks is None or self.missed:
            return
        if len(self.callbacks.mailbox) < BACKLOG:
            self.callbacks.deliver(Told(name, changes.joins, changes.leaves, joins, leaves))
        else:
            self.missed = True

    def _broadcast(self, name: str, event: str, payload: object) -> None:
        """Send an event to the clients: to some at once, if there are very many, and to the others in later passes."""
        for broadcaster in self._broadcasters.values():
            if broadcaster.pubsub.runs():
                broadcaster.pubsub.local_broadcast(name, Broadcast(name, event, payload), self._turns)

    def _all_have_it(self, name: str) -> None:
        """Send the next diff of a topic, if it was due before all had the last one."""
        if name in self._blocked:
            self._blocked.discard(name)
            self._soon(name)

    # ------------------------------------------------------------------------------------------------ reading

    def read(self, name: str) -> None:
        """Note that somebody has read the present list of a topic."""
        publication = self._publications.get(name)
        if publication is not None:
            publication.pending.read()

    def told(self, name: str) -> Publication | None:
        """Return the publication of a topic, for a client that reads; None if nobody is there."""
        publication = self._publications.get(name)
        if publication is None and name in self._online.topics:
            publication = self._publications[name] = Publication(self._options.max_listed)
        return publication

    def flush_topic(self, name: str, publication: Publication) -> None:
        """Send what is pending of one topic now, as a client is about to read it (PR45a)."""
        self._flush(name, publication)

    # -------------------------------------------------------------------------------------------- life and end

    def end(self) -> None:
        """Send nothing more: the tables end."""
        self._turns.stop()
        for publication in self._publications.values():
            for timer in publication.timers():
                self._runtime.timers.discard(timer)

    def tracker_starts(self, tracker: Pid) -> None:
        """Go on with a new tracker's process: send what the last one may have left behind."""
        self.tracker = tracker
        self._dirty.clear()
        for name, publication in list(self._publications.items()):
            publication.waits = False
            if publication.fetched is not None:
                _, shown = fetched = publication.fetched
                self._fetched(name, publication, fetched, grouped(shown.joins), grouped(shown.leaves))
            else:
                self._flush(name, publication)
