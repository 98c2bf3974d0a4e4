"""The requests that this node has asked other nodes: their clients are here, their sessions there.

    a poll            POLL ──▶ ◀── ANSWER, in parts ── the client gets them ── ARRIVED ──▶ SETTLED ──▶
    a publish request PUBLISH ──▶ ◀── ROOM, if its body may be large ── BODY, in parts ──▶ ◀── STATUS

Where a frame may be lost, nobody waits for it. A poll without an answer is answered with nothing: the client polls
again, and the session has kept the messages. A publish request without an answer may have been taken or not: the client
is told that the session is gone, and so is the session.
"""

from __future__ import annotations

import itertools
import secrets
from http import HTTPStatus
from typing import Final, TypeAlias, final

from phxactor.endpoint._relay_frames import Frame, Verb, split_messages
from phxactor.endpoint._relay_requests import RemotePoll, RemotePublication
from phxactor.endpoint._relay_wire import Wire
from phxactor.envelope import EnvelopeError
from phxactor.runtime import From

MOST: Final = 16_384
"""Requests of clients of this node that may wait for other nodes."""
Request: TypeAlias = RemotePoll | RemotePublication


@final
class Asked:
    """The requests that are not over, by their numbers."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._requests: dict[int, Request] = {}
        self._numbers = itertools.count(secrets.randbits(62))  # no number of an earlier life

    def __len__(self) -> int:
        """Count the requests that are not over."""
        return len(self._requests)

    # ------------------------------------------------------------------------------------- from this node

    def poll(self, poll: RemotePoll, from_: From) -> bool:
        """Ask for the messages of a session. Return False if there is no way to its node: then nothing was done."""
        session = poll.session
        if len(self._requests) >= MOST:
            from_.reply(HTTPStatus.INTERNAL_SERVER_ERROR)  # with this status phoenix.js tries again later
        elif self._ask(poll, Frame(Verb.POLL, next(self._numbers), session.name, data=session.path.encode())):
            poll.from_ = from_
        else:
            return False
        return True

    def publish(self, publication: RemotePublication, from_: From) -> bool:
        """Ask for room; or bring the body of a publish request, with the first call or the second.

        Return False if there is no way to the node of the session: then nothing was done.
        """
        if publication.status is None and publication.number == 0:
            if len(self._requests) >= MOST:
                publication.status = HTTPStatus.TOO_MANY_REQUESTS
            elif not self._announce(publication):
                return False
        if publication.status is not None:
            from_.reply(publication.status)
            return True
        publication.from_ = from_
        if publication.body is not None:
            self._wire.stream(publication.session.node_id, Verb.BODY, publication.number, publication.body)
            publication.body = None
        return True

    def _announce(self, publication: RemotePublication) -> bool:
        verb = Verb.PUBLISH_LINES if publication.lines else Verb.PUBLISH
        session = publication.session
        frame = Frame(verb, next(self._numbers), session.name, publication.size, session.path.encode())
        return self._ask(publication, frame)

    def _ask(self, request: Request, frame: Frame) -> bool:
        if not self._wire.say(request.session.node_id, frame):
            return False
        request.number = frame.number
        self._requests[frame.number] = request
        return True

    def acknowledged(self, poll: RemotePoll) -> None:
        """Tell the session's node that the answer to a poll has come as far as the client's system."""
        if poll.number in self._requests:
            self._say(poll, Verb.ARRIVED)

    def settled(self, poll: RemotePoll) -> None:
        """Tell the session's node how a poll has ended."""
        if self._requests.pop(poll.number, None) is not None:
            self._say(poll, Verb.SETTLED, int(poll.arrived))

    def ended(self, publication: RemotePublication) -> None:
        """Drop a publish request; if it is not answered, its client has left."""
        if self._requests.pop(publication.number, None) is not None:
            self._wire.drop(publication.session.node_id, publication.number)
            self._say(publication, Verb.GAVE_UP)

    def end_waiting_polls(self) -> None:
        """Answer all polls that wait with nothing, as this node lets its clients go; their sessions live on."""
        for request in [one for one in self._requests.values() if isinstance(one, RemotePoll)]:
            if request.from_ is not None:
                self._answer_with_nothing(request)

    # ------------------------------------------------------------------------------------ from other nodes

    def take(self, node_id: bytes, frame: Frame) -> None:
        """Handle a frame of the node of a session. Raises EnvelopeError for an answer that is none."""
        request = self._requests.get(frame.number)
        if request is not None and request.session.node_id != node_id:
            request = None
        if frame.verb is Verb.HURRY:
            if isinstance(request, RemotePoll):
                request.hurry()
            else:
                self._wire.say(node_id, Frame(Verb.UNKNOWN, frame.number))
        elif request is None:
            if frame.verb is Verb.ANSWER and frame.value:  # its poll was given up before the answer was here
                self._wire.say(node_id, Frame(Verb.SETTLED, frame.number))
        elif isinstance(request, RemotePoll):
            if frame.verb is Verb.ANSWER:
                self._answered(request, frame)
            elif frame.verb is Verb.STATUS:
                self._over(request, _status(frame))
        elif frame.verb is Verb.ROOM and request.from_ is not None:
            request.from_.reply(HTTPStatus.CONTINUE)
            request.from_ = None
        elif frame.verb is Verb.STATUS:
            self._over(request, _status(frame))

    def _answered(self, poll: RemotePoll, frame: Frame) -> None:
        if poll.from_ is None:
            return
        poll.joined.append(frame.data)
        poll.size += len(frame.data)
        if poll.size > poll.session.most:
            self._fail(poll)
            raise EnvelopeError("size", f"an answer has at most {poll.session.most} bytes")
        if not frame.value:
            return
        try:
            messages = split_messages(b"".join(poll.joined))
        except EnvelopeError:
            self._fail(poll)
            raise
        poll.joined.clear()
        if not messages:
            del self._requests[poll.number]  # nothing is to be settled
        from_, poll.from_ = poll.from_, None
        from_.reply(messages)

    def missed(self, node_id: bytes) -> int:
        """Wait no more for a node that has lost requests, or whose answers are lost; return for how many one waited."""
        count = 0
        for request in [one for one in self._requests.values() if one.session.node_id == node_id]:
            if isinstance(request, RemotePublication):
                self._fail(request)
            elif request.from_ is None:
                request.hurry()
                continue
            else:
                self._answer_with_nothing(request)
            count += 1
        return count

    def lost(self, node_id: bytes, *, unsure: bool) -> int:
        """Answer all that wait for a node that is down; return how many.

        If one is `unsure` whether it is gone, clients poll again: their sessions may go on.
        """
        waiting = [
            one
            for one in self._requests.values()
            if one.session.node_id == node_id and not (isinstance(one, RemotePoll) and one.from_ is None)
        ]
        for request in waiting:
            if unsure and isinstance(request, RemotePoll):
                self._answer_with_nothing(request)
            else:
                self._over(request, HTTPStatus.GONE)
        return len(waiting)

    # ----------------------------------------------------------------------------------------------- ends

    def _answer_with_nothing(self, poll: RemotePoll) -> None:
        """Let the client poll again; what the session may have answered is not delivered."""
        del self._requests[poll.number]
        self._say(poll, Verb.SETTLED)
        if poll.from_ is not None:
            poll.from_.reply([])

    def _fail(self, request: Request) -> None:
        """Tell both the client and the session's node that the session is gone."""
        self._over(request, HTTPStatus.GONE)
        session = request.session
        self._wire.say(session.node_id, Frame(Verb.END, request.number, session.name, data=session.path.encode()))

    def _over(self, request: Request, status: HTTPStatus) -> None:
        """Answer a request with a status; its last."""
        del self._requests[request.number]
        if isinstance(request, RemotePublication):
            self._wire.drop(request.session.node_id, request.number)
            request.status = status
        from_, request.from_ = request.from_, None
        if from_ is not None:
            from_.reply(status)

    def _say(self, request: Request, verb: Verb, value: int = 0) -> None:
        self._wire.say(request.session.node_id, Frame(verb, request.number, value=value))


def _status(frame: Frame) -> HTTPStatus:
    try:
        return HTTPStatus(frame.value)
    except ValueError:
        raise EnvelopeError("number", f"no status: {frame.value}") from None
