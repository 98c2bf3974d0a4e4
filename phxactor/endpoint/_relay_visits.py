"""The requests that other nodes have asked this node: the sessions are here, their clients there.

Each of them calls its session as a request of this node would. The node of the client may go, or lose what it said:
if then nobody knows whether messages have arrived, the session ends, as it can neither send them again nor leave them
out.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeAlias, final

import attrs

from phxactor.endpoint._relay_frames import CHUNK, Frame, Verb, join_messages
from phxactor.endpoint._relay_wire import Wire
from phxactor.endpoint._sessions import MUCH, REQUEST_WEIGHT, SPARE, LocalPublication, Session
from phxactor.envelope import EnvelopeError
from phxactor.otp import Call
from phxactor.runtime import Monitor, Shutdown, demonitor, fatal, monitor
from phxactor.transport import GaveUp, Poll, Publish

if TYPE_CHECKING:
    from phxactor.runtime import Reason

RELAY_LOST: Final[Reason] = Shutdown("relay_lost")
"""Exit reason of a session of which nobody knows what its client has got."""

Key: TypeAlias = tuple[bytes, int]
"""The id of the node that asks, and the number that it gave the request."""


@final
@attrs.define(eq=False, kw_only=True)
class VisitingPoll(Poll):
    """A poll whose session is here, and whose client is on another node."""

    key: Key
    session: Session
    wire: Wire
    ref: Monitor
    """Where the session's answer goes."""
    answered: bool = False
    """Whether the messages are on their way to the other node."""

    def hurry(self) -> None:
        """Tell the other node, whose verdict counts."""
        node_id, number = self.key
        self.wire.say(node_id, Frame(Verb.HURRY, number))


@final
@attrs.define(eq=False, kw_only=True)
class VisitingPublication:
    """A publish request whose session is here, and whose client is on another node."""

    key: Key
    session: Session
    room: LocalPublication
    ref: Monitor
    """Where the session's answer goes."""
    parts: list[bytes] = attrs.field(factory=list)
    size: int = 0
    """Bytes of these parts."""
    publish: Publish | None = None
    """The body, once it is whole."""
    handed: bool = False
    """Whether the session has it."""


Visit: TypeAlias = VisitingPoll | VisitingPublication


@final
class Visits:
    """The requests that are not over, by their keys."""

    def __init__(
        self,
        wire: Wire,
        find: Callable[[str, str], Session | None],
        take_turn: Callable[[VisitingPublication], None],
    ) -> None:
        """Serve sessions.

        Args:
            wire: says what there is to say.
            find: returns the session with an id and a path.
            take_turn: has `hand_over` called when it is the turn of a body that may take long.

        """
        self._wire = wire
        self._find = find
        self._take_turn = take_turn
        self._visits: dict[Key, Visit] = {}
        self._by_ref: dict[Monitor, Visit] = {}

    def __len__(self) -> int:
        """Count the requests that are not over."""
        return len(self._visits)

    # ------------------------------------------------------------------------------------ from other nodes

    def take(self, node_id: bytes, frame: Frame) -> None:
        """Handle a frame of the node of a client. Raises EnvelopeError for a number that is used already."""
        key = node_id, frame.number
        if frame.verb in (Verb.POLL, Verb.PUBLISH, Verb.PUBLISH_LINES, Verb.END):
            session = self._find(frame.session, frame.data.decode(errors="replace"))
            if frame.verb is Verb.END:
                self._end(key, session)
            elif key in self._visits:
                raise EnvelopeError("number", f"two requests with the number {frame.number}")
            elif session is None:
                gone = HTTPStatus.NOT_FOUND if frame.verb is Verb.POLL else HTTPStatus.GONE
                self._say(key, Verb.STATUS, gone)
            elif frame.verb is Verb.POLL:
                self._poll(key, session)
            else:
                self._publish(key, session, frame)
            return
        visit = self._visits.get(key)
        if isinstance(visit, VisitingPoll):
            self._take_of_poll(visit, frame)
        elif visit is not None:
            self._take_of_publication(visit, frame)

    def _poll(self, key: Key, session: Session) -> None:
        poll = VisitingPoll(key=key, session=session, wire=self._wire, ref=monitor(session.pid))
        self._add(poll)
        session.pid.send(Call(poll, poll.ref))

    def _take_of_poll(self, poll: VisitingPoll, frame: Frame) -> None:
        if frame.verb is Verb.ARRIVED and poll.answered:
            poll.arrived = True
        elif frame.verb is Verb.SETTLED:
            self._settle(poll, arrived=bool(frame.value))
        elif frame.verb is Verb.UNKNOWN:
            self._break_off(poll)

    def _publish(self, key: Key, session: Session, frame: Frame) -> None:
        if frame.value > session.limit - SPARE:
            self._say(key, Verb.STATUS, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        room = session.publication(frame.value, lines=frame.verb is Verb.PUBLISH_LINES)
        if room is None:
            self._say(key, Verb.STATUS, HTTPStatus.TOO_MANY_REQUESTS)
            return
        self._add(VisitingPublication(key=key, session=session, room=room, ref=monitor(session.pid)))
        if frame.value > CHUNK - REQUEST_WEIGHT:
            self._say(key, Verb.ROOM)

    def _take_of_publication(self, visit: VisitingPublication, frame: Frame) -> None:
        if frame.verb is Verb.GAVE_UP:
            self._give_up(visit)
        elif frame.verb is Verb.BODY and visit.publish is None:
            visit.parts.append(frame.data)
            visit.size += len(frame.data)
            if visit.size > visit.room.size - REQUEST_WEIGHT:
                self._over(visit, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            elif frame.value:
                visit.publish = Publish(b"".join(visit.parts), lines=visit.room.lines)
                visit.parts.clear()
                if visit.size > MUCH:
                    self._take_turn(visit)
                else:
                    self.hand_over(visit)

    def hand_over(self, visit: VisitingPublication) -> None:
        """Give a session the whole body, if the client has not left meanwhile."""
        if self._visits.get(visit.key) is visit and visit.publish is not None:
            visit.handed = True
            visit.session.pid.send(Call(visit.publish, visit.ref))

    def _end(self, key: Key, session: Session | None) -> None:
        """End a session, as a client of it was told that it is gone."""
        visit = self._visits.get(key)
        if visit is not None:
            self._remove(visit)
        if session is not None:
            fatal(session.pid, RELAY_LOST)

    # -------------------------------------------------------------------------------------- from sessions

    def answered(self, ref: object, value: object) -> None:
        """Bring the answer of a session to the node of its client."""
        visit = self._by_ref.get(ref) if isinstance(ref, Monitor) else None
        if isinstance(visit, VisitingPublication):
            self._over(visit, HTTPStatus.OK if value else HTTPStatus.BAD_REQUEST)
        elif visit is not None:
            node_id, number = visit.key
            assert isinstance(value, list)  # noqa: S101 - see `Poll`
            visit.answered = True
            if not value:
                self._remove(visit)
            self._wire.stream(node_id, Verb.ANSWER, number, join_messages(value))

    def ended(self, ref: Monitor) -> None:
        """Tell the node of a client that the session has ended; an answer that is on its way stays so."""
        visit = self._by_ref.get(ref)
        if isinstance(visit, VisitingPoll) and visit.answered:
            self._remove(visit, drop=False)
        elif visit is not None:
            self._over(visit, HTTPStatus.GONE)

    # ----------------------------------------------------------------------------------------------- ends

    def missed(self, node_id: bytes) -> None:
        """Find out what a node has done of which it may have told in vain: it answers `HURRY` in any case."""
        for visit in self._of(node_id):
            if isinstance(visit, VisitingPoll):
                if visit.answered:
                    visit.hurry()
            elif visit.publish is None:
                self._over(visit, HTTPStatus.GONE)
                fatal(visit.session.pid, RELAY_LOST)

    def lost(self, node_id: bytes) -> None:
        """Drop what a node has asked that is gone, or that has forgotten it."""
        for visit in self._of(node_id):
            if isinstance(visit, VisitingPublication):
                self._give_up(visit)
            elif visit.answered:
                self._break_off(visit)
            else:
                self._settle(visit, arrived=False)

    def settle_arrived(self) -> None:
        """Settle the polls whose answers have arrived, without a look at what their clients do next."""
        for visit in list(self._visits.values()):
            if isinstance(visit, VisitingPoll) and visit.arrived:
                self._settle(visit, arrived=True)

    def _settle(self, poll: VisitingPoll, *, arrived: bool) -> None:
        self._remove(poll)
        poll.arrived = arrived
        poll.session.settle(poll)

    def _break_off(self, poll: VisitingPoll) -> None:
        """Settle a poll of whose end nobody will tell: without an acknowledgement, nobody knows what has arrived."""
        if poll.arrived:
            self._settle(poll, arrived=True)
        else:
            self._remove(poll)
            fatal(poll.session.pid, RELAY_LOST)

    def _give_up(self, visit: VisitingPublication) -> None:
        """Drop a publish request whose client has left."""
        self._remove(visit)
        if visit.handed and visit.publish is not None:
            visit.session.pid.send(GaveUp(visit.publish))

    def _over(self, visit: Visit, status: HTTPStatus) -> None:
        """Tell the other node the status for its client."""
        self._remove(visit)
        self._say(visit.key, Verb.STATUS, status)

    def _add(self, visit: Visit) -> None:
        self._visits[visit.key] = visit
        self._by_ref[visit.ref] = visit

    def _remove(self, visit: Visit, *, drop: bool = True) -> None:
        del self._visits[visit.key]
        del self._by_ref[visit.ref]
        demonitor(visit.ref)
        if drop:
            self._wire.drop(*visit.key)
        if isinstance(visit, VisitingPublication):
            visit.room.end()

    def _of(self, node_id: bytes) -> list[Visit]:
        return [visit for visit in self._visits.values() if visit.key[0] == node_id]

    def _say(self, key: Key, verb: Verb, value: int = 0) -> None:
        self._wire.say(key[0], Frame(verb, key[1], value=value))


def without_relay(frame: Frame) -> Frame | None:
    """Return the answer to a frame where no relay runs any more; None if it needs none."""
    if frame.verb is Verb.POLL:
        return Frame(Verb.STATUS, frame.number, value=HTTPStatus.NOT_FOUND)
    if frame.verb in (Verb.PUBLISH, Verb.PUBLISH_LINES):
        return Frame(Verb.STATUS, frame.number, value=HTTPStatus.GONE)
    return Frame(Verb.UNKNOWN, frame.number) if frame.verb is Verb.HURRY else None
