"""The close codes of a WebSocket, and what each means to a client (RFC 6455 section 7.4): the one table of them."""

from __future__ import annotations

from enum import IntEnum

from phxactor.runtime import NORMAL, SHUTDOWN, Reason, Shutdown


class CloseCode(IntEnum):
    """Codes that a server of this package sends. phoenix.js reconnects after all of them but 1000 (before 1.8.16)."""

    NORMAL = 1000
    """Answers a client's own 1000; never the server's wish."""
    GOING_AWAY = 1001
    """Disconnected by the server, as by a broadcast of `disconnect`."""
    PROTOCOL_ERROR = 1002
    """The client broke RFC 6455, or has been silent for too long."""
    INVALID_DATA = 1007
    """A text that is not UTF-8."""
    POLICY_VIOLATION = 1008
    """The client kept on sending more than it may."""
    TOO_BIG = 1009
    """A message over `max_frame_size`."""
    INTERNAL_ERROR = 1011
    """A message that cannot be decoded, or a failure of ours."""
    RESTART = 1012
    """The server stops or restarts."""
    TRY_AGAIN_LATER = 1013
    """The client reads more slowly than it is written to."""


DISCONNECTED = Shutdown("disconnected")
BAD_MESSAGE = Shutdown("bad_message")
NOT_UTF8 = Shutdown("not_utf8")
TIMED_OUT = Shutdown("timeout")
SLOW_CONSUMER = Shutdown("slow_consumer")
RATE_LIMITED = Shutdown("rate_limited")
HELD_UP = Shutdown("held_up")
"""Its channels take nothing of what the client sends: a failure of ours."""
DRAINING = Shutdown("draining")
INACTIVE = Shutdown("closed")
"""A long-poll session that is not polled any more: for its channels, a connection that was closed."""

_CODES: dict[Reason, CloseCode] = {
    NORMAL: CloseCode.NORMAL,
    SHUTDOWN: CloseCode.RESTART,
    DRAINING: CloseCode.RESTART,
    DISCONNECTED: CloseCode.GOING_AWAY,
    BAD_MESSAGE: CloseCode.INTERNAL_ERROR,
    NOT_UTF8: CloseCode.INVALID_DATA,
    TIMED_OUT: CloseCode.PROTOCOL_ERROR,
    SLOW_CONSUMER: CloseCode.TRY_AGAIN_LATER,
    RATE_LIMITED: CloseCode.POLICY_VIOLATION,
    HELD_UP: CloseCode.INTERNAL_ERROR,
}


def close_code(reason: Reason) -> CloseCode:
    """Say which code a transport that ends with this reason closes with."""
    try:
        return _CODES.get(reason, CloseCode.INTERNAL_ERROR)
    except Exception:  # noqa: BLE001 - a reason that cannot be a key is none of the table
        return CloseCode.INTERNAL_ERROR
