"""The way from a connection's channels to its client: replies and pushes, encoded for the client's serializer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, TypeAlias, final

from phxactor.runtime import Pid, Reason
from phxactor.socket._messages import Message, Ref, Reply, SocketPush
from phxactor.socket._socket import Socket

Pool: TypeAlias = Callable[[type[Socket], Pid], Pid]
"""Returns the supervisor that starts the channels of a socket class for a transport."""


class Output(Protocol):
    """What a transport does for its multiplexer."""

    def push(self, push: SocketPush) -> None:
        """Send to the client."""

    def stop(self, reason: Reason) -> None:
        """End the connection, and with it the transport's process."""


@final
class Nowhere:
    """The output of a connection that has ended."""

    def push(self, push: SocketPush) -> None:
        """Drop the message."""

    def stop(self, reason: Reason) -> None:
        """Do nothing."""


NOWHERE: Final = Nowhere()


class Replying:
    """Encodes what the client hears; every method raises EncodeError for a payload that cannot be encoded."""

    __slots__ = ("_output", "_pid", "_socket")

    def __init__(self, socket: Socket, output: Output) -> None:
        """Reply to the client of `socket` through its transport, `output`."""
        self._socket = socket
        self._output = output
        self._pid = socket.transport_pid

    def reply(self, message: Message, status: str, payload: object) -> None:
        """Reply to a message, by the join ref of that message."""
        self._output.push(self.encode_reply(message, status, payload))

    def encode_reply(self, message: Message, status: str, payload: object) -> SocketPush:
        """Encode a reply without sending it."""
        reply = Reply(message.topic, status, payload, message.ref, message.join_ref)
        return self._socket.serializer.encode(reply)

    def reply_error(self, message: Message, reason: str) -> None:
        """Reply with an error to a message that no join takes: the join ref is null, as in Phoenix."""
        reply = Reply(message.topic, "error", {"reason": reason}, message.ref)
        self._output.push(self._socket.serializer.encode(reply))

    def push(self, topic: str, event: str, payload: object, join_ref: Ref) -> None:
        """Push an event of the join with this join ref, which is the message's ref too."""
        self._output.push(self._socket.serializer.encode(Message(topic, event, payload, join_ref, join_ref)))
