"""The tables of a running Presence or Tracker, which any process of the runtime changes directly.

They stand in the dictionary of its supervisor, so they outlive the tracker's process and that of the callbacks: when
one of these is killed, nobody is lost (PR30). When the supervisor itself ends, each tracked process gets an exit signal
from it, so that nobody lives on without being present. An element goes with its process, before any other process hears
of that end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, final

import attrs

from phxactor.cluster import LocalNode, Node
from phxactor.envelope import EnvelopeError, Kind, Message
from phxactor.otp import Error, Ok
from phxactor.presence import events
from phxactor.presence._element import Element, Meta
from phxactor.presence._fetching import Fetching
from phxactor.presence._guard import Guard
from phxactor.presence._metas import PREVIOUS, REF, Refs, meta_of, size_of, updated
from phxactor.presence._options import Options
from phxactor.presence._publisher import Publisher
from phxactor.presence._replication import Replication, replica_of
from phxactor.presence._set import PresenceSet
from phxactor.presence._states import States
from phxactor.presence._wire import WireError
from phxactor.runtime import Pid, Runtime, disown, link_signal, own
from phxactor.socket import RateLimit

if TYPE_CHECKING:
    from phxactor.presence._tracking import Tracking


@final
class Tables:
    """Who is tracked, here and on other nodes; and what makes diffs of it."""

    __slots__ = (
        "_rates",
        "_refs",
        "_runtime",
        "_warned",
        "options",
        "program",
        "publisher",
        "replication",
        "set",
        "states",
    )

    def __init__(self, program: Tracking, options: Options, runtime: Runtime, life: int) -> None:
        """Start empty. `program` is an instance of the program's class, for its callbacks."""
        node = LocalNode.found(runtime)
        self.program: Final = program
        self.options: Final = options
        self.set: Final = PresenceSet(replica_of(b"" if node is None else node.id, life))
        self.publisher: Final = Publisher(options, self.set.online, runtime)
        self.states: Final = States(self.set.online, self.publisher)
        self.replication = None if node is None else Replication(options.name, self.set, self.publisher, node, life)
        """What keeps the set equal on all nodes; None if this is the only one."""
        if node is not None:
            node.handle(Kind.PRESENCE, Receiving(runtime))
        if program.fetches:
            self.publisher.fetching = Fetching(program.fetch, Guard(options.name))
        self._runtime: Final = runtime
        self._refs: Final = Refs()
        self._rates: dict[Pid, RateLimit] = {}
        self._warned = False

    # ---------------------------------------------------------------------------------------------- tracking

    def track(self, pid: Pid, topic: str, key: str, given: object) -> Ok[str] | Error:
        """Track a process under a key of a topic (PR1, PR2, PR16)."""
        meta = meta_of(given)
        if self.set.find(pid, topic, key) is not None:
            return self._refuse(topic, key, "already_tracked", Error(("already_tracked", pid, topic, key)))
        if not pid.alive:
            return self._refuse(topic, key, "noproc", Error("noproc"))
        if (refusal := self._too_large(topic, key, meta)) is not None:
            return refusal
        ref = meta[REF] = self._refs()
        if not self.set.of(pid):
            own(pid, self._release)
        element = self.set.join(pid, topic, key, meta)
        self._changed(topic, (element,), ())
        return Ok(ref)

    def update(self, pid: Pid, topic: str, key: str, given: object) -> Ok[str] | Error:
        """Replace a meta (PR7 to PR12). A function gets a copy of the present one, and returns the next one."""
        old = self.set.find(pid, topic, key)
        if old is None:
            return self._refuse(topic, key, "nopresence", Error("nopresence"))
        if not self._may_update(pid):
            return self._refuse(topic, key, "too_many_updates", Error("too_many_updates"))
        meta = meta_of(updated(given, old.meta) if callable(given) else given)
        if self.set.find(pid, topic, key) is not old:  # the function has changed it itself
            return self.update(pid, topic, key, meta)
        if (refusal := self._too_large(topic, key, meta)) is not None:
            return refusal
        ref = meta[REF] = self._refs()
        meta[PREVIOUS] = old.meta[REF]
        element = self.set.replace(old, meta)
        self._changed(topic, (element,), (old,))
        return Ok(ref)

    def untrack(self, pid: Pid, topic: str, key: str) -> None:
        """Remove an element; it is no error if there is none (PR13)."""
        element = self.set.find(pid, topic, key)
        if element is not None:
            self.set.leave(element)
            if not self.set.of(pid):
                self._forget(pid)
            self._changed(topic, (), (element,))

    def untrack_all(self, pid: Pid) -> None:
        """Remove all elements of a process: one diff for each topic (PR14)."""
        gone = self.set.drop(pid)
        if gone:
            self._forget(pid)
            self._left(gone, now=True)

    def _may_update(self, pid: Pid) -> bool:
        most = self.options.max_updates_per_second
        if most is None:
            return True
        rate = self._rates.get(pid)
        if rate is None:
            rate = self._rates[pid] = RateLimit(most)
        return rate.take(self._runtime.now())

    def _too_large(self, topic: str, key: str, meta: Meta) -> Error | None:
        size, limit = size_of(key, meta), self.options.max_meta_bytes
        if size <= limit:
            return None
        if not self._warned:
            self._warned = True
            if events.large_meta.handlers:
                events.large_meta.emit(presence=self.options.name, topic=topic, key=key, bytes=size, limit=limit)
        return self._refuse(topic, key, "too_large", Error(("too_large", size, limit)))

    def _refuse(self, topic: str, key: str, reason: str, error: Error) -> Error:
        if events.refused.handlers:
            events.refused.emit(presence=self.options.name, topic=topic, key=key, reason=reason)
        return error

    # -------------------------------------------------------------------------------------------------- ends

    def _release(self, pid: Pid) -> None:
        """Remove a process that ends (PR15). It runs within that end, so the tracker sends the diffs."""
        self._rates.pop(pid, None)
        self._left(self.set.drop(pid), now=False, returns=True)

    def _forget(self, pid: Pid) -> None:
        self._rates.pop(pid, None)
        disown(pid, self._release)

    def _left(self, gone: list[Element], *, now: bool, returns: bool = False) -> None:
        if len(gone) == 1:
            self._changed(gone[0].topic, (), gone, now=now, returns=returns)
            return
        topics: dict[str, list[Element]] = {}
        for element in gone:
            topics.setdefault(element.topic, []).append(element)
        for topic, elements in topics.items():
            self._changed(topic, (), elements, now=now, returns=returns)

    def _changed(
        self,
        topic: str,
        joins: Sequence[Element],
        leaves: Sequence[Element],
        *,
        now: bool = True,
        returns: bool = False,
    ) -> None:
        """Tell the clients here, and the other nodes."""
        if self.replication is not None:
            self.replication.changed()
        self.publisher.changed(topic, joins, leaves, now=now, returns=returns)

    @staticmethod
    def found(name: str, runtime: Runtime) -> Tables | None:
        """Return the tables of the Presence or Tracker with a name; None if it does not run."""
        supervisor = runtime.names.whereis(name)
        if supervisor is None or supervisor.dictionary is None:
            return None
        tables = supervisor.dictionary.get(Tables)
        return tables if isinstance(tables, Tables) else None

    def end(self, supervisor: Pid) -> None:
        """Send all tracked processes the exit signal of the supervisor, which is ending, as if they were linked."""
        self.publisher.end()
        if self.replication is not None:
            self.replication.end()
        owners = [pid for pid in self.set.owners() if isinstance(pid, Pid)]
        for pid in owners:
            disown(pid, self._release)
        for pid in owners:
            link_signal(pid, supervisor, supervisor.exit_reason)


@final
@attrs.frozen
class Receiving:
    """Hands messages of other nodes to the tables that they are for. A runtime has one such handler: all are equal."""

    runtime: Runtime

    def __call__(self, sender: Node | None, message: Message) -> None:
        """Take a message; one of a node that is not up, or for a Presence that does not run here, is ignored.

        Raises EnvelopeError for one that is wrong: the node counts it.
        """
        tables = Tables.found(message.topic, self.runtime)
        if sender is not None and tables is not None and tables.replication is not None:
            try:
                tables.replication.received(sender, message)
            except WireError as error:
                raise EnvelopeError("json", str(error)) from None
