"""What a channel's callbacks return."""

from __future__ import annotations

from typing import Any, TypeAlias

import attrs

from phxactor.otp import Error, NoReply, Ok, Stop

Payload: TypeAlias = Any
"""A JSON value or `bytes`. A handler that annotates its payload with a class has it checked."""


@attrs.frozen
class Status:
    """A reply with any other status than those of `Ok(payload)` and `Error(payload)`."""

    status: str
    payload: object = None


Answered: TypeAlias = Ok[Any] | Error | Status
"""A reply: its status is ok, error or another; its payload is a JSON value or `bytes`, and None stands for `{}`."""

JoinResult: TypeAlias = Ok[Any] | Error | None
"""What `join` returns: `Ok(payload)`, or None for an empty one; `Error(payload)` to refuse."""

HandleResult: TypeAlias = Ok[Any] | Error | Status | NoReply | Stop | None
"""What a handler of a client's event returns: a reply, nothing, or `Stop(reason)`, with `reply=` a last reply."""


def status_of(answer: object) -> tuple[str, object] | None:
    """Split a reply into status and payload; None if it is no reply."""
    if isinstance(answer, Ok):
        return "ok", {} if answer.value is None else answer.value
    if isinstance(answer, Error):
        return "error", {} if answer.reason is None else answer.reason
    if isinstance(answer, Status):
        return answer.status, {} if answer.payload is None else answer.payload
    return None
