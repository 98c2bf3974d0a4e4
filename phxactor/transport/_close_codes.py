"""The one table of WebSocket close codes and the exit reasons that they stand for (RFC 6455 section 7.4)."""

from __future__ import annotations

from enum import IntEnum

from phxactor.runtime import NORMAL, SHUTDOWN, Reason, Shutdown


class CloseCode(IntEnum):
    """The close codes that the server sends. phoenix.js (before 1.8.16) reconnects after each of them except 1000."""

    NORMAL = 1000
    """The client closed with 1000; the server never starts a close with it."""
    GOING_AWAY = 1001
    """The server disconnects the client, for example after a broadcast of `disconnect`."""
    PROTOCOL_ERROR = 1002
    """The client broke RFC 6455, or was silent for too long."""
    INVALID_DATA = 1007
    """The client sent a text message that is not UTF-8."""
    POLICY_VIOLATION = 1008
    """The client kept sending above a rate limit."""
    TOO_BIG = 1009
    """The client sent a message of more than `max_frame_size` bytes, or with more than `max_containers` arrays."""
    INTERNAL_ERROR = 1011
    """The server cannot decode a message, or something in the server failed."""
    RESTART = 1012
    """The server stops or restarts."""
    TRY_AGAIN_LATER = 1013
    """The client reads more slowly than the server writes to it."""


DISCONNECTED = Shutdown("disconnected")
BAD_MESSAGE = Shutdown("bad_message")
NOT_UTF8 = Shutdown("not_utf8")
TOO_COMPLEX = Shutdown("too_complex")
TIMED_OUT = Shutdown("timeout")
SLOW_CONSUMER = Shutdown("slow_consumer")
RATE_LIMITED = Shutdown("rate_limited")
HELD_UP = Shutdown("held_up")
"""The server's channels take none of the client's messages: a failure of the program."""
DRAINING = Shutdown("draining")
INACTIVE = Shutdown("closed")
"""A long-poll session was not polled for too long; its channels see a closed connection."""

_CODES: dict[Reason, CloseCode] = {
    NORMAL: CloseCode.NORMAL,
    SHUTDOWN: CloseCode.RESTART,
    DRAINING: CloseCode.RESTART,
    DISCONNECTED: CloseCode.GOING_AWAY,
    BAD_MESSAGE: CloseCode.INTERNAL_ERROR,
    NOT_UTF8: CloseCode.INVALID_DATA,
    TOO_COMPLEX: CloseCode.TOO_BIG,
    TIMED_OUT: CloseCode.PROTOCOL_ERROR,
    SLOW_CONSUMER: CloseCode.TRY_AGAIN_LATER,
    RATE_LIMITED: CloseCode.POLICY_VIOLATION,
    HELD_UP: CloseCode.INTERNAL_ERROR,
}


def close_code(reason: Reason) -> CloseCode:
    """Return the close code for the exit reason of a transport; 1011 for a reason outside the table."""
    try:
        return _CODES.get(reason, CloseCode.INTERNAL_ERROR)
    except Exception:  # noqa: BLE001 - a reason that is not hashable is not in the table
        return CloseCode.INTERNAL_ERROR
