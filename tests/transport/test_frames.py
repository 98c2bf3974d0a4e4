"""The slicer against a model: a whole stream taken apart at once, and the protocol of `websockets`."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side

from phxactor.transport._frames import RAW, FrameSlicer, fault
from phxactor.transport._frames import frame as server_frame
from tests.transport.frames import BINARY, CLOSE, CONT, FIN, PING, PONG, TEXT, close_frame, frame

LIMIT = 70_000
payloads = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([125, 126, 127, 65535, 65536]).map(lambda size: b"x" * size),
)


@st.composite
def messages(draw: st.DrawFn) -> list[tuple[bytes, list[tuple[int, bytes]]]]:
    """Make what a client may send: whole messages, fragmented ones, and control frames anywhere; and what is in it."""
    sent: list[tuple[bytes, list[tuple[int, bytes]]]] = []

    def control() -> None:
        data = frame(draw(st.sampled_from([PING, PONG])), draw(st.binary(max_size=125)))
        sent.append((data, [(RAW, data)]))

    for _ in range(draw(st.integers(0, 4))):
        opcode = draw(st.sampled_from([TEXT, BINARY]))
        match draw(st.sampled_from(["plain", "fragments", "control"])):
            case "plain":
                payload = draw(payloads)
                sent.append((frame(opcode, payload), [(opcode, payload)]))
            case "control":
                control()
            case _:
                parts = draw(st.lists(st.binary(max_size=50), min_size=2, max_size=4))
                for number, part in enumerate(parts):
                    data = frame(opcode if number == 0 else CONT, part, fin=number == len(parts) - 1)
                    sent.append((data, [(RAW, data)]))
                    if draw(st.booleans()):
                        control()
    return sent


def feed(data: bytes, cuts: list[int]) -> list[tuple[int, bytes]]:
    """Feed a slicer with pieces."""
    slicer, frames, last = FrameSlicer(LIMIT), [], 0
    for cut in [*sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]:
        frames += slicer.feed(data[last:cut])
        last = cut
    return frames


@settings(deadline=None)
@given(messages(), st.lists(st.integers(0, 2**20), max_size=12))
def test_however_the_bytes_are_split_the_frames_are_the_same(
    sent: list[tuple[bytes, list[tuple[int, bytes]]]], cuts: list[int]
) -> None:
    data = b"".join(piece for piece, _ in sent)
    assert feed(data, cuts) == [one for _, frames in sent for one in frames]


@settings(deadline=None)
@given(st.binary(max_size=40), st.binary(max_size=40))
def test_one_byte_at_a_time(first: bytes, second: bytes) -> None:
    data = frame(TEXT, first) + frame(PING, b"p") + frame(BINARY, second)
    assert feed(data, list(range(len(data)))) == [(TEXT, first), (RAW, frame(PING, b"p")), (BINARY, second)]


wrong = st.one_of(
    st.builds(
        frame,
        st.integers(0, 15),
        st.binary(max_size=300),
        fin=st.booleans(),
        bits=st.sampled_from([0, 0x40, 0x20, 0x10, 0x70]),
        masked=st.booleans(),
        size=st.none() | st.integers(0, 2**63),
    ),
    st.builds(close_frame, st.integers(0, 65535), st.binary(max_size=10)),
    st.binary(max_size=50),
)


@settings(deadline=None)
@given(st.lists(wrong, max_size=5), st.lists(st.integers(0, 2**20), max_size=12))
@example([b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff"], [])
def test_nothing_makes_it_raise_or_lose_a_byte(sent: list[bytes], cuts: list[int]) -> None:
    data = b"".join(sent)
    whole = feed(data, [])
    pieces = feed(data, cuts)
    plain = [one for one in whole if one[0] != RAW]
    assert [one for one in pieces if one[0] != RAW] == plain
    # What is for the protocol object comes in the same bytes, though perhaps in other pieces.
    assert raw_bytes(pieces) == raw_bytes(whole)
    slicer = FrameSlicer(LIMIT)
    taken = sum(len(one) if opcode == RAW else len(frame(opcode, one)) for opcode, one in slicer.feed(data))
    assert taken <= len(data)


def raw_bytes(frames: list[tuple[int, bytes]]) -> list[bytes]:
    """Join the pieces between plain frames."""
    joined = [b""]
    for opcode, data in frames:
        if opcode == RAW:
            joined[-1] += data
        else:
            joined.append(b"")
    return joined


@settings(deadline=None)
@given(messages())
def test_the_protocol_object_sees_the_same_messages(sent: list[tuple[bytes, list[tuple[int, bytes]]]]) -> None:
    data = b"".join(piece for piece, _ in sent)
    protocol = Protocol(Side.SERVER, max_size=None)
    protocol.receive_data(data)
    theirs = [
        (int(one.opcode), bytes(one.data))
        for one in protocol.events_received()
        if isinstance(one, Frame) and one.opcode in (Opcode.TEXT, Opcode.BINARY) and one.fin
    ]
    assert [one for one in feed(data, []) if one[0] != RAW] == theirs


def test_no_frame_that_is_wrong_passes_as_plain() -> None:
    for head in range(256):
        for mask in (True, False):
            data = frame(head & 0x0F, b"hello", fin=bool(head & FIN), bits=head & 0x70, masked=mask)
            frames = FrameSlicer(LIMIT).feed(data)
            assert frames == ([(head & 0x0F, b"hello")] if mask and head in (0x81, 0x82) else [(RAW, data)])


def refused_by_websockets(data: bytes, *, compressed: bool) -> str | None:
    """Say what `websockets` has against a frame that has come whole."""
    protocol = Protocol(Side.SERVER, max_size=None)
    if compressed:
        protocol.extensions = [PerMessageDeflate(False, False, 12, 12)]
    protocol.receive_data(data)
    return None if protocol.parser_exc is None else str(protocol.parser_exc)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_head_is_refused_as_websockets_refuses_the_whole_frame(*, compressed: bool) -> None:
    """All heads there are, with payloads on both sides of what a control frame holds."""
    later = {"unexpected continuation frame", "close frame too short", "expected str or bytes, not NoneType"}
    for head in range(256):
        for masked in (True, False):
            for size in (0, 2, 125, 126):
                payload = b"\x03\xe8" + b"\x00" * (size - 2) if size else b""
                data = frame(head & 0x0F, payload, fin=bool(head & FIN), bits=head & 0x70, masked=masked)
                theirs = refused_by_websockets(data, compressed=compressed)
                if theirs in later or (theirs or "").startswith("decompression failed"):
                    theirs = None
                assert (fault(data, compressed=compressed) is None) == (theirs is None), data
                if theirs is not None:
                    assert fault(data[: 4 if size == 126 else 2], compressed=compressed) == fault(
                        data, compressed=compressed
                    )


HEADS = {
    "reserved opcode": (frame(3, size=60_000), 2),
    "reserved control opcode": (frame(11, size=100), 2),
    "not masked": (frame(TEXT, masked=False, size=60_000), 2),
    "reserved bit": (frame(TEXT, bits=0x10, size=60_000), 2),
    "the bit of compression": (frame(TEXT, bits=0x40, size=60_000), 2),
    "control frame of two bytes' length": (frame(PING, size=126), 2),
    "control frame of eight bytes' length": (frame(CLOSE, size=65536), 2),
    "fragmented control frame": (frame(PING, fin=False, size=5), 2),
    "0 in two bytes": (b"\x81\xfe\x00\x00", 4),
    "125 in two bytes": (b"\x82\xfe\x00\x7d", 4),
    "125 in two bytes, in fragments": (b"\x01\xfe\x00\x7d", 4),
    "0 in eight bytes": (b"\x81\xff" + bytes(8), 10),
    "125 in eight bytes": (b"\x81\xff" + (125).to_bytes(8, "big"), 10),
    "65535 in eight bytes": (b"\x80\xff" + (65535).to_bytes(8, "big"), 10),
}


@pytest.mark.parametrize(("data", "enough"), HEADS.values(), ids=HEADS)
def test_a_head_that_is_wrong_comes_out_at_once_and_all_behind_it(data: bytes, enough: int) -> None:
    before = frame(TEXT, b"before")
    for size in range(enough, len(data) + 1):
        slicer = FrameSlicer(LIMIT)
        assert slicer.feed(before + data[:size]) == [(TEXT, b"before"), (RAW, data[:size])]
        assert slicer.feed(before) == [(RAW, before)]
    slicer = FrameSlicer(LIMIT)
    pieces = [slicer.feed(data[at : at + 1]) for at in range(enough)]
    assert pieces == [[]] * (enough - 1) + [[(RAW, data[:enough])]]
    assert fault(data[:enough], compressed=False) is not None


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_with_compression_the_first_reserved_bit_is_a_messages(opcode: int) -> None:
    data = frame(opcode, b"x" * 200, bits=0x40)
    slicer = FrameSlicer(LIMIT, compressed=True)
    assert slicer.feed(data[:100]) == []
    assert slicer.feed(data[100:]) == [(RAW, data)]
    for wrong in (frame(CONT, b"x", bits=0x40), frame(PING, b"x", bits=0x40), frame(TEXT, b"x", bits=0x60)):
        assert FrameSlicer(LIMIT, compressed=True).feed(wrong[:2]) == [(RAW, wrong[:2])]


def test_within_a_fragmented_message_no_frame_is_plain() -> None:
    slicer = FrameSlicer(LIMIT)
    begin, inner, end, after = frame(TEXT, b"a", fin=False), frame(TEXT, b"b"), frame(CONT, b"c"), frame(TEXT, b"d")
    assert slicer.feed(begin + frame(PING)) == [(RAW, begin), (RAW, frame(PING))]
    # A text within a text is the protocol object's to refuse; for the slicer, it is the end of that message.
    assert slicer.feed(inner) == [(RAW, inner)]
    assert slicer.feed(end + after) == [(RAW, end), (TEXT, b"d")]


@pytest.mark.parametrize("opcode", [TEXT, BINARY, CONT, PING, CLOSE, 3])
def test_from_a_frame_that_is_too_large_on_nothing_is_sliced(opcode: int) -> None:
    slicer = FrameSlicer(100)
    large, after = frame(opcode, b"x" * 101), frame(TEXT, b"y")
    assert slicer.feed(frame(TEXT, b"x" * 100)) == [(TEXT, b"x" * 100)]
    assert slicer.feed(large[:10]) == [(RAW, large[:10])]
    assert slicer.feed(large[10:] + after) == [(RAW, large[10:] + after)]


def test_a_frame_whose_head_is_cut_is_looked_at_when_more_comes() -> None:
    data = frame(BINARY, b"x" * 65536)
    slicer = FrameSlicer(LIMIT)
    for byte in data[:14]:
        assert slicer.feed(bytes([byte])) == []
    assert slicer.feed(data[14:-1]) == []
    assert slicer.feed(data[-1:] + b"\x81") == [(BINARY, b"x" * 65536)]
    assert slicer.feed(b"\x80\x00\x00\x00\x00") == [(TEXT, b"")]


@settings(deadline=None)
@given(st.sampled_from([TEXT, BINARY, CLOSE]), payloads)
def test_a_servers_frame_is_what_websockets_makes(opcode: int, data: bytes) -> None:
    if opcode == CLOSE:
        data = data[:125]
    assert server_frame(opcode, data) == Frame(Opcode(opcode), data).serialize(mask=False)
