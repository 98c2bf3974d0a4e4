"""What nodes say to one another of long polls: bytes there and back, and bytes that are nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.endpoint._relay_flow import WINDOW, Flow
from phxactor.endpoint._relay_frames import CHUNK, Frame, Verb, from_message, join_messages, split_messages, to_message
from phxactor.envelope import EnvelopeError, Kind, Message, decode, encode

NUMBERS = st.integers(0, 2**64 - 1)
frames = st.builds(Frame, st.sampled_from(Verb), NUMBERS, st.text(max_size=30), NUMBERS, st.binary(max_size=100))


@given(frames)
def test_a_frame_comes_as_it_was_said(frame: Frame) -> None:
    assert from_message(decode(encode(to_message(frame, "endpoint")))) == frame


@given(st.text(max_size=10) | st.sampled_from([verb.value for verb in Verb]), st.binary(max_size=40))
def test_whatever_is_no_frame_is_refused(event: str, payload: bytes) -> None:
    message = Message(Kind.RELAY, "endpoint", "session", event, payload)
    if event in {verb.value for verb in Verb} and len(payload) >= 16:
        assert to_message(from_message(message), "endpoint") == message
    else:
        with pytest.raises(EnvelopeError):
            from_message(message)


def test_a_frame_of_too_much_data_is_refused() -> None:
    message = to_message(Frame(Verb.BODY, data=bytes(CHUNK)), "endpoint")
    assert len(from_message(message).data) == CHUNK
    with pytest.raises(EnvelopeError):
        from_message(message._replace(payload=message.payload + b"x"))


@given(st.lists(st.binary(max_size=20)))
def test_messages_are_joined_and_split(messages: list[bytes]) -> None:
    joined = join_messages(messages)
    assert split_messages(joined) == messages
    for end in range(1, 4):
        if joined:
            with pytest.raises(EnvelopeError):
                split_messages(joined + b"\0" * end)


@given(st.lists(st.binary(max_size=50), min_size=1), st.integers(1, 20))
def test_data_comes_whole_in_parts_and_in_turns(bodies: list[bytes], chunk: int) -> None:
    flow = Flow(chunk)
    for number, body in enumerate(bodies):
        flow.add(Verb.BODY, number, body)
    come: dict[int, list[Frame]] = {}
    while (frame := flow.next()) is not None:
        come.setdefault(frame.number, []).append(frame)
    assert [b"".join(frame.data for frame in come[number]) for number in range(len(bodies))] == bodies
    for parts in come.values():
        assert all(0 < len(frame.data) <= chunk for frame in parts[:-1])
        assert [frame.value for frame in parts] == [0] * (len(parts) - 1) + [1]
    assert len(flow) == 0


def test_data_waits_until_what_is_on_its_way_has_come() -> None:
    ours, theirs = Flow(), Flow()
    ours.add(Verb.BODY, 1, bytes(3 * WINDOW))
    ours.add(Verb.BODY, 2, b"small")
    on_its_way = come = 0
    while len(ours):
        while (frame := ours.next()) is not None:
            on_its_way += len(frame.data)
            assert on_its_way <= WINDOW + len(b"small")
            if acknowledged := theirs.came(len(frame.data)):
                come += acknowledged
        ours.acknowledge(come)
        on_its_way, come = on_its_way - come, 0
    ours.add(Verb.BODY, 3, bytes(3 * WINDOW))
    while ours.next() is not None:
        pass
    ours.drop(3)
    ours.add(Verb.BODY, 4, b"x")
    assert ours.next() is None
    ours.forget()
    assert ours.next() == Frame(Verb.BODY, 4, value=1, data=b"x")
