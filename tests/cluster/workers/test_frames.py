"""Frames: however the bytes of a line are cut, the same frames come out, and garbage is refused."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.cluster.carriers.workers._frames import (
    HEAD,
    HEAD_BYTES,
    MAX_LANES_BYTES,
    MAX_SKIPPED,
    FrameKind,
    FrameReader,
    LineError,
    decode_lanes,
    encode_lanes,
    frame,
)

LIMIT = 100

EMPTY = st.sampled_from([FrameKind.LIST, FrameKind.LIST_END, FrameKind.CONFIRM, FrameKind.BEAT, FrameKind.GOODBYE]).map(
    lambda kind: (kind, b"")
)
WITH_BODY = st.tuples(st.sampled_from([FrameKind.WATCH, FrameKind.UNWATCH]), st.binary(max_size=2 * LIMIT))
MESSAGES = st.tuples(st.just(FrameKind.MESSAGE), st.binary(max_size=2 * LIMIT))  # half of them are too large
FRAMES = st.lists(st.tuples(st.integers(0, 2**64 - 1), st.one_of(EMPTY, WITH_BODY, MESSAGES)))


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut bytes at these places, taken modulo their length."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[one:other] for one, other in pairwise(places)]


@given(FRAMES, st.lists(st.integers(0, 10_000)), st.booleans())
def test_frames_survive_every_cut(
    frames: list[tuple[int, tuple[FrameKind, bytes]]],
    cuts: list[int],
    eager: bool,
) -> None:
    """Also when several pieces come before anything is taken out."""
    data = b"".join(frame(kind, number, body) for number, (kind, body) in frames)
    reader = FrameReader(LIMIT)
    got = []
    for piece in pieces(data, cuts):
        reader.feed(piece)
        while eager and (one := reader.next()) is not None:
            got.append(one)
    while (one := reader.next()) is not None:
        got.append(one)
    wanted = [
        (kind, number, None if kind == FrameKind.MESSAGE and len(body) > LIMIT else body)
        for number, (kind, body) in frames
    ]
    assert got == wanted


@given(FRAMES, st.integers(0, 10_000), st.lists(st.integers(0, 10_000)))
def test_a_process_killed_in_mid_frame_leaves_whole_frames(
    frames: list[tuple[int, tuple[FrameKind, bytes]]], end: int, cuts: list[int]
) -> None:
    whole = [frame(kind, number, body) for number, (kind, body) in frames]
    data = b"".join(whole)
    end %= len(data) + 1
    reader = FrameReader(2 * LIMIT)
    got = 0
    for piece in pieces(data[:end], cuts):
        reader.feed(piece)
        while reader.next() is not None:
            got += 1
    complete, size = 0, 0
    for one in whole:
        if size + len(one) > end:
            break
        size += len(one)
        complete += 1
    assert got == complete


@given(st.lists(st.binary()))
def test_garbage_raises_nothing_but_its_error(garbage: list[bytes]) -> None:
    reader = FrameReader(LIMIT)
    try:
        for piece in garbage:
            reader.feed(piece)
            while (got := reader.next()) is not None:
                kind, _, body = got
                assert kind in set(FrameKind)
                assert body is None or len(body) <= (LIMIT if kind == FrameKind.MESSAGE else MAX_LANES_BYTES)
    except LineError:
        pass


@pytest.mark.parametrize(
    "head",
    [
        HEAD.pack(0, 0, 1),
        HEAD.pack(0, 9, 1),
        HEAD.pack(0, 255, 1),
        HEAD.pack(1, FrameKind.BEAT, 1),
        HEAD.pack(1, FrameKind.LIST, 0),
        HEAD.pack(MAX_LANES_BYTES + 1, FrameKind.WATCH, 1),
        HEAD.pack(MAX_SKIPPED + 1, FrameKind.MESSAGE, 1),
        HEAD.pack(2**32 - 1, FrameKind.UNWATCH, 1),
    ],
)
def test_a_head_that_promises_too_much_is_refused_at_once(head: bytes) -> None:
    reader = FrameReader(LIMIT)
    reader.feed(head)
    with pytest.raises(LineError):
        reader.next()


def test_a_message_that_is_too_large_is_skipped_and_not_kept() -> None:
    reader = FrameReader(LIMIT)
    reader.feed(HEAD.pack(MAX_SKIPPED, FrameKind.MESSAGE, 7) + b"x")
    assert reader.next() == (FrameKind.MESSAGE, 7, None)
    piece, left = bytes(1024 * 1024), MAX_SKIPPED - 1
    tracemalloc.start()
    while left:
        reader.feed(piece[:left])
        left = max(0, left - len(piece))
        assert reader.next() is None
    assert tracemalloc.get_traced_memory()[1] < 2 * len(piece)
    tracemalloc.stop()
    reader.feed(frame(FrameKind.BEAT, 7))
    assert reader.next() == (FrameKind.BEAT, 7, b"")


def test_the_head_has_13_bytes() -> None:
    assert frame(FrameKind.MESSAGE, 2, b"body") == bytes.fromhex("00000004 01 0000000000000002") + b"body"
    assert HEAD_BYTES == 13


@given(st.lists(st.text()))
def test_lanes_survive_but_for_those_that_are_no_text(lanes: list[str]) -> None:
    assert decode_lanes(encode_lanes([*lanes, "half \ud800"])) == lanes


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'["a",null]', b'["a"', b'"a"', b'["\xff"]'])
def test_what_is_no_list_of_lanes_is_refused(body: bytes) -> None:
    with pytest.raises(LineError):
        decode_lanes(body)


def test_one_frame_of_lanes_never_exceeds_its_limit() -> None:
    """Even where JSON needs six characters for one, and the last lane is as long as a lane can be."""
    worst = ["\x00" * 65_000, "\x00" * (65_535 + 256)]
    assert len(encode_lanes(worst)) < MAX_LANES_BYTES
