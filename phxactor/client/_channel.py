"""The public class of a joined topic."""

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
    """The counts of a channel at one moment."""

    joined: bool
    joins: int
    """Successful joins so far: the first, and one more after each crash and each lost connection."""
    queued: int
    """Messages that the iteration has not taken yet."""
    lost: int
    """Messages dropped because the inbox was full."""
    stale: int
    """Messages dropped because they belong to an earlier join."""
    awaited: int
    """Replies that tasks are waiting for."""


@final
class Channel:
    """A topic that `Socket.join` has joined. It is joined again after crashes and lost connections, until it is left.

    Iterate over it for the server's pushes and broadcasts (`Message`). After each later join, the iteration yields a
    message with the event `phx_join` and the server's new answer as payload. The iteration ends when the client has
    left or the server has closed the channel. It raises `Overflow` where messages were dropped, and can go on then.
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
        """The payload of the server's answer to the last join."""
        return self._membership.response

    async def push(self, event: str, payload: Payload = None, *, timeout: float | None = None) -> Payload:
        """Send an event, and wait for the reply.

        While the topic is not joined, e.g. between two connections, the push waits until it is joined again.

        Args:
            event: the name of the event.
            payload: a value that JSON can hold, or `bytes`; None is sent as `{}`.
            timeout: seconds for joining, sending and the reply together; by default the socket's `timeout`.

        Returns:
            The payload of the reply.

        Raises:
            ReplyError: the status of the reply is not `ok`.
            TimeoutError: no reply came in time; the message says whether the event was sent.
            ConnectionLost: the connection was lost after sending. It is unknown whether the event arrived.
            ChannelCrashed: the channel crashed before it replied.
            ChannelClosed: the client has left, or the server has closed the channel.
            EncodeError: the payload cannot be encoded.

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
        """Send an event without waiting for a reply. If the connection is lost at this moment, the event is lost too.

        Args:
            event: the name of the event.
            payload: a value that JSON can hold, or `bytes`; None is sent as `{}`.
            timeout: seconds to wait for the topic to be joined; by default the socket's `timeout`.

        Raises:
            TimeoutError: the topic was not joined in time, and nothing was sent.
            ChannelClosed: the client has left, or the server has closed the channel.
            EncodeError: the payload cannot be encoded.

        """
        membership = self._membership
        seconds = membership.line.options.timeout if timeout is None else timeout
        with membership.line.patience.move_on_after(seconds):
            connection = await membership.ready()
            return membership.send(connection, event, payload, membership.line.next_ref())
        raise self._not_sent(event, seconds)

    async def leave(self, *, timeout: float | None = None) -> None:
        """Leave the topic, and wait for the server's answer. The topic counts as left even if no answer comes.

        Args:
            timeout: seconds to wait for the answer; by default the socket's `timeout`.

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
        """Return the current counts."""
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
        why = "too many messages are unwritten" if membership.connection else f"it was not joined ({membership.error})"
        return TimeoutError(f"{event!r} on {self.topic!r} was not sent within {seconds:g} s: {why}")
