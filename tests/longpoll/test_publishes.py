"""Publishing: one message or many, text or binary, and what cannot be read."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from phxactor import LongPollOptions
from phxactor.transport._publications import MAX_LINES
from tests.longpoll.polling import GONE, MALFORMED, NDJSON, OPENED, TAKEN, house, reply
from tests.sockets.serving import complaints

JOIN = b'["1","1","room:1","phx_join",{}]'


def echo(ref: int) -> list[object]:
    return ["1", str(ref), "room:1", "echo", ref]


def binary(ref: str, payload: bytes) -> bytes:
    """Make the base64 of a binary push of the event `echo`."""
    return base64.b64encode(bytes([0, 1, len(ref), 6, 4]) + b"1" + ref.encode() + b"room:1echo" + payload)


# -------------------------------------------------------------------------------------------------------- lines


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("content_type", [NDJSON, "Application/X-NDJSON; charset=utf-8"])
async def test_lines_are_messages(end: bytes, content_type: str, autojump_clock: MockClock) -> None:
    async with house() as it:
        client = await it.opened()
        lines = [JOIN, b'["1", "2", "room:1", "echo", "gr\xc3\xbc\xc3\x9fe"]', b'["1", "3", "room:1", "echo", 3]', b""]
        assert await client.publish(end.join(lines), content_type) == TAKEN
        await trio.sleep(0.001)
        answers = [reply("1", "1", "room:1"), reply("1", "2", "room:1", "grüße"), reply("1", "3", "room:1", 3)]
        assert await client.messages() == answers


async def test_a_hundred_lines_are_taken(autojump_clock: MockClock) -> None:
    async with house() as it:
        client = await it.opened()
        await client.join("room:1")
        assert await client.publish_lines(*map(echo, range(MAX_LINES))) == TAKEN
        await trio.sleep(0.001)
        assert await client.messages() == [reply("1", str(ref), "room:1", ref) for ref in range(MAX_LINES)]


async def test_more_than_a_hundred_lines_are_not(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with house() as it:
        client = await it.opened()
        await client.join("room:1")
        assert await client.publish_lines(*map(echo, range(MAX_LINES + 1))) == MALFORMED
        assert await client.poll() == OPENED
        await trio.sleep(0.001)
        assert it.channels() == []
    (line,) = complaints(caplog)
    words = "192.0.2.7:50000 is closed with 400: the request has more than 100 messages"
    assert line.getMessage() == words


@pytest.mark.parametrize("binary_too", [False, True])
async def test_a_message_that_is_too_long_ends_the_session(
    binary_too: bool, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Each message counts for itself, and a binary one without its base64."""
    push = ["1", "2", "room:1", "echo", "x" * 100]
    size = len(orjson.dumps(push))
    sized = binary("2", b"x" * (size - 17)) if binary_too else push
    for limit, answer in ((size, TAKEN), (size - 1, MALFORMED)):
        async with house(LongPollOptions(check_origin=False, max_message_size=limit)) as it:
            client = await it.opened()
            await client.join("room:1")
            assert await client.publish_lines(echo(2), sized, echo(4)) == answer
            assert await client.publish(echo(5)) == (TAKEN if answer == TAKEN else GONE)
    (line,) = complaints(caplog)
    words = f"192.0.2.7:50000 is closed with 400: the message has {size} bytes; the limit is {size - 1}"
    assert line.getMessage() == words


async def test_so_does_one_with_too_many_arrays_and_objects(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    push = ["1", "2", "room:1", "echo", [[]] * 98]
    for limit, answer in ((100, TAKEN), (99, MALFORMED)):
        async with house(LongPollOptions(check_origin=False, max_containers=limit)) as it:
            client = await it.opened()
            await client.join("room:1")
            assert await client.publish_lines(echo(2), push, echo(4)) == answer
            assert await client.publish(echo(5)) == (TAKEN if answer == TAKEN else GONE)
    (line,) = complaints(caplog)
    words = "the message has 100 arrays and objects; the limit (max_containers) is 99"
    assert line.getMessage() == f"192.0.2.7:50000 is closed with 400: {words}"


async def test_as_json_a_body_is_one_message(autojump_clock: MockClock) -> None:
    async with house() as it:
        client = await it.opened()
        assert await client.publish(b'\n ["1", "1",\r\n "room:1", "phx_join", {}]\n') == TAKEN
        assert await client.messages() == [reply("1", "1", "room:1")]


async def test_no_lines_are_no_messages(autojump_clock: MockClock) -> None:
    async with house() as it:
        client = await it.opened()
        assert await client.publish(b"", NDJSON) == TAKEN
        assert await client.publish(b"\n\r\n\n", NDJSON) == TAKEN


# ------------------------------------------------------------------------------------------------------- binary


@pytest.mark.parametrize("payload", [b"", b"\x00", b"\n[{\xff", bytes(range(256)) * 300])
async def test_binary_goes_both_ways(payload: bytes, autojump_clock: MockClock) -> None:
    async with house() as it:
        client = await it.opened()
        await client.join("room:1")
        assert await client.publish_lines(echo(2), binary("3", payload), echo(4)) == TAKEN
        await trio.sleep(0.001)
        first, middle, last = await client.messages()
        assert (first, last) == (reply("1", "2", "room:1", 2), reply("1", "4", "room:1", 4))
        assert base64.b64decode(middle, validate=True) == b"\x01\x01\x01\x06\x02" + b"13room:1ok" + payload


# ------------------------------------------------------------------------------------- what is answered, though odd


async def test_fields_of_other_types_are_answered_and_the_session_goes_on(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    unmatched, text = {"reason": "unmatched topic"}, "\\ud83d"
    async with house() as it:
        client = await it.opened()
        await client.join("room:1")
        lines = [
            ["1", "2", 7, "phx_join", {}],
            ["1", "3", None, "echo", {}],
            ["1", "4", ["room:1"], "phx_leave", {}],
            ["1", "5", "room:2", {"a": 1}, {}],
            ["1", {"b": [True]}, "room:1", "echo", 6],
            f'["1","7","room:1","echo","{text}"]'.encode(),
            f'["1","8","room:{text}","echo",{{}}]'.encode(),
            f'["1","{text}","room:1","echo",{{}}]'.encode(),
            ["1", "10", "room:1", 10, {}],
        ]
        assert await client.publish_lines(*lines) == TAKEN
        await trio.sleep(0.001)
        expected: list[Any] = [
            [None, "2", 7, "phx_reply", {"status": "error", "response": unmatched}],
            [None, "3", None, "phx_reply", {"status": "error", "response": unmatched}],
            ["1", "4", ["room:1"], "phx_reply", {"status": "ok", "response": {}}],
            [None, "5", "room:2", "phx_reply", {"status": "error", "response": unmatched}],
            ["1", {"b": [True]}, "room:1", "phx_reply", {"status": "ok", "response": 6}],
            reply("1", "7", "room:1", "\ufffd"),
            [None, "8", "room:\ufffd", "phx_reply", {"status": "error", "response": unmatched}],
            [None, "\ufffd", "room:1", "phx_reply", {"status": "error", "response": {"reason": "invalid ref"}}],
            ["1", "1", "room:1", "phx_error", {"reason": "channel_crash"}],
        ]
        said = await client.messages()
        assert sorted(map(repr, said)) == sorted(map(repr, expected))
        await client.join("room:1", "11")
    (line,) = complaints(caplog)
    assert line.getMessage() == "Room of 'room:1' has no handler for the event '10'"
    assert line.exc_info is None


# ---------------------------------------------------------------------------------------------- what cannot be read

BAD = {
    "nothing": b"",
    "no JSON": b"nonsense",
    "no array": b"42",
    "too short": b'["1","1","room:1","phx_join"]',
    "cut": JOIN[:-1],
    "not UTF-8": b'["1","1","room:\xff","phx_join",{}]',
    "deep": b"[" * 3000 + b"]" * 3000,
    "two messages": JOIN + b"\n" + JOIN,
    "an object": b'{"topic":"room:1","event":"phx_join","payload":{},"ref":"1"}',
}
BAD_LINES = {
    "no base64": b"nonsense!",
    "no padding": b"AAAAA",
    "of the URL alphabet": b"-_-_",
    "no binary message": base64.b64encode(b"\x09\x01\x01\x01\x01abcd"),
    "a cut binary message": base64.b64encode(b"\x00\x01\x01\x06\x04" + b"12room:"),
    "blank": b" ",
} | {name: data for name, data in BAD.items() if data and b"\n" not in data}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
async def test_a_body_that_cannot_be_read_ends_the_session(
    body: bytes, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with house() as it:
        client = await it.opened()
        await client.join("room:1")
        since = trio.current_time()
        assert await client.publish(body) == MALFORMED
        assert trio.current_time() - since < 0.01
        assert await client.publish(echo(2)) == GONE
        assert it.channels() == []
        assert await client.poll() == OPENED
    (line,) = complaints(caplog)
    assert "192.0.2.7:50000" in line.getMessage()


@pytest.mark.parametrize("line", BAD_LINES.values(), ids=BAD_LINES)
async def test_so_does_a_line(line: bytes, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    """What stands before it is handled, though its answers find nobody; what follows is not."""
    async with house() as it:
        client, other = await it.opened(), await it.opened()
        await client.join("room:1")
        await other.join("room:1")
        shout = ["1", "2", "room:1", "shout"]
        assert await client.publish_lines([*shout, "before"], line, [*shout, "after"]) == MALFORMED
        assert await client.publish(echo(2)) == GONE
        assert await other.messages() in ([[None, None, "room:1", "shout", "before"]], [])
        assert (await other.poll())["status"] == 204
    assert len(complaints(caplog)) == 1


async def test_a_poll_that_waits_is_told_at_once(autojump_clock: MockClock) -> None:
    async with house() as it:
        client = await it.opened()
        answers = []

        async def poll() -> None:
            answers.append((await client.poll(), trio.current_time()))

        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(poll)
            await trio.sleep(1)
            assert await client.publish(b"nonsense") == MALFORMED
        assert answers == [(GONE, start + 1)]


@settings(max_examples=50, deadline=None)
@given(
    st.one_of(st.binary(), st.lists(st.sampled_from([JOIN, *BAD_LINES.values(), b"", b"\r"])).map(b"\n".join)),
    st.sampled_from(["application/json", NDJSON, "", "é"]),
)
def test_any_body_is_taken_or_ends_the_session(body: bytes, content_type: str) -> None:
    async def main() -> None:
        async with house() as it:
            client = await it.opened()
            said = await client.publish(body, content_type)
            assert said in (TAKEN, MALFORMED)
            assert await client.publish([None, "1", "phoenix", "heartbeat", {}]) == (TAKEN if said == TAKEN else GONE)

    trio.run(main, clock=MockClock(autojump_threshold=0))
