"""Outbox: bounded, in order, and beats ahead of what waits, with the right number."""

from __future__ import annotations

from hypothesis import given
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
            outbox.open = True
        else:
            outbox.add_ahead(frame(FrameKind.CONFIRM, 1))
        assert outbox.size <= LIMIT + HEAD_BYTES
    while data := outbox.chunk():
        receiver.take(data)
    outbox.beat()
    receiver.take(outbox.chunk())
    assert (receiver.received, receiver.missed) == (added - dropped, dropped)
    assert outbox.size == 0


def test_a_beat_goes_ahead_of_megabytes_that_wait() -> None:
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
