"""The body of a request, as an application receives it: its pieces, its limits, and how it ends."""

from __future__ import annotations

import logging
from typing import Any

import h11
import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor.gateway import asgi
from tests.gateway.requesting import OK, Recorder, answering, body
from tests.gateway.talking import hosting


async def test_a_body_is_read_one_piece_at_a_time_when_the_application_asks(autojump_clock: MockClock) -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        await app.go.wait()
        more = True
        while more:
            message = await receive()
            app.log.append(len(message["body"]))
            more = message["more_body"]
            await trio.sleep(1)
        await send(OK)
        await send(body(b"%d" % sum(app.log)))

    app = Recorder(steps)
    sent = 0
    async with hosting(asgi("/", app, lifespan="off"), max_body_bytes=10_000_000) as house:
        talk = await house.connect(lockstep=True)
        await talk.begin("/", "POST", content_length="3000000")

        async def upload() -> None:
            nonlocal sent
            for at in range(0, 3_000_000, 50_000):
                await talk.more(b"x" * 50_000)
                sent = at + 50_000
            await talk.more(b"", last=True)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(upload)
            await wait_all_tasks_blocked()
            assert sent < 500_000  # the server reads no more than the application takes
            app.go.set()
            assert (await talk.answer()).body == b"3000000"
    assert max(app.log) <= 65536


async def test_a_request_body_is_streamed_into_the_answer() -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        await send(OK)
        more = True
        while more:
            message = await receive()
            more = message["more_body"]
            await send(body(message["body"].upper(), more=more))

    async with hosting(asgi("/", Recorder(steps), lifespan="off")) as house:
        talk = await house.connect()
        await talk.begin("/", "POST", transfer_encoding="chunked")
        for piece in (b"abc", b"def"):
            await talk.more(piece)
            if piece == b"abc":
                assert (await talk.head()).status_code == 200
            assert bytes((await talk.event()).data) == piece.upper()  # before the request's end
        await talk.more(b"", last=True)
        assert isinstance(await talk.event(), h11.EndOfMessage)


async def test_100_continue_is_sent_when_the_application_asks_for_the_body() -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        await app.go.wait()
        message = await receive()
        await send(OK)
        await send(body(message["body"]))

    app = Recorder(steps)
    async with hosting(asgi("/", app, lifespan="off")) as house:
        talk = await house.connect()
        await talk.begin("/", "POST", expect="100-continue", content_length="3")
        with trio.move_on_after(0):
            await trio.lowlevel.checkpoint()
        await wait_all_tasks_blocked()
        app.go.set()
        assert isinstance(await talk.event(), h11.InformationalResponse)
        await talk.more(b"abc", last=True)
        assert (await talk.answer()).body == b"abc"


async def test_without_receive_there_is_no_100_continue_and_the_connection_ends() -> None:
    async with hosting(asgi("/", answering(b"no"), lifespan="off")) as house:
        talk = await house.connect()
        await talk.begin("/", "POST", expect="100-continue", content_length="3")
        answer = await talk.answer()
        assert (answer.body, answer.headers["connection"]) == (b"no", "close")


async def test_a_body_that_nobody_takes_but_that_is_here_keeps_the_connection() -> None:
    async with hosting(asgi("/", answering(b"ok"), lifespan="off")) as house:
        talk = await house.connect()
        for _ in range(3):
            assert "connection" not in (await talk.ask("/", "POST", b"x" * 1000)).headers
            talk.h11.start_next_cycle()


@pytest.mark.parametrize("framing", [{"content_length": "2001"}, {"transfer_encoding": "chunked"}])
async def test_a_body_over_the_limit_is_answered_413(framing: dict[str, str]) -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        while (message := await receive())["type"] == "http.request":
            app.log.append(len(message["body"]))
        app.log.append(message["type"])
        with pytest.raises(OSError, match="left"):
            await send(OK)

    app = Recorder(steps)
    async with hosting(asgi("/", app, lifespan="off", max_body_bytes=2000)) as house:
        talk = await house.connect()
        await talk.begin("/", "POST", **framing)
        for _ in range(3):
            await talk.more(b"x" * 667)
        assert (await talk.answer()).status == 413
    assert sum(one for one in app.log if isinstance(one, int)) <= 2000
    assert app.log[-1:] in ([], ["http.disconnect"])


async def test_a_body_of_tiny_chunks_lets_others_run() -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message["body"]), message["more_body"]
            app.log.append(size)
        await send(OK)
        await send(body(b"%d" % size))

    app = Recorder(steps)
    async with hosting(asgi("/", app, lifespan="off")) as house:
        talk = await house.connect()
        await talk.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 5000 + b"0\r\n\r\n"
        )
        talk.h11.send(h11.Request(method="POST", target="/", headers=[("host", "a")]))
        talk.h11.send(h11.EndOfMessage())
        assert (await talk.answer()).body == b"5000"
    assert len(app.log) > 5000 / 200


async def test_a_body_that_stops_coming_is_answered_408(autojump_clock: MockClock) -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        while True:
            app.log.append((await receive())["type"])
            if app.log[-1] == "http.disconnect":
                return

    app = Recorder(steps)
    async with hosting(asgi("/", app, lifespan="off")) as house:
        talk = await house.connect()
        await talk.begin("/", "POST", content_length="10")
        await talk.more(b"x")
        assert (await talk.answer()).status == 408
    assert app.log == ["http.request", "http.disconnect"]


@pytest.mark.parametrize(("seconds", "status"), [(0.5, 200), (5, 408)])
async def test_a_body_that_drips_is_answered_408(autojump_clock: MockClock, seconds: float, status: int) -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        message: Any = {"more_body": True}
        while message.get("more_body"):
            message = await receive()
            await trio.sleep(1)  # the time of the application does not count
        if message["type"] == "http.request":
            await send(OK)
            await send(body(b""))

    async with hosting(asgi("/", Recorder(steps), lifespan="off", timeout=10**6)) as house:
        talk = await house.connect()
        await talk.begin("/", "POST", content_length="100000")
        began = trio.current_time()
        async with trio.open_nursery() as nursery:

            async def drip() -> None:
                for _ in range(100):
                    await talk.more(b"x" * 1000)
                    await trio.sleep(seconds)
                await talk.more(b"", last=True)

            nursery.start_soon(drip)
            assert (await talk.answer()).status == status
            nursery.cancel_scope.cancel()
        assert trio.current_time() - began < 120


async def test_a_client_that_leaves_within_its_body_is_a_disconnect(caplog: pytest.LogCaptureFixture) -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        while True:
            app.log.append((await receive())["type"])
            if app.log[-1] == "http.disconnect":
                return

    app = Recorder(steps)
    async with hosting(asgi("/", app, lifespan="off")) as house:
        talk = await house.connect()
        await talk.begin("/", "POST", content_length="10")
        await talk.more(b"x")
        await wait_all_tasks_blocked()
        await talk.leave()
        assert house.running() == []
    assert app.log == ["http.request", "http.disconnect"]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    ("method", "status", "headers", "sent"),
    [
        ("GET", 200, {}, b"four"),
        ("HEAD", 200, {"content-length": "4"}, b""),
        ("HEAD", 405, {"content-length": "4"}, b""),
        ("GET", 204, {}, b""),
        ("GET", 304, {"content-length": "4"}, b""),
    ],
)
@pytest.mark.parametrize("pieces", [1, 2])
async def test_a_body_that_HTTP_does_not_allow_is_dropped(
    method: str, status: int, headers: dict[str, str], sent: bytes, pieces: int
) -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        if pieces == 2:
            await send(body(b"fo", more=True))
        await send(body(b"ur" if pieces == 2 else b"four"))

    async with hosting(asgi("/", Recorder(steps), lifespan="off")) as house:
        talk = await house.connect()
        for _ in range(2):  # the connection lives on
            answer = await talk.ask("/", method)
            assert (answer.status, answer.body) == (status, sent)
            assert answer.headers.get("content-length", "4") == "4"
            talk.h11.start_next_cycle()
