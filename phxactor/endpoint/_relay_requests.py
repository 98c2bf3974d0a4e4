"""Requests to a session of another node, as the processes of their connections use them: by calls to the relay."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, cast, final

import attrs

from phxactor.endpoint._relay_frames import CHUNK
from phxactor.endpoint._sessions import REQUEST_WEIGHT
from phxactor.otp import call
from phxactor.runtime import Exit, From, Pid
from phxactor.transport import Poll, Settled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@attrs.frozen(eq=False)
class RemoteSession:
    """A session of another node; see `SessionAccess`."""

    relay: Pid
    """The process of this node's relay."""
    node_id: bytes
    name: str
    path: str
    """The path of its requests: a session of another path does not take them."""
    most: int
    """Bytes that an answer can have."""

    def new_poll(self) -> RemotePoll:
        """Make a poll for `poll`."""
        return RemotePoll(session=self)

    async def poll(self, poll: Poll) -> list[bytes] | HTTPStatus:
        """Wait for messages, none after the window; or return the status for the client.

        404: its node is not there, or has no such session.
        """
        try:
            return cast("list[bytes] | HTTPStatus", await call(self.relay, poll, timeout=None))
        except Exit:  # the relay ends
            return HTTPStatus.GONE

    def settle(self, poll: Poll) -> None:
        """Tell the session that the answer has arrived, or that it never will."""
        self.relay.send(Settled(poll))

    def publication(self, size: int, *, lines: bool) -> RemotePublication:
        """Return a publish request, for which the session is asked for room."""
        return RemotePublication(self, size, lines)


@final
@attrs.define(eq=False, kw_only=True)
class RemotePoll(Poll):
    """A poll whose client is here, and whose session is on another node. It is a request to the relay."""

    session: RemoteSession
    number: int = 0
    """The number of the request; 0 until the relay has taken it."""
    from_: From | None = None
    """Where the messages go; None once they have."""
    joined: list[bytes] = attrs.field(factory=list)
    """The parts of the answer that have come."""
    size: int = 0
    """Bytes of these parts."""

    def acknowledge(self) -> None:
        """Note that the client's system has acknowledged the whole answer, and have the session's node told."""
        self.arrived = True
        self.session.relay.send(Acknowledged(self))


@final
@attrs.frozen(eq=False)
class Acknowledged:
    """A message to the relay: a client's system has acknowledged the whole answer to a poll."""

    poll: RemotePoll


@final
@attrs.define(eq=False)
class RemotePublication:
    """A publish request whose client is here, and whose session is on another node. It is a request to the relay.

    The first call asks for room if the body may be large, the second brings the body. Without room the session's node
    refuses a small body when it comes.
    """

    session: RemoteSession
    size: int
    """The most bytes that the body can have."""
    lines: bool
    number: int = 0
    """The number of the request; 0 until the relay has taken it."""
    from_: From | None = None
    """Where the answer to the current call goes; None while there is none."""
    status: HTTPStatus | None = None
    """What the client is answered, once it is known."""
    body: bytes | None = attrs.field(default=None, repr=False)

    @property
    def admit(self) -> Callable[[], Awaitable[HTTPStatus | None]] | None:
        """Asks the session for room before the body is read; None for a small body."""
        return None if self.size <= CHUNK - REQUEST_WEIGHT else self._ask

    async def _ask(self) -> HTTPStatus | None:
        status = await self._call()
        return None if status is HTTPStatus.CONTINUE else status

    async def publish(self, body: bytes) -> HTTPStatus:
        """Give the session the body, and wait until its channels have taken all messages."""
        self.body = body
        return await self._call()

    async def _call(self) -> HTTPStatus:
        try:
            return cast("HTTPStatus", await call(self.session.relay, self, timeout=None))
        except Exit:  # the relay ends
            return HTTPStatus.GONE

    def end(self) -> None:
        """Give the room back."""
        self.session.relay.send(Ended(self))


@final
@attrs.frozen(eq=False)
class Ended:
    """A message to the relay: a publish request is answered, or its client has left."""

    publication: RemotePublication
