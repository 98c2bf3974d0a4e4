"""What an application sends as its answer, and what becomes of one that fails."""

from __future__ import annotations

import gc
import logging
from typing import Any

import h11
import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor import call, self_pid
from phxactor.gateway import asgi
from phxactor.gateway._exchange import Exchange
from tests.gateway.requesting import OK, Recorder, answering, body
from tests.gateway.talking import hosting


async def test_an_answer_in_one_piece_gets_its_length_and_a_streamed_one_is_chunked() -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        await send(OK)
        if app.scope["path"] == "/chunked":
            await send(body(b"fo", more=True))
            await send(body(b"", more=True))
            await send(body(b"ur"))
        else:
            await send(body(b"four"))

    async with hosting(asgi("/", Recorder(steps), lifespan="off")) as house:
        one, many = await house.ask("/"), await house.ask("/chunked")
    assert (one.body, one.headers["content-length"]) == (b"four", "4")
    assert (many.body, many.headers["transfer-encoding"]) == (b"four", "chunked")
    assert one.headers["date"].endswith(" GMT")


async def test_an_answer_waits_for_a_slow_client() -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        await send(OK)
        for number in range(100):
            await send(body(b"x" * 50_000, more=True))
            app.log.append(number)
        await send(body(b""))

    app = Recorder(steps)
    async with hosting(asgi("/", app, lifespan="off")) as house:
        talk = await house.connect(lockstep=True)
        await talk.begin("/")
        await wait_all_tasks_blocked()
        assert len(app.log) < 10
        assert len((await talk.answer()).body) == 5_000_000
        assert (await talk.ask("/")).status == 200


async def test_a_client_that_takes_nothing_is_given_up(autojump_clock: MockClock) -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        await send(OK)

        async def pour() -> None:
            while True:
                await send(body(b"x" * 50_000, more=True))

        with pytest.raises(OSError, match="left"):
            await pour()
        app.log.append((await receive())["type"])
        app.log.append((await receive())["type"])

    app = Recorder(steps)
    async with hosting(asgi("/", app, lifespan="off")) as house:
        talk = await house.connect(lockstep=True)
        await talk.begin("/")
        await trio.sleep(100)
        assert house.running() == house.running("Connection") == []
    assert app.log == ["http.request", "http.disconnect"]


async def test_the_next_request_of_a_connection_is_answered_while_a_task_goes_on_behind_the_answer() -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        await answering(b"answer")(app.scope, receive, send)
        if app.scope["path"] == "/background":
            await app.go.wait()
            app.log.append("done")

    app = Recorder(steps)
    async with hosting(asgi("/", app, lifespan="off")) as house:
        talk = await house.connect()
        assert (await talk.ask("/background")).body == b"answer"
        talk.h11.start_next_cycle()
        assert (await talk.ask("/other")).body == b"answer"
        assert house.running() == ["GET /background"]
        await talk.leave()
        app.go.set()
        await wait_all_tasks_blocked()
        assert house.running() == []
    assert app.log == ["done"]


@pytest.mark.parametrize("pipelined", [1, 5])
async def test_pipelined_requests_are_answered_in_order(pipelined: int) -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        path = app.scope["path"].encode()
        await trio.lowlevel.checkpoint()
        await answering(path)(app.scope, receive, send)

    async with hosting(asgi("/", Recorder(steps), lifespan="off")) as house:
        talk = await house.connect()
        requests = [b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(pipelined)]
        await talk.send(b"".join(requests))
        for number in range(pipelined):
            talk.h11.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
            talk.h11.send(h11.EndOfMessage())
            assert (await talk.answer()).body == b"/%d" % number
            talk.h11.start_next_cycle()


@pytest.mark.parametrize("failure", ["raise", "group", "exit", "return", "start only"])
async def test_an_application_that_fails_before_its_answer_is_a_500(
    failure: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        if failure == "raise":
            raise ValueError("broken")
        if failure == "group":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.to_thread.run_sync, int, "broken")
        if failure == "exit":
            await call("nobody", 1)
        if failure == "start only":
            await send(OK)

    async with hosting(asgi("/", Recorder(steps), lifespan="off")) as house:
        talk = await house.connect()
        for _ in range(2):  # the connection lives on
            answer = await talk.ask("/fails")
            assert (answer.status, answer.text) == (500, "internal server error\n")
            talk.h11.start_next_cycle()
        await wait_all_tasks_blocked()
        assert house.running() == []
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 2  # one for each request
    assert "GET /fails" in errors[0].getMessage()


async def test_an_application_that_fails_within_its_answer_breaks_it_off(caplog: pytest.LogCaptureFixture) -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        await send(OK)
        await send(body(b"half", more=True))
        raise ValueError("broken")

    async with hosting(asgi("/", Recorder(steps), lifespan="off")) as house:
        talk = await house.connect()
        await talk.begin("/fails")
        await talk.head()
        assert bytes((await talk.event()).data) == b"half"
        assert await talk.closed()
    assert caplog.text.count("GET /fails failed") == 1


async def test_a_failure_behind_a_complete_answer_leaves_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        await answering(b"fine")(app.scope, receive, send)
        await trio.lowlevel.checkpoint()
        raise ValueError("broken")

    async with hosting(asgi("/", Recorder(steps), lifespan="off")) as house:
        talk = await house.connect()
        for _ in range(3):
            assert (await talk.ask("/")).body == b"fine"
            talk.h11.start_next_cycle()
        await wait_all_tasks_blocked()
    assert caplog.text.count("GET / failed") == 3


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-split", b"a\r\nset-cookie: b=1")],
        [(b"content-length", b"3")],
        [(b"content-length", b"5")],
        [(b"bad name", b"x")],
    ],
)
async def test_an_answer_that_breaks_HTTP_is_refused(
    headers: list[tuple[bytes, bytes]], caplog: pytest.LogCaptureFixture
) -> None:
    async with hosting(asgi("/", answering(b"four", *headers), lifespan="off")) as house:
        talk = await house.connect()
        await talk.begin("/")
        data = await talk.stream.receive_some()
        assert b"set-cookie" not in data
        assert data == b"" or b" 500 " in data.splitlines()[0]
    assert "breaks HTTP" in caplog.text


async def test_each_request_is_a_process_of_its_own() -> None:
    pids = []

    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        pids.append(self_pid())
        await app.go.wait()
        await answering(b"")(app.scope, receive, send)

    app = Recorder(steps)
    async with hosting(asgi("/", app, lifespan="off")) as house:
        talks = [await house.connect() for _ in range(3)]
        for talk in talks:
            await talk.begin("/")
        await wait_all_tasks_blocked()
        assert len(set(pids)) == 3
        pids[1].exit("killed")
        await wait_all_tasks_blocked()
        app.go.set()
        assert (await talks[0].answer()).status == 200
        assert (await talks[2].answer()).status == 200
        assert await talks[1].closed()


async def test_requests_over_the_limit_are_answered_503(caplog: pytest.LogCaptureFixture) -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        await app.go.wait()
        await answering(b"ok")(app.scope, receive, send)

    app = Recorder(steps)
    async with hosting(asgi("/", app, lifespan="off", max_requests=2)) as house:
        talks = [await house.connect() for _ in range(2)]
        for talk in talks:
            await talk.begin("/")
        await wait_all_tasks_blocked()
        answer = await house.ask("/")
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        app.go.set()
        assert [(await talk.answer()).status for talk in talks] == [200, 200]
        assert (await house.ask("/")).status == 200
    assert "the application at / has 2 requests" in caplog.text


@pytest.mark.parametrize("path", ["/fine", "/waits", "/fails"])
async def test_nothing_is_left_of_a_request_that_has_ended(path: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "phxactor.gateway.failed")  # pytest would keep the traceback and its frames

    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        await receive()
        if path == "/waits":
            await trio.lowlevel.checkpoint()
        if path == "/fails":
            raise ValueError("broken")
        await answering(b"")(app.scope, receive, send)

    async with hosting(asgi("/", Recorder(steps), lifespan="off")) as house:
        gc.collect()
        gc.disable()
        try:
            await house.ask(path, "POST", b"body")
            await wait_all_tasks_blocked()
            assert not any(type(one) is Exchange for one in gc.get_objects())
        finally:
            gc.enable()
