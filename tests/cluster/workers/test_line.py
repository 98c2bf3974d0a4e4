"""A line alone: what it writes to a socket that takes little, and what it takes from one."""

from __future__ import annotations

import socket
from typing import cast

from hypothesis import example, given
from hypothesis import strategies as st

from phxactor.cluster import new_node
from phxactor.cluster.carriers.workers._frames import FrameKind, encode_lanes, frame
from phxactor.cluster.carriers.workers._line import Line, LineOwner
from phxactor.cluster.carriers.workers._outbox import Outbox


class Wire:
    """A socket that takes so many bytes at a time, 0 for none, and then all; and brings what it is given."""

    def __init__(self, takes: list[int]) -> None:
        self.takes = iter(takes)
        self.taken = b""
        self.brings: list[bytes] = []

    def settimeout(self, seconds: float) -> None:
        assert seconds == 0

    def fileno(self) -> int:
        return 99

    def send(self, data: bytes) -> int:
        size = min(len(data), next(self.takes, 2**30))
        if size == 0:
            raise BlockingIOError
        self.taken += bytes(data[:size])
        return size

    def recv(self, _: int) -> bytes:
        if not self.brings:
            raise BlockingIOError
        return self.brings.pop(0)


class Owner:
    """Writes down what a line calls."""

    def __init__(self) -> None:
        self.called: list[str] = []

    def __getattr__(self, name: str) -> object:
        return lambda *_: self.called.append(name)


def line_over(wire: Wire) -> Line:
    """Return a line whose node has been told all lanes."""
    line = Line(new_node("other@here/2"), cast("socket.socket", wire))
    line.flush(list)
    return line


@given(st.lists(st.integers(0, 40), max_size=30), st.lists(st.binary(min_size=1, max_size=30), max_size=10))
@example([0, 5, 0], [b"first", b"second"])
def test_what_is_written_is_whole_however_little_the_socket_takes(takes: list[int], messages: list[bytes]) -> None:
    wire = Wire([])
    line = line_over(wire)
    wire.taken, wire.takes = b"", iter(takes)
    for message in messages:
        line.outbox.add(message)
        line.flush(list)
    while not line.flush(list):
        pass
    whole = [frame(FrameKind.MESSAGE, number, message) for number, message in enumerate(messages, 1)]
    assert wire.taken == b"".join(whole)


def test_a_second_list_of_lanes_takes_the_place_of_the_first() -> None:
    wire, owner = Wire([]), Owner()
    line = line_over(wire)
    for number, lane in enumerate(("news", "sport")):
        told = frame(FrameKind.LIST) + frame(FrameKind.WATCH, 0, encode_lanes([lane]))
        wire.brings = [told + frame(FrameKind.LIST_END, number)]
        assert line.receive()
        assert not line.handle(cast("LineOwner", owner), float("inf"))
        assert line.lanes == {lane}
    assert owner.called.count("listed") == 2


def test_what_is_dropped_is_counted_without_the_heads_of_frames() -> None:
    outbox = Outbox()
    outbox.add(b"abc")
    outbox.add(b"de")
    assert outbox.drop() == (2, 5)
