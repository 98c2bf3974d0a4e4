"""The messages of a topic that the user has not taken yet."""

from __future__ import annotations

from typing import final

import trio

from phxactor.client._errors import Overflow
from phxactor.socket import Message


@final
class Inbox:
    """A bounded queue that keeps the newest messages. A full queue drops its oldest message, and `take` reports that.

    The task that reads the connection never waits here, since a reply that the user waits for comes by the same task.
    """

    __slots__ = ("_incoming", "_lost", "_outgoing", "_topic", "lost")

    def __init__(self, topic: str, size: int) -> None:
        self._topic = topic
        self._incoming, self._outgoing = trio.open_memory_channel[Message](size)
        self._lost = 0
        self.lost = 0
        """Messages dropped so far."""

    def __len__(self) -> int:
        return self._outgoing.statistics().current_buffer_used

    def put(self, message: Message) -> None:
        """Queue a message; if the queue is full, drop its oldest."""
        try:
            self._incoming.send_nowait(message)
        except trio.WouldBlock:
            self._outgoing.receive_nowait()
            self._lost += 1
            self.lost += 1
            self._incoming.send_nowait(message)

    async def take(self) -> Message:
        """Wait for the next message.

        Raises:
            Overflow: messages were dropped since the last call; the next call returns a message.
            trio.EndOfChannel: the inbox is closed and empty.

        """
        if self._lost:
            lost, self._lost = self._lost, 0
            raise Overflow(self._topic, lost)
        return await self._outgoing.receive()

    def close(self) -> None:
        """Accept no more messages; the queued ones can still be taken."""
        self._incoming.close()
