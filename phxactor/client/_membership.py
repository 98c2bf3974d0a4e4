"""A topic, from its first join to its end.

    joining ─ok─▶ joined ─phx_error, connection lost─▶ errored ─a new connection, or after a while─▶ joining
       leave(), phx_close, the end of the socket, or a first join that fails ─▶ closed, for good

Each join has a join ref of its own. A message with another join ref belongs to an earlier join, and is dropped.
"""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from typing import Final, final

import trio

from phxactor.channels import Payload
from phxactor.client._errors import ChannelClosed, ChannelCrashed, ClientError, ConnectionLost, JoinError
from phxactor.client._factories import ValueOrFactory, resolve
from phxactor.client._inbox import Inbox
from phxactor.client._line import Line
from phxactor.client._replies import Replies
from phxactor.client._status import Errored, Joined
from phxactor.client._websocket import Connection
from phxactor.socket import Message, Reply


@final
class Membership:
    """One topic of a line. Messages are handled synchronously, so that they take effect in the order of arrival."""

    def __init__(self, line: Line, topic: str, payload: ValueOrFactory[Payload], timeout: float, inbox: Inbox) -> None:
        self.line: Final = line
        self.topic: Final = topic
        self.inbox: Final = inbox
        self.replies: Final = Replies()
        self.connection: Connection | None = None
        """The connection over which the topic is joined; None while it is not joined."""
        self.closed = False
        self.response: Payload = None
        """The payload of the server's answer to the last join."""
        self.error: Exception = ChannelClosed(topic)
        """Why the topic is not joined."""
        self.joins = 0
        """Successful joins so far."""
        self.stale = 0
        """Messages dropped because they belong to an earlier join."""
        self._payload = payload
        self._timeout = timeout
        self._join_ref: str | None = None
        self._joining: Connection | None = None
        self._tried: Connection | None = None
        self._changed = trio.lowlevel.ParkingLot()
        self._keeper = trio.CancelScope()

    # ------------------------------------------------------------------------------------------- joining

    async def join(self) -> None:
        """Join for the first time. If the connection is lost meanwhile, try again on the next one.

        Raises:
            JoinError: the server refused the join.
            ChannelCrashed: the channel crashed during the join.
            TimeoutError: the server did not answer in time.

        """
        with self.line.patience.move_on_after(self._timeout):
            while True:
                connection = await self.line.connected()
                with suppress(ConnectionLost):
                    return await self._try(connection)
        raise self._unanswered()

    async def keep(self) -> None:
        """Join again whenever the topic is not joined, until it is closed.

        On a new connection it joins at once. On a connection where the channel crashed or the join was refused, it
        waits `rejoin_after` seconds.
        """
        tries = 0
        with self._keeper:
            while True:
                while self.connection is not None:
                    await self._changed.park()
                if self.closed:
                    return
                try:
                    connection = await self.line.connected()
                except trio.ClosedResourceError:
                    return
                if connection is not self._tried:
                    tries = 0
                elif not await self._pause(tries := tries + 1, connection):
                    continue
                try:
                    await self._try_in_time(connection)
                # A function that makes the payload may raise anything: that counts as a failed try.
                except Exception as error:  # noqa: BLE001
                    self._tried, self.error = connection, error
                else:
                    tries = 0

    async def _pause(self, tries: int, connection: Connection) -> bool:
        """Wait before another try. Return whether the connection is still open."""
        seconds = self.line.options.rejoin_after(tries)
        self.line.options.on_status(Errored(self.topic, self.error, seconds))
        with trio.move_on_after(seconds):
            await connection.ended.wait()
        return connection.lost is None

    async def _try_in_time(self, connection: Connection) -> None:
        with self.line.patience.move_on_after(self._timeout):
            return await self._try(connection)
        raise self._unanswered()

    def _unanswered(self) -> TimeoutError:
        why = "was not answered" if self.line.connection else "had to wait for a connection"
        return TimeoutError(f"joining {self.topic!r} {why} for {self._timeout:g} s")

    async def _try(self, connection: Connection) -> None:
        payload = await resolve(self._payload)
        if self.closed:
            raise ChannelClosed(self.topic)
        if connection.lost is not None:
            raise copy(connection.lost)
        ref = self.line.next_ref()
        with self.replies.expect(ref) as answer:
            connection.send(Message(self.topic, "phx_join", {} if payload is None else payload, ref, ref))
            self._join_ref = ref
            self._joining = self._tried = connection
            try:
                reply = await answer.wait()
            except trio.Cancelled:
                if self._join_ref == ref:  # the server may still accept this join
                    self._say_leave(connection)
                    self._forget_join()
                raise
        if reply.status != "ok":
            raise JoinError(self.topic, reply.payload)

    # --------------------------------------------------------------------------------------- what comes

    def receive(self, message: Message | Reply) -> None:
        """Handle a message of this topic."""
        if message.join_ref is not None and message.join_ref != self._join_ref:
            self.stale += 1
        elif isinstance(message, Reply):
            if self._joining is not None and message.ref == self._join_ref:
                self._take_answer(message)
            self.replies.answer(message)
        elif message.event == "phx_error":
            self.fall(ChannelCrashed(self.topic))
        elif message.event == "phx_close":
            self._close()
        else:
            self.inbox.put(message)

    def fall(self, error: ChannelCrashed | ConnectionLost) -> None:
        """Be not joined any more, and raise `error` in all tasks that wait for replies."""
        self.error = error
        self._forget_join()
        self.replies.fail(error)
        self._changed.unpark_all()

    def _take_answer(self, reply: Reply) -> None:
        if reply.status != "ok":
            self._forget_join()
            return
        self.connection, self._joining = self._joining, None
        self.response = reply.payload
        self.joins += 1
        if self.joins > 1:
            self.inbox.put(Message(self.topic, "phx_join", reply.payload, reply.ref, reply.join_ref))
        self._changed.unpark_all()
        self.line.options.on_status(Joined(self.topic))

    # ----------------------------------------------------------------------------------------- what goes

    async def ready(self) -> Connection:
        """Wait until the topic is joined and its connection has room for a message; return the connection.

        Raises:
            ChannelClosed: the topic is closed.

        """
        while not self.closed:
            connection = self._usable()
            if connection is None:
                await self._changed.park()
            else:
                await connection.room()
                if connection is self._usable():
                    return connection
        raise ChannelClosed(self.topic)

    def _usable(self) -> Connection | None:
        connection = self.connection
        return None if self.closed or connection is None or connection.lost is not None else connection

    def send(self, connection: Connection, event: str, payload: Payload, ref: str) -> None:
        """Send a message over the connection that `ready` returned."""
        connection.send(Message(self.topic, event, {} if payload is None else payload, ref, self._join_ref))

    # ------------------------------------------------------------------------------------------- the end

    async def leave(self, timeout: float) -> None:
        """Leave, and wait at most `timeout` seconds for the server's answer."""
        if self.closed:
            return
        connection = self.connection
        if connection is None:
            self.end()
            return
        self.closed = True
        self._keeper.cancel()
        self._changed.unpark_all()
        ref = self.line.next_ref()
        try:
            with self.line.patience.move_on_after(timeout), suppress(ClientError), self.replies.expect(ref) as answer:
                self.send(connection, "phx_leave", {}, ref)
                await answer.wait()
        finally:
            self._close()

    def end(self) -> None:
        """Leave without waiting."""
        connection = self.connection or self._joining
        if connection is not None and not self.closed:
            self._say_leave(connection)
        self._close()

    def _say_leave(self, connection: Connection) -> None:
        self.send(connection, "phx_leave", {}, self.line.next_ref())

    def _forget_join(self) -> None:
        self.connection = self._joining = self._join_ref = None

    def _close(self) -> None:
        self.closed = True
        self._forget_join()
        if self.line.members.get(self.topic) is self:
            del self.line.members[self.topic]
        self._keeper.cancel()
        self.replies.fail(ChannelClosed(self.topic))
        self.inbox.close()
        self._changed.unpark_all()
