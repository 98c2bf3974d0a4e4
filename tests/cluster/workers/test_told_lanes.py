"""ToldLanes: whatever changes, and whenever it is written, the other node ends up with what is watched."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phxactor.cluster.carriers.workers import _told_lanes as module
from phxactor.cluster.carriers.workers._frames import FrameKind, FrameReader, decode_lanes
from phxactor.cluster.carriers.workers._told_lanes import AT_ONCE, MAX_CHANGES, ToldLanes

LANES = st.sampled_from([f"pubsub:{letter * 9}" for letter in "abcdef"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["watch", "unwatch"]), st.lists(LANES, unique=True)),
        st.tuples(st.just("write"), st.just([])),
    ),
    max_size=40,
)


class Receiver:
    """The other node, as far as lanes go."""

    def __init__(self) -> None:
        self.reader = FrameReader()
        self.lanes: set[str] = set()
        self.incoming: set[str] | None = None
        self.confirmed = -1
        self.ended = 0

    def feed(self, data: bytes) -> None:
        self.reader.feed(data)
        while (got := self.reader.next()) is not None:
            kind, number, body = got
            if kind == FrameKind.LIST:
                self.incoming = set()
            elif kind == FrameKind.LIST_END:
                assert self.incoming is not None
                self.lanes, self.incoming = self.incoming, None
                self.confirmed = number
                self.ended += 1
            elif kind == FrameKind.WATCH:
                assert body is not None
                (self.lanes if self.incoming is None else self.incoming).update(decode_lanes(body))
                self.confirmed = number or self.confirmed
            else:
                assert (kind, self.incoming) == (FrameKind.UNWATCH, None)
                assert body is not None
                self.lanes.difference_update(decode_lanes(body))


@given(STEPS, st.integers(10, 80), st.integers(10, 60))
def test_the_other_node_knows_what_is_watched(
    steps: list[tuple[str, list[str]]], most_changes: int, at_once: int
) -> None:
    """A batch is confirmed only when the other node has all of its lanes that are still watched."""
    module.MAX_CHANGES, module.AT_ONCE = most_changes, at_once  # type: ignore[misc]
    try:
        told, other = ToldLanes(), Receiver()
        watched: dict[str, None] = {}
        since: dict[str, int] = {}
        batch = 0
        for what, lanes in steps:
            if what == "watch":
                batch += 1
                watched |= dict.fromkeys(lanes)
                since |= dict.fromkeys(lanes, batch)
                told.watch(lanes, batch)
            elif what == "unwatch":
                for lane in lanes:
                    watched.pop(lane, None)
                told.unwatch(lanes)
            elif told.waits:
                other.feed(told.frames(watched.copy))
                assert other.confirmed <= told.told
                for lane in watched:
                    assert lane in other.lanes or since[lane] > other.confirmed
            assert told.size <= most_changes
        while told.waits:
            other.feed(told.frames(watched.copy))
        assert other.lanes == set(watched)
        assert other.confirmed == batch == told.told
    finally:
        module.MAX_CHANGES, module.AT_ONCE = MAX_CHANGES, AT_ONCE  # type: ignore[misc]


def test_a_long_list_is_told_in_frames_of_64_kib() -> None:
    told, other = ToldLanes(), Receiver()
    lanes = [f"pubsub:room:{number}" for number in range(100_000)]
    largest = 0
    while told.waits:
        data = told.frames(lambda: lanes)
        largest = max(largest, len(data))
        other.feed(data)
    assert other.lanes == set(lanes)
    assert largest < 3 * AT_ONCE


def test_changes_that_nobody_takes_become_one_list() -> None:
    told, other = ToldLanes(), Receiver()
    other.feed(told.frames(list))
    for number in range(200_000):
        told.watch([f"pubsub:{number}"], number + 1)
        told.unwatch([f"pubsub:{number}"])
        assert told.size <= MAX_CHANGES
    told.watch(["pubsub:last"], 200_001)
    while told.waits:
        other.feed(told.frames(lambda: ["pubsub:last"]))
    assert other.lanes == {"pubsub:last"}
    assert other.confirmed == 200_001
    assert other.ended >= 2
