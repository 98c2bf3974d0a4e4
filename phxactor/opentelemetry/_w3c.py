"""The W3C Trace Context (Recommendation of 23 November 2021), read from what clients send: bounded, and strictly."""

from __future__ import annotations

import re
from typing import Final

from opentelemetry.trace import SpanContext, TraceFlags, TraceState

MAX_PARENT: Final = 128
"""Characters of a `traceparent` at most; version 00 has 55."""
MAX_STATE: Final = 512
"""Characters of a `tracestate` at most: what a vendor must be able to pass on (section 3.3.1.5)."""

_PARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]*)?")


def read(parent: object, state: object = None) -> SpanContext | None:
    """Return the context that a `traceparent` names; None if it is malformed. A malformed `tracestate` is left out."""
    if type(parent) is not str or len(parent) > MAX_PARENT:
        return None
    match = _PARENT.fullmatch(parent)
    if match is None or match[1] == "ff" or (match[1] == "00" and match[5]):
        return None
    trace_id, span_id = int(match[2], 16), int(match[3], 16)
    if not (trace_id and span_id):
        return None
    kept = TraceState()
    if type(state) is str and len(state) <= MAX_STATE:
        kept = TraceState.from_header([state])
    flags = TraceFlags(int(match[4], 16) & TraceFlags.SAMPLED)
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags, trace_state=kept)


def write(context: SpanContext) -> str:
    """Return the `traceparent` of a context."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & TraceFlags.SAMPLED:02x}"
