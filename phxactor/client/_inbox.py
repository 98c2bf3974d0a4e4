"""What has come on a topic, and has not been taken yet."""

from __future__ import annotations

from typing import final

import trio

from phxactor.client._errors import Overflow
from phxactor.socket import Message


@final
class Inbox:
    """A bounded queue that keeps the newest: the oldest is dropped for what does not fit, and the taker is told.

    Whoever reads the connection never waits here: the reply that a slow taker may be waiting for comes the same way.
    """

    __slots__ = ("_incoming", "_lost", "_outgoing", "_topic", "lost")

    def __init__(self, topic: str, size: int) -> None:
        self._topic = topic
        self._incoming, self._outgoing = trio.open_memory_channel[Message](size)
        self._lost = 0
        self.lost = 0
        """All that were ever dropped."""

    def __len__(self) -> int:
        return self._outgoing.statistics().current_buffer_used

    def put(self, message: Message) -> None:
        """Queue a message."""
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
            Overflow: messages before it were dropped; the next call goes on.
            trio.EndOfChannel: it was the last.

        """
        if self._lost:
            lost, self._lost = self._lost, 0
            raise Overflow(self._topic, lost)
        return await self._outgoing.receive()

    def close(self) -> None:
        """Let nothing more in; what is there can be taken."""
        self._incoming.close()
