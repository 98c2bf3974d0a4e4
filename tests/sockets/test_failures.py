"""What the log says of failures: of programs with traceback, topic and event; of clients one line, and no traceback."""

from __future__ import annotations

import logging

import pytest

from phxactor.testing import settle
from tests.conformance.client import Closed, Rejected
from tests.sockets.failing import UserSocket
from tests.sockets.serving import complaints, mounted, serving

pytestmark = pytest.mark.socket


CRASHED = "phxactor.channel.crashed"


@pytest.mark.parametrize(
    ("topic", "event", "where", "said"),
    [
        ("room:1", "fail", "'fail'", "in a handler"),
        ("room:1", "nested", "'nested'", "in a handler"),
        ("room:1", "broadcast", "'intercepted'", "in handle_out"),
        ("room:1", "send_self", None, "in handle_info"),
        ("room:1", "unwritable", "'unwritable'", "cannot write event 'phx_reply' on topic 'room:1'"),
        ("room:terminate", "fail", "'fail'", "in terminate"),
        ("room:terminate", "phx_leave", "'phx_leave'", "in terminate"),
    ],
)
async def test_a_channel_that_fails_is_told_with_topic_event_and_traceback(
    topic: str, event: str, where: str | None, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        serving(mounted(UserSocket)) as server,
        await server.connect() as client,
        await server.connect() as other,
    ):
        await client.ask(["1", "1", topic, "phx_join", {}])
        await client.ask(["2", "2", "room:2", "phx_join", {}])
        await other.ask(["1", "1", "room:3", "phx_join", {}])
        await client.send(["1", "3", topic, event, {}])
        heard = await client.json()
        if event == "phx_leave":
            assert heard == ["1", "3", topic, "phx_reply", {"status": "ok", "response": {}}]
            heard = await client.json()
            assert heard == ["1", "1", topic, "phx_close", {}]
        else:
            assert heard == ["1", "1", topic, "phx_error", {"reason": "channel_crash"}]
        (line,) = [line for line in complaints(caplog) if line.name == CRASHED]
        assert line.levelno == logging.ERROR
        assert f"Room of '{topic}' crashed" in line.message
        assert (f"in {where}" in line.message) if where else ("' crashed" in line.message)
        assert line.exc_info is not None
        assert said in caplog.text
        # All others are untouched, on this connection and elsewhere.
        for one, ref, its in ((client, "2", "room:2"), (other, "1", "room:3")):
            assert await one.ask([ref, "9", its, "echo", 1]) == [
                ref, "9", its, "phx_reply", {"status": "ok", "response": 1}
            ]  # fmt: skip


async def test_an_event_that_nobody_takes_is_one_line_and_a_phx_error(caplog: pytest.LogCaptureFixture) -> None:
    """A client's mistake is no crash of ours: no traceback, whatever its length."""
    async with serving(mounted(UserSocket)) as server, await server.connect() as client:
        for event in ("nobody's", "x" * 10_000):
            await client.ask(["1", "1", "room:1", "phx_join", {}])
            await client.send(["1", "3", "room:1", event, {}])
            assert await client.json() == ["1", "1", "room:1", "phx_error", {"reason": "channel_crash"}]
        short, long = complaints(caplog)
        assert short.message == "Room of 'room:1' has no handler for the event \"nobody's\""
        assert len(long.message) < 200
        assert {(line.levelno, line.exc_info) for line in (short, long)} == {(logging.WARNING, None)}


@pytest.mark.parametrize(
    "message",
    [
        pytest.param('["1","2","room:1","echo",' + "[" * 500 + "]" * 500 + "]", id="deep"),
        pytest.param(f'["1","{"2" * 256}","room:1","echo",{{}}]', id="a long ref"),
    ],
)
async def test_what_could_not_be_answered_is_refused_at_the_door(
    message: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(mounted(UserSocket)) as server, await server.connect() as client:
        await client.ask(["1", "1", "room:1", "phx_join", {}])
        await client.send(message)
        assert (await client.until_closed())[1] == Closed(1011)
        (line,) = complaints(caplog)
        assert line.exc_info is None


async def test_a_join_that_fails_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(mounted(UserSocket)) as server, await server.connect() as client:
        assert await client.ask(["1", "1", "room:join", "phx_join", {}]) == [
            "1", "1", "room:join", "phx_reply", {"status": "error", "response": {"reason": "join crashed"}}
        ]  # fmt: skip
        (line,) = [line for line in complaints(caplog) if line.name == CRASHED]
        assert line.message == "Room of 'room:join' crashed in 'phx_join'"
        assert line.exc_info is not None
        assert "Boom: in join" in caplog.text
        assert [line.name for line in complaints(caplog)] == [CRASHED]


async def test_a_stop_with_an_odd_reason_has_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(mounted(UserSocket)) as server, await server.connect() as client:
        await client.ask(["1", "1", "room:1", "phx_join", {}])
        await client.ask(["1", "2", "room:1", "stop", {}])
        await settle()
        (line,) = complaints(caplog)  # and none of the supervisor, which tells of the same end
        assert line.name == CRASHED
        assert line.message == "Room of 'room:1' crashed in 'stop': 'odd reason'"


@pytest.mark.parametrize("callback", ["connect", "identify"])
async def test_a_connect_that_fails_is_a_500(callback: str, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(mounted(UserSocket)) as server:
        with pytest.raises(Rejected) as rejected:
            await server.connect(f"/socket/websocket?vsn=2.0.0&fail={callback}")
        assert rejected.value.status == 500
        assert b"Boom" not in rejected.value.body
        (line,) = complaints(caplog)
        assert line.exc_info is not None
        assert "127.0.0.1:" in line.message
        assert "UserSocket" in line.message
        assert f"in {callback}" in caplog.text


async def test_a_refused_connect_is_one_line_at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(mounted(UserSocket)) as server:
        with pytest.raises(Rejected) as rejected:
            await server.connect("/socket/websocket?vsn=2.0.0&fail=refuse")
        assert rejected.value.status == 403
        (line,) = [line for line in complaints(caplog, logging.INFO) if "REFUSED" in line.message]
        assert line.message.startswith("REFUSED 127.0.0.1:")
        assert line.message.endswith("to UserSocket by websocket: connect refused: {'reason': 'no'}")
