"""The spans of servers: how long they handle messages; measured only while somebody listens."""

from __future__ import annotations

from typing import Final

from phxactor.otp import events
from phxactor.otp._call import Call, Cast
from phxactor.otp._interposing import interpose, withdraw
from phxactor.otp._process import Handler, Outcome, ServerProcess

_KINDS: Final[dict[type | None, str]] = {Call: "call", Cast: "cast", None: "info"}


def _measured(process: type[ServerProcess], kind: type | None, handler: Handler) -> Handler:
    """Tell when a server begins to handle a message, and when it has."""
    if process is not ServerProcess:
        return handler
    word, started, stopped = _KINDS[kind], events.message_started, events.message_stopped

    async def measured(self: ServerProcess, message: object) -> Outcome:
        pid, server = self.pid, type(self.server).__qualname__
        now = pid.runtime.now
        began, outcome = now(), "ok"
        if started.handlers:
            started.emit(pid=pid, server=server, kind=word)
        try:
            result = await handler(self, message)
        except BaseException:
            outcome = "failed"
            raise
        else:
            return result
        finally:
            if stopped.handlers:
                stopped.emit(pid=pid, server=server, kind=word, seconds=now() - began, outcome=outcome)

    return measured


def _switch() -> None:
    if events.message_started.handlers or events.message_stopped.handlers:
        interpose(_measured)
    else:
        withdraw(_measured)


events.message_started.on_switch(_switch)
events.message_stopped.on_switch(_switch)
