"""The bytes of signals between nodes: frames, and the signals in them. Pure.

A frame is the payload of a message of kind SIGNALS:

    byte 0       the version: 1
    byte 1       what it is: one of `Frame`
    bytes 2 to 9 the epoch of the line
    10 to 17     a number
    from 18 on   signals, one after another; in frames of kind SIGNALS only

A signal is 29 bytes, then as many as the last four of them say:

    byte 0       what it is: one of `Op`
    1 to 8       source: the number of a process of the sender's node
    9 to 16      target: the number of a process of the receiver's node, or how many bytes of the rest are its name
    17 to 24     a reference: the number of a monitor or a return address of the node that made it, or of an unlink
    25 to 28     bytes of the rest: a name if there is one, then a value or an exit reason

Numbers are big endian. A receiver counts and skips a signal that it does not know, so that old nodes live beside new.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from phxactor.envelope import EnvelopeError

VERSION: Final = 1

FRAME: Final = Struct(">BBQQ")
SIGNAL: Final = Struct(">BQQQI")
HEADS: Final = 64
"""Bytes of a message that are neither names nor values, at most."""


class Frame(IntEnum):
    """What a frame is."""

    OPEN = 1
    """The node with the smaller name opens a line with this epoch; again until it is accepted."""
    ACCEPT = 2
    """The other one has accepted this epoch."""
    RESET = 3
    """The other one has cut the line of this epoch, 0 for none, and wants another one."""
    SIGNALS = 4
    """Signals; frames of this kind are numbered from 1 in each epoch."""
    MARK = 5
    """So many frames of signals were sent."""
    ACK = 6
    """So many have come: the answer to MARK."""


class Op(IntEnum):
    """What a signal is. "Named": the target is a name."""

    SEND = 1
    SEND_NAMED = 2
    EXIT = 3
    LINK = 4
    UNLINK = 5
    UNLINKED = 6
    """An unlink was taken note of: from now on an end of the link is that of a new one."""
    LINK_ENDED = 7
    MONITOR = 8
    MONITOR_NAMED = 9
    DEMONITOR = 10
    DOWN = 11
    CALL = 12
    """A monitor and a request in one. The answer ends the monitor."""
    CALL_NAMED = 13
    CAST = 14
    CAST_NAMED = 15
    REPLY = 16
    LAST_REPLY = 17
    """The answer to a call."""
    FORWARD = 18
    """A request on behalf of another process, as a pair: its return address, and the request."""
    FORWARD_NAMED = 19


class Signal(NamedTuple):
    """A signal as it came."""

    op: int
    source: int
    target: int
    ref: int
    rest: bytes


def pack(op: Op, *, source: int = 0, target: int = 0, ref: int = 0, rest: bytes = b"") -> bytes:
    """Write a signal."""
    return SIGNAL.pack(op, source, target, ref, len(rest)) + rest


def unpack(body: bytes) -> Iterator[Signal]:
    """Read signals one by one. Raises EnvelopeError where there is none."""
    at, end = FRAME.size, len(body)
    while at < end:
        if end - at < SIGNAL.size:
            raise EnvelopeError("length", f"a signal has {SIGNAL.size} bytes at least, and here are {end - at}")
        op, source, target, ref, size = SIGNAL.unpack_from(body, at)
        at += SIGNAL.size
        if end - at < size:
            raise EnvelopeError("length", f"a signal is to have {size} bytes more, and here are {end - at}")
        yield Signal(op, source, target, ref, body[at : at + size])
        at += size
