"""The spans of channels: how long they handle messages and joins; measured only while somebody listens."""

from __future__ import annotations

from typing import Any, Final

from phxactor.channels import events
from phxactor.channels._process import ChannelProcess, pattern_of
from phxactor.otp import Call, Cast, Handler, Outcome, ServerProcess, interpose, withdraw
from phxactor.socket import Broadcast, Message

_KINDS: Final[dict[type | None, str]] = {Message: "in", Broadcast: "out", Call: "call", Cast: "cast", None: "info"}


def _measured(process: type[ServerProcess], kind: type | None, handler: Handler) -> Handler:
    """Tell when a channel begins to handle a message, and when it has."""
    if process is not ChannelProcess:
        return handler
    if kind is Message:
        return _measured_input(handler)
    word, has_event = _KINDS[kind], kind is Broadcast
    started, stopped = events.message_started, events.message_stopped

    async def measured(self: ChannelProcess, message: Any) -> Outcome:  # noqa: ANN401 - of its kind
        now, event = self.pid.runtime.now, message.event if has_event else None
        fields = {
            "pid": self.pid,
            "channel": type(self.channel).__qualname__,
            "topic": self.socket.topic,
            "route": pattern_of(self.socket),
            "kind": word,
            "event": event,
            "declared": has_event and event in self.channel.intercept_handlers,
        }
        began, outcome = now(), "ok"
        if started.handlers:
            started.emit(**fields)
        try:
            return await handler(self, message)
        except BaseException:
            outcome = "failed"
            raise
        finally:
            if stopped.handlers:
                stopped.emit(**fields, seconds=now() - began, outcome=outcome)

    return measured


def _measured_input(handler: Handler) -> Handler:
    """Do the same for what clients send, in few steps: there is much of it."""
    started, stopped = events.message_started, events.message_stopped

    async def measured(self: ChannelProcess, message: Message) -> Outcome:
        pid, outcome = self.pid, "ok"
        now = pid.runtime.now
        began = now()
        if started.handlers:
            channel, socket, event = self.channel, self.socket, message.event
            started.emit(
                pid=pid,
                channel=type(channel).__qualname__,
                topic=socket.topic,
                route=pattern_of(socket),
                kind="in",
                event=event,
                declared=event in channel.on_handlers,
            )
        try:
            return await handler(self, message)
        except BaseException:
            outcome = "failed"
            raise
        finally:
            if stopped.handlers:
                channel, socket, event = self.channel, self.socket, message.event
                route = socket.route
                stopped.emit(
                    pid=pid,
                    channel=type(channel).__qualname__,
                    topic=socket.topic,
                    route="-" if route is None else route.pattern,
                    kind="in",
                    event=event,
                    declared=event in channel.on_handlers,
                    seconds=now() - began,
                    outcome=outcome,
                )

    return measured


def _switch() -> None:
    if events.message_started.handlers or events.message_stopped.handlers:
        interpose(_measured)
    else:
        withdraw(_measured)


events.message_started.on_switch(_switch)
events.message_stopped.on_switch(_switch)
