"""A custom channel: an actor that no `Channel` class helps. It keeps the documented contract by itself."""

from __future__ import annotations

from typing import Any

from phxactor import (
    Broadcast,
    Down,
    Error,
    From,
    GenServer,
    Ignore,
    Message,
    Ok,
    Reply,
    Shutdown,
    Socket,
    SocketClose,
    Stop,
    monitor,
    self_pid,
)
from phxactor.otp import IGNORE
from phxactor.runtime import NOPROC, NORMAL


class CustomChannel(GenServer):
    """Started with `(auth_payload, from_, socket)`; the socket's messages are in its mailbox."""

    async def init(self, arguments: tuple[Any, From, Socket]) -> Ignore | None:
        payload, from_, self.socket = arguments
        if self.socket.topic == "custom:error":
            from_.reply(Error({"reason": "custom refused"}))
            return IGNORE
        self.watch = monitor(self.socket.transport_pid)
        self.socket.pubsub_server.subscribe(str(self.socket.topic))
        from_.reply(Ok({"custom": True, "params": payload}))
        return None

    async def handle_info(self, message: object) -> Stop | None:
        match message:
            case Message(event="phx_leave"):
                self.reply(message, {})
                return self.close(Shutdown("left"))
            case Message(event="echo"):
                self.reply(message, message.payload)
            case Message(event="push"):
                self.push("pushed", message.payload)
            case Message(event="close"):
                return self.close(NORMAL)
            case Message(event="stop_untold"):
                return Stop(NORMAL)
            case Message(event="die"):
                return Stop("died")
            case Broadcast():
                self.push(message.event, message.payload)
            case Down(ref=self.watch, reason=reason):
                return Stop(Shutdown("closed") if reason in (NORMAL, NOPROC) else reason)
        return None

    def reply(self, message: Message, payload: object) -> None:
        answer = Reply(message.topic, "ok", payload, message.ref, message.join_ref)
        self.socket.transport_pid.send(self.socket.serializer.encode(answer))

    def push(self, event: str, payload: object) -> None:
        message = Message(str(self.socket.topic), event, payload, None, self.socket.join_ref)
        self.socket.transport_pid.send(self.socket.serializer.encode(message))

    def close(self, reason: object) -> Stop:
        self.socket.transport_pid.send(SocketClose(self_pid(), reason))
        return Stop(reason)
