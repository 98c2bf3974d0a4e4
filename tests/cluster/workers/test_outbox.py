"""Outbox: bounded, in order, and beats ahead of what waits, with the right number."""

from __future__ import annotations

import attrs
from hypothesis import example, given
from hypothesis import strategies as st

from phxactor.cluster.carriers.workers._frames import HEAD_BYTES, FrameKind, FrameReader, frame
from phxactor.cluster.carriers.workers._outbox import CHUNK, Outbox

STEPS = st.lists(
    st.one_of(
        st.integers(1, 60).map(lambda size: ("add", size)),
        st.sampled_from([("chunk", 0), ("beat", 0), ("drop", 0), ("open", 0), ("ahead", 0)]),
    ),
    max_size=80,
)
LIMIT = 150


class Receiver:
    """Counts as a line does."""

    def __init__(self) -> None:
        self.reader = FrameReader()
        self.seen = self.received = self.missed = 0

    def take(self, data: bytes) -> None:
        self.reader.feed(data)
        while (got := self.reader.next()) is not None:
            kind, number, body = got
            if kind == FrameKind.MESSAGE:
                assert body is not None
                assert body[:1] == bytes((number % 256,))
                self.missed += number - 1 - self.seen
                self.received += 1
                self.seen = number
            elif kind == FrameKind.BEAT:
                assert number >= self.seen  # a beat never claims less than what came
                self.missed += number - self.seen
                self.seen = number


@given(STEPS)
@example([("add", 1), ("drop", 0), ("open", 0), ("chunk", 0), ("beat", 0), ("drop", 0)])  # silent, heard, silent again
def test_what_comes_out_is_in_order_and_every_loss_shows_in_the_numbers(steps: list[tuple[str, int]]) -> None:
    """A receiver learns of each message that was dropped, and of no other."""
    outbox, receiver = Outbox(LIMIT), Receiver()
    added, dropped = 0, 0
    for what, size in steps:
        if what == "add":
            added += 1
            dropped += not outbox.add(bytes((added % 256,)) * size)
        elif what == "drop":
            messages, lost = outbox.drop()
            assert (messages == 0) == (lost == 0)
            dropped += messages
        elif what == "chunk":
            receiver.take(outbox.chunk())
        elif what == "beat":
            outbox.beat()
        elif what == "open":
            outbox.reopen()
        else:
            outbox.add_ahead(frame(FrameKind.CONFIRM, 1))
        assert outbox.size <= LIMIT + HEAD_BYTES
    while data := outbox.chunk():
        receiver.take(data)
    outbox.reopen()
    receiver.take(outbox.chunk())
    assert (receiver.received, receiver.missed) == (added - dropped, dropped)
    assert outbox.size == 0


def test_NO6_a_beat_goes_ahead_of_megabytes_that_wait() -> None:
    """NO6: beats never wait behind data."""
    outbox = Outbox()
    for _ in range(100):
        outbox.add(bytes(100_000))
    outbox.chunk()
    outbox.beat()
    outbox.beat()
    reader = FrameReader()
    reader.feed(outbox.chunk())
    first, second = reader.next(), reader.next()
    assert first == (FrameKind.BEAT, 2, b"")
    assert second is not None
    assert second[:2] == (FrameKind.MESSAGE, 3)


def test_a_chunk_is_bounded_but_one_message_is_never_cut() -> None:
    outbox = Outbox()
    outbox.add(bytes(3 * CHUNK))
    outbox.add(b"small")
    assert len(outbox.chunk()) == 3 * CHUNK + 13
    assert len(outbox.chunk()) == 5 + 13
    assert outbox.chunk() == b""


def test_a_single_message_above_the_limit_goes_when_nothing_waits() -> None:
    outbox = Outbox(10)
    assert outbox.add(bytes(20))
    assert not outbox.add(b"x")
    outbox.chunk()
    assert outbox.add(b"x")


def test_a_goodbye_is_the_last_frame() -> None:
    outbox = Outbox()
    outbox.add(b"one")
    outbox.goodbye()
    assert not outbox.add(b"two")
    outbox.beat()
    reader = FrameReader()
    reader.feed(outbox.chunk())
    kinds = []
    while (got := reader.next()) is not None:
        kinds.append(got[0])
    assert kinds == [FrameKind.BEAT, FrameKind.MESSAGE, FrameKind.GOODBYE]
    assert outbox.chunk() == b""


@attrs.define
class Gaps:
    """Finds the frames before which something is missing."""

    reader: FrameReader = attrs.field(factory=FrameReader)
    seen: int = 0

    def of(self, data: bytes) -> list[tuple[FrameKind, int]]:
        found = []
        self.reader.feed(data)
        while (got := self.reader.next()) is not None:
            kind, number, _ = got
            if number > self.seen + (kind == FrameKind.MESSAGE):
                found.append((FrameKind(kind), number))
            self.seen = number
        return found


def test_what_is_lost_while_a_node_is_silent_is_one_gap() -> None:
    """Its socket may have room for beats all the time, but they tell of nothing until it is heard again."""
    outbox, gaps = Outbox(), Gaps()
    outbox.add(b"one")
    outbox.drop()
    for _ in range(5):
        outbox.add(b"lost")
        outbox.beat()
        assert gaps.of(outbox.chunk()) == []
    outbox.reopen()
    assert gaps.of(outbox.chunk()) == [(FrameKind.BEAT, 6)]
    outbox.add(b"seven")
    outbox.beat()
    assert gaps.of(outbox.chunk()) == []


def test_a_node_that_reads_too_slowly_has_few_gaps() -> None:
    """It takes half of what is said: without a pause after each overflow, it would miss something again and again."""
    outbox, gaps, found = Outbox(8 * CHUNK), Gaps(), 0
    steps = 64
    for _ in range(steps):
        for _ in range(8):
            outbox.add(bytes(CHUNK // 4 - HEAD_BYTES))
        found += len(gaps.of(outbox.chunk()))
    assert 0 < found <= steps / 4


def test_beats_after_a_goodbye_are_no_fault() -> None:
    """A node that leaves goes on to beat until all is written."""
    outbox = Outbox()
    for _ in range(10):
        outbox.add(bytes(100_000))
    outbox.goodbye()
    reader, seen = FrameReader(), 0
    for _ in range(8):
        outbox.beat()
        reader.feed(outbox.chunk())
        while (got := reader.next()) is not None:
            if got[0] != FrameKind.GOODBYE:
                assert got[1] >= seen
                seen = got[1]
    assert seen == 10
