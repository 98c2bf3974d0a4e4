"""A topic that has been joined, as its user sees it."""

from __future__ import annotations

from typing import Self, final

import attrs
import trio

from phxactor.channels import Payload
from phxactor.client._errors import ReplyError
from phxactor.client._membership import Membership
from phxactor.socket import Message


@attrs.frozen
class ChannelStatistics:
    """A channel, in numbers."""

    joined: bool
    joins: int
    """How many there have been: one, and one more after each crash and each lost connection."""
    queued: int
    """Messages that wait to be iterated over."""
    lost: int
    """Messages that were dropped because they were not iterated over."""
    stale: int
    """Messages that were dropped because they were about an older join."""
    awaited: int
    """Replies that are waited for."""


@final
class Channel:
    """A topic that `Socket.join` has joined. It stays joined, over new connections and after crashes, until it is left.

    Iterate over it for what the server pushes and broadcasts. After a gap in which it was not joined comes a message
    with the event `phx_join` and the server's new answer. The iteration ends when we have left or the server has closed
    the channel. It raises `Overflow` where messages were dropped; whoever iterates on gets those that were not.
    """

    def __init__(self, membership: Membership) -> None:
        self._membership = membership

    def __repr__(self) -> str:
        return f"<Channel {self.topic!r}>"

    @property
    def topic(self) -> str:
        """The topic."""
        return self._membership.topic

    @property
    def response(self) -> Payload:
        """What the server answered to the last join."""
        return self._membership.response

    async def push(self, event: str, payload: Payload = None, *, timeout: float | None = None) -> Payload:
        """Send an event, and wait for the reply.

        While the topic is not joined, as between two connections, it waits for that too.

        Args:
            event: its name.
            payload: what JSON can hold, or `bytes`; None stands for `{}`.
            timeout: seconds, for all of it; the socket's unless given.

        Returns:
            The reply's payload.

        Raises:
            ReplyError: its status is not `ok`.
            TimeoutError: there was none in time; says whether it was sent.
            ConnectionLost: the connection was lost after it was sent. Nobody knows if it has arrived.
            ChannelCrashed: the channel crashed before it answered.
            ChannelClosed: it has been left, or closed by the server.
            EncodeError: the payload cannot be written.

        """
        membership = self._membership
        ref = membership.line.next_ref()
        seconds = membership.line.options.timeout if timeout is None else timeout
        sent = False
        with membership.line.patience.move_on_after(seconds):
            connection = await membership.ready()
            with membership.replies.expect(ref) as answer:
                membership.send(connection, event, payload, ref)
                sent = True
                reply = await answer.wait()
            if reply.status != "ok":
                raise ReplyError(self.topic, event, reply.status, reply.payload)
            return reply.payload
        if sent:
            raise TimeoutError(f"{event!r} on {self.topic!r} was not answered within {seconds:g} s")
        raise self._not_sent(event, seconds)

    async def cast(self, event: str, payload: Payload = None, *, timeout: float | None = None) -> None:
        """Send an event, and do not wait for a reply. It gets lost if the connection does at this moment.

        Args:
            event: its name.
            payload: what JSON can hold, or `bytes`; None stands for `{}`.
            timeout: seconds that it may wait for the topic to be joined; the socket's unless given.

        Raises:
            TimeoutError: it was not joined in time, and nothing was sent.
            ChannelClosed: it has been left, or closed by the server.
            EncodeError: the payload cannot be written.

        """
        membership = self._membership
        seconds = membership.line.options.timeout if timeout is None else timeout
        with membership.line.patience.move_on_after(seconds):
            connection = await membership.ready()
            return membership.send(connection, event, payload, membership.line.next_ref())
        raise self._not_sent(event, seconds)

    async def leave(self, *, timeout: float | None = None) -> None:
        """Leave the topic, and wait until the server has answered; it is left in any case.

        Args:
            timeout: seconds to wait; the socket's unless given.

        """
        membership = self._membership
        await membership.leave(membership.line.options.timeout if timeout is None else timeout)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        try:
            return await self._membership.inbox.take()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    def statistics(self) -> ChannelStatistics:
        """Count what there is to count."""
        membership = self._membership
        return ChannelStatistics(
            joined=membership.connection is not None,
            joins=membership.joins,
            queued=len(membership.inbox),
            lost=membership.inbox.lost,
            stale=membership.stale,
            awaited=len(membership.replies),
        )

    def _not_sent(self, event: str, seconds: float) -> TimeoutError:
        membership = self._membership
        why = "too much waited to be written" if membership.connection else f"it was not joined ({membership.error})"
        return TimeoutError(f"{event!r} on {self.topic!r} was not sent within {seconds:g} s: {why}")
