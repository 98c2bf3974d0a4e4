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
    Shutdown,
    Socket,
    Stop,
    monitor,
)
from phxactor.otp import IGNORE
from phxactor.runtime import NOPROC, NORMAL
from tests.conformance.tallies import ask


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
                self.socket.reply(message, "ok", {})
                return self.close(Shutdown("left"))
            case Message(event="echo"):
                self.socket.reply(message, "ok", message.payload)
            case Message(event="tally"):
                answer = await ask(str(self.socket.topic), message.payload)
                status, response = ("ok", answer.value) if isinstance(answer, Ok) else ("error", answer.reason)
                self.socket.reply(message, status, response)
            case Message(event="push"):
                self.socket.push("pushed", message.payload)
            case Message(event="close"):
                return self.close(NORMAL)
            case Message(event="stop_untold"):
                return Stop(NORMAL)
            case Message(event="die"):
                return Stop("died")
            case Broadcast():
                self.socket.push(message.event, message.payload)
            case Down(ref=self.watch, reason=reason):
                return Stop(Shutdown("closed") if reason in (NORMAL, NOPROC) else reason)
        return None

    def close(self, reason: object) -> Stop:
        self.socket.close(reason)
        return Stop(reason)
