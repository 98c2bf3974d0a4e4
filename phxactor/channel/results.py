"""What a channel's callbacks return."""

from __future__ import annotations

from typing import Any, TypeAlias

import attrs

from phxactor.otp import Error, NoReply, Ok, Stop

Payload: TypeAlias = Any
"""What JSON can hold, or `bytes`: a handler knows its own payloads, and annotates them with a class for a check."""


@attrs.frozen
class Status:
    """A reply with a status of one's own; `Ok(payload)` and `Error(payload)` are the usual two."""

    status: str
    payload: object = None


Answered: TypeAlias = Ok[Any] | Error | Status
"""A reply: status ok, error or another, and a payload that JSON can hold, or `bytes`; None stands for `{}`."""

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
