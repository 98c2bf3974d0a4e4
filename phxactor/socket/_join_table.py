"""The life of a join, as a table: every phase and every event, what is done, and which phase follows.

A join is one channel on one topic of one connection, from the client's `phx_join` on. This file is data and its check;
`join_acts` has the acts. The README of this folder shows the whole table.

                                   ┌───────────── OK ─────────────▶ ANSWERED ──┐ NAMED
    NONE ── JOIN ──▶ ASKED ────────┤                                           ▼
                       ▲           └─ NAMED ──▶ NAMED ─────── OK ─────────▶ JOINED ── JOIN ──▶ REPLACING (the next join)
                       │
                       └── OLD_DOWN ── REPLACING

All other ways end in ENDED or in GIVEN_UP. The channel and its pool answer in any order: a custom channel may answer
the join, close and exit before the pool has named its process.

The answers follow Phoenix 1.8.12 (`Phoenix.Channel.Server.join`, `Phoenix.Socket`), where a join blocks its connection.
So a message that Phoenix would find in the mailbox after the join, such as a `socket_close`, takes effect after the
answer here too.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple, TypeAlias


class Phase(IntEnum):
    """How far a join has come."""

    NONE = 0
    """The topic has no join."""
    REPLACING = 1
    """The channel of the join before this one has been told to exit, and has not exited."""
    ASKED = 2
    """The pool has been asked for a channel; neither the pool nor the channel has answered."""
    NAMED = 3
    """The pool has named the channel's process; the channel has not answered."""
    ANSWERED = 4
    """The channel has answered ok, and the client knows; the pool has not named the process."""
    ASKED_CLOSING = 5
    """As ASKED, but the channel has said that it closes."""
    NAMED_CLOSING = 6
    """As NAMED, but the channel has said that it closes."""
    JOINED = 7
    """The client's messages go to the channel."""
    ENDED = 8
    """Over. The channel's process, if there is one, exits by itself or was told to."""
    GIVEN_UP = 9
    """Over. The channel's process is killed as soon as the pool names it."""


class Event(IntEnum):
    """An event in the life of a join."""

    JOIN = 0
    """The client sends `phx_join` for the topic."""
    LEAVE = 1
    """The client sends `phx_leave` for the topic."""
    PUSH = 2
    """The client sends any other event on the topic."""
    OVERFLOW = 3
    """The client sends an event, and as many as may wait already wait for the answer."""
    UNROUTED = 4
    """No route matches the topic."""
    NAMED = 5
    """The pool has started the channel, and names its process."""
    NOT_STARTED = 6
    """The channel's start failed; or its pool has exited without an answer."""
    OK = 7
    """The channel accepts the join."""
    REFUSAL = 8
    """The channel, or a limit, refuses the join."""
    UNWRITABLE = 9
    """The channel answers with a payload that the serializer cannot encode."""
    CLOSE = 10
    """The channel says that it exits gracefully (`SocketClose`)."""
    DOWN = 11
    """The channel's process has exited, for whatever reason."""
    TIMEOUT = 12
    """The join, or the exit of the replaced channel, has taken too long."""
    OLD_DOWN = 13
    """The process of the replaced channel has exited."""
    DISCONNECT = 14
    """The connection has ended."""


class Act(IntEnum):
    """An act. `join_acts.ACTS` has a function for each."""

    NOTHING = 0
    ASK = 1
    """Begin a join: ask the pool for a channel."""
    REPLACE = 2
    """Begin a join, and tell the channel of the last one to exit with `{:shutdown, :duplicate_join}`."""
    WAIT = 3
    """Keep the client's message until the join is answered."""
    DELIVER = 4
    """Send the client's message to the channel, unless its join ref is another join's."""
    LEFT = 5
    """Reply ok to a leave of a topic that is not joined."""
    UNMATCHED = 6
    """Reply with the error `unmatched topic`; a heartbeat gets ok."""
    OVERFULL = 7
    """Reply with the error `too many messages before the join was answered`."""
    WATCH = 8
    """Monitor the channel."""
    ANSWER = 9
    """Reply ok to the join, and wait for the pool."""
    ACCEPT = 10
    """Reply ok to the join, and deliver the messages that waited."""
    BEGIN = 11
    """Monitor the channel, and deliver the messages that waited: the reply was sent before."""
    ANSWER_CLOSED = 12
    """Reply ok to the join, and push `phx_close`."""
    REFUSE = 13
    """Reply with the channel's error."""
    FAIL = 14
    """Reply with the error `join crashed`, and kill the channel if it is alive."""
    EXPIRE = 15
    """Reply with the error `join timed out`, and kill the channel if it is alive."""
    PUSH_CLOSE = 16
    """Push `phx_close`."""
    PUSH_ERROR = 17
    """Push `phx_error`."""
    KILL = 18
    """Kill the channel that the pool has named."""
    KILL_OLD = 19
    """Kill the replaced channel."""
    SHUT_DOWN = 20
    """Tell the channel to exit with `{:shutdown, :closed}`."""


class Cell(NamedTuple):
    """The result of an event: the next phase, and the act."""

    phase: Phase
    act: Act


Row: TypeAlias = dict[Event, Cell]

_WAITS: Final = {Event.JOIN: Act.WAIT, Event.LEAVE: Act.WAIT, Event.PUSH: Act.WAIT, Event.OVERFLOW: Act.OVERFULL}
"""The client's messages while its join is not answered."""


def _row(phase: Phase, acts: dict[Event, Act], moves: Row) -> Row:
    """Make a row: `acts` stay in the phase, `moves` may leave it."""
    return {event: Cell(phase, act) for event, act in acts.items()} | moves


P, E, A = Phase, Event, Act

TABLE: Final[dict[Phase, Row]] = {
    P.NONE: _row(
        P.NONE,
        {E.LEAVE: A.LEFT, E.PUSH: A.UNMATCHED},
        {E.JOIN: Cell(P.ASKED, A.ASK)},
    ),
    P.REPLACING: _row(
        P.REPLACING,
        {**_WAITS, E.TIMEOUT: A.KILL_OLD},
        {E.OLD_DOWN: Cell(P.ASKED, A.ASK), E.DISCONNECT: Cell(P.ENDED, A.NOTHING)},
    ),
    P.ASKED: _row(
        P.ASKED,
        _WAITS,
        {
            E.UNROUTED: Cell(P.ENDED, A.UNMATCHED),
            E.NAMED: Cell(P.NAMED, A.WATCH),
            E.NOT_STARTED: Cell(P.ENDED, A.FAIL),
            E.OK: Cell(P.ANSWERED, A.ANSWER),
            E.REFUSAL: Cell(P.ENDED, A.REFUSE),
            E.UNWRITABLE: Cell(P.GIVEN_UP, A.FAIL),
            E.CLOSE: Cell(P.ASKED_CLOSING, A.NOTHING),
            E.TIMEOUT: Cell(P.GIVEN_UP, A.EXPIRE),
            E.DISCONNECT: Cell(P.ENDED, A.NOTHING),
        },
    ),
    P.NAMED: _row(
        P.NAMED,
        _WAITS,
        {
            E.OK: Cell(P.JOINED, A.ACCEPT),
            E.REFUSAL: Cell(P.ENDED, A.REFUSE),
            E.UNWRITABLE: Cell(P.ENDED, A.FAIL),
            E.CLOSE: Cell(P.NAMED_CLOSING, A.NOTHING),
            E.DOWN: Cell(P.ENDED, A.FAIL),
            E.TIMEOUT: Cell(P.ENDED, A.EXPIRE),
            E.DISCONNECT: Cell(P.ENDED, A.SHUT_DOWN),
        },
    ),
    P.ANSWERED: _row(
        P.ANSWERED,
        _WAITS,
        {
            E.NAMED: Cell(P.JOINED, A.BEGIN),
            E.NOT_STARTED: Cell(P.ENDED, A.PUSH_ERROR),
            E.CLOSE: Cell(P.ENDED, A.PUSH_CLOSE),
            E.TIMEOUT: Cell(P.GIVEN_UP, A.PUSH_ERROR),
            E.DISCONNECT: Cell(P.ENDED, A.NOTHING),
        },
    ),
    P.ASKED_CLOSING: _row(
        P.ASKED_CLOSING,
        {**_WAITS, E.CLOSE: A.NOTHING},
        {
            E.NAMED: Cell(P.NAMED_CLOSING, A.WATCH),
            E.NOT_STARTED: Cell(P.ENDED, A.FAIL),
            E.OK: Cell(P.ENDED, A.ANSWER_CLOSED),
            E.REFUSAL: Cell(P.ENDED, A.REFUSE),
            E.UNWRITABLE: Cell(P.ENDED, A.FAIL),
            E.TIMEOUT: Cell(P.ENDED, A.EXPIRE),
            E.DISCONNECT: Cell(P.ENDED, A.NOTHING),
        },
    ),
    P.NAMED_CLOSING: _row(
        P.NAMED_CLOSING,
        {**_WAITS, E.CLOSE: A.NOTHING},
        {
            E.OK: Cell(P.ENDED, A.ANSWER_CLOSED),
            E.REFUSAL: Cell(P.ENDED, A.REFUSE),
            E.UNWRITABLE: Cell(P.ENDED, A.FAIL),
            E.DOWN: Cell(P.ENDED, A.FAIL),
            E.TIMEOUT: Cell(P.ENDED, A.EXPIRE),
            E.DISCONNECT: Cell(P.ENDED, A.SHUT_DOWN),
        },
    ),
    P.JOINED: _row(
        P.JOINED,
        {E.LEAVE: A.DELIVER, E.PUSH: A.DELIVER},
        {
            E.JOIN: Cell(P.REPLACING, A.REPLACE),
            E.CLOSE: Cell(P.ENDED, A.PUSH_CLOSE),
            E.DOWN: Cell(P.ENDED, A.PUSH_ERROR),
            E.DISCONNECT: Cell(P.ENDED, A.NOTHING),
        },
    ),
    P.ENDED: {},
    P.GIVEN_UP: _row(P.GIVEN_UP, {E.NAMED: A.KILL}, {E.CLOSE: Cell(P.ENDED, A.NOTHING)}),
}
"""The cells. An event without a cell changes nothing: it cannot come, or it comes too late."""


def cell(phase: Phase, event: Event) -> Cell:
    """Return a cell; one that the table leaves out keeps the phase and does nothing."""
    return TABLE[phase].get(event, Cell(phase, Act.NOTHING))
