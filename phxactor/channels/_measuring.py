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
    word, started, stopped = _KINDS[kind], events.message_started, events.message_stopped
    table = "on_handlers" if kind is Message else "intercept_handlers"
    has_event = kind in (Message, Broadcast)

    async def measured(self: ChannelProcess, message: Any) -> Outcome:  # noqa: ANN401 - of its kind
        now = self.pid.runtime.now
        began = now()
        channel, socket = self.channel, self.socket
        event = message.event if has_event else None
        declared = has_event and event in getattr(channel, table)
        name, topic, route = type(channel).__qualname__, channel.topic, pattern_of(socket)
        if started.handlers:
            started.emit(
                pid=self.pid, channel=name, topic=topic, route=route, kind=word, event=event, declared=declared
            )
        outcome = "ok"
        try:
            result = await handler(self, message)
        except BaseException:
            outcome = "failed"
            raise
        else:
            return result
        finally:
            if stopped.handlers:
                stopped.emit(
                    pid=self.pid,
                    channel=name,
                    topic=topic,
                    route=route,
                    kind=word,
                    event=event,
                    declared=declared,
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
