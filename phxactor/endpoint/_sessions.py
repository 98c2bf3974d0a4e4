"""The long-poll sessions of a running endpoint, by ids that only their clients know.

A request finds a `Session` here, or a `RemoteSession` (`_relay_requests`) if it lives on another node. Both are used in
the same way, which `SessionAccess` shows.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol, cast

import attrs

from phxactor.otp import call
from phxactor.runtime import Exit, Pid, own
from phxactor.transport import GaveUp, Poll, Publish, Settled

if TYPE_CHECKING:
    from phxactor.endpoint._mount import Mount
    from phxactor.net import Flusher

REQUEST_WEIGHT: Final = 16 * 1024
"""Bytes that a waiting publish request counts for, in addition to its body."""
SPARE: Final = 1024 * 1024
"""A session's waiting publish requests may hold the limit for one body plus this many bytes."""
MUCH: Final = 1024
"""A body of more bytes than this waits for a turn before it goes to its session, since decoding may take long."""


class Publication(Protocol):
    """A publish request that its session has room for, or is to be asked for room."""

    @property
    def admit(self) -> Callable[[], Awaitable[HTTPStatus | None]] | None:
        """Asks the session for room before the body is read: returns the status that refuses it, or None for room.

        None if there is room already.
        """

    async def publish(self, body: bytes) -> HTTPStatus:
        """Give the session the body, and return the status for the client."""

    def end(self) -> None:
        """Give the room back; to be called once, also where the client has left."""


class SessionAccess(Protocol):
    """A session, as a request finds it."""

    def new_poll(self) -> Poll:
        """Make a poll for `poll`."""

    async def poll(self, poll: Poll) -> list[bytes] | HTTPStatus:
        """Wait for messages, none after the window; or return the status that the client gets instead."""

    def settle(self, poll: Poll) -> None:
        """Tell the session that the answer has arrived, or that it never will; to be called once."""

    def publication(self, size: int, *, lines: bool) -> Publication | None:
        """Return a publish request with a body of at most `size` bytes; None if the session has no room for it.

        `lines` says whether each line of the body is a message.
        """


@attrs.define(eq=False)
class Session:
    """A long-poll session of this node, as the endpoint sees it."""

    pid: Pid
    mount: Mount
    """The mount that opened the session; requests at other mounts cannot use it."""
    limit: int
    """Bytes that `waiting` may have once there is more than one publish request."""
    flusher: Flusher
    waiting: int = 0
    """Bytes of the session's publish requests that are being read, or that wait for its channels."""

    def new_poll(self) -> Poll:
        """Make a poll for `poll`."""
        return Poll()

    async def poll(self, poll: Poll) -> list[bytes] | HTTPStatus:
        """Wait for messages, none after the window; return 410 if the session ends."""
        try:
            return cast("list[bytes]", await call(self.pid, poll, timeout=None))
        except Exit:
            return HTTPStatus.GONE

    def settle(self, poll: Poll) -> None:
        """Tell the session that the answer has arrived, or that it never will."""
        self.pid.send(Settled(poll))

    def publication(self, size: int, *, lines: bool) -> LocalPublication | None:
        """Reserve room for a publish request of at most `size` bytes; return None if there is none."""
        size += REQUEST_WEIGHT
        if self.waiting and self.waiting + size > self.limit:
            return None
        self.waiting += size
        return LocalPublication(self, size, lines)


@attrs.define(eq=False)
class LocalPublication:
    """A publish request to a session of this node."""

    session: Session
    size: int
    """The bytes that are reserved."""
    lines: bool
    admit: None = None

    async def publish(self, body: bytes) -> HTTPStatus:
        """Give the session the body, and wait until its channels have taken all messages."""
        publish = Publish(body, lines=self.lines)
        if len(body) > MUCH:
            await self.session.flusher.wait_for_turn()
        try:
            taken = await call(self.session.pid, publish, timeout=None)
        except Exit:
            return HTTPStatus.GONE
        except BaseException:
            self.session.pid.send(GaveUp(publish))
            raise
        return HTTPStatus.OK if taken else HTTPStatus.BAD_REQUEST

    def end(self) -> None:
        """Give the room back."""
        self.session.waiting -= self.size


class Sessions:
    """The open sessions of an endpoint."""

    def __init__(self, flusher: Flusher) -> None:
        self._known: dict[str, Session] = {}
        self._flusher = flusher

    def __len__(self) -> int:
        """Count the sessions."""
        return len(self._known)

    def add(self, pid: Pid, mount: Mount, max_body_bytes: int) -> str:
        """Add a session and return its new id; the entry goes when the session's process ends."""
        name = secrets.token_urlsafe(16)
        self._known[name] = Session(pid, mount, max_body_bytes + SPARE, self._flusher)
        own(pid, lambda _: self._forget(name))
        return name

    def find(self, name: object, mount: Mount) -> Session | None:
        """Return the session with this id; None if there is none, or if another mount opened it."""
        session = self._known.get(name) if isinstance(name, str) else None
        return session if session is not None and session.mount is mount else None

    def _forget(self, name: str) -> None:
        self._known.pop(name, None)
