"""HTTP of ASGI applications, over streams in memory and in virtual time: what each party is told, and when."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor import Response, get
from phxactor.gateway import asgi
from tests.gateway.requesting import OK, Recorder, answering, body
from tests.gateway.talking import hosting


@pytest.mark.parametrize("at", ["/", "/api", "/api/v1"])
async def test_scope_has_path_with_root_path_and_headers_in_order(at: str) -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        await answering(b"")(app.scope, receive, send)

    app = Recorder(steps)
    async with hosting(asgi(at, app, lifespan="off")) as house:
        talk = await house.connect()
        await talk.send(
            b"POST /api/v1/a%2Fb%20%C3%A9?x=%20&y HTTP/1.1\r\nHost: App.test\r\nX-Two: 1\r\nX-One: b\r\nX-Two: 2\r\n"
            b"Content-Length: 0\r\n\r\n"
        )
        await talk.stream.receive_some()
        await talk.leave()
    scope = app.scope
    assert scope["path"] == "/api/v1/a/b é"
    assert scope["raw_path"] == b"/api/v1/a%2Fb%20%C3%A9"
    assert scope["root_path"] == ("" if at == "/" else at)
    assert scope["query_string"] == b"x=%20&y"
    assert scope["headers"] == [
        (b"host", b"App.test"), (b"x-two", b"1"), (b"x-one", b"b"), (b"x-two", b"2"), (b"content-length", b"0"),
    ]  # fmt: skip
    assert (scope["method"], scope["scheme"], scope["http_version"]) == ("POST", "http", "1.1")
    assert scope["client"] == ("memory", 0)
    assert scope["server"] is None
    assert scope["asgi"] == {"version": "3.0", "spec_version": "2.4"}


@pytest.mark.parametrize(
    ("path", "answered"),
    [
        ("/", b"root"),
        ("/api", b"api"),
        ("/api/", b"api"),
        ("/api/x", b"api"),
        ("/apix", b"root"),
        ("/api/deep/x", b"deep"),
        ("/route", b"route"),
    ],
)
async def test_a_request_goes_to_a_route_then_to_the_deepest_application(path: str, answered: bytes) -> None:
    async def route(_: Any) -> Response:  # noqa: ANN401
        return Response(200, b"route")

    apps = [
        asgi(at, answering(text), lifespan="off")
        for at, text in (("/", b"root"), ("/api", b"api"), ("/api/deep", b"deep"))
    ]
    async with hosting(*apps, routes=[get("/route", route)]) as house:
        assert (await house.ask(path)).body == answered
        assert (await house.ask("/route", "POST")).body == b"root"  # no route has the method


async def test_two_applications_cannot_have_one_path() -> None:
    with pytest.raises(ValueError, match="two applications are mounted at /api"):
        async with hosting(asgi("/api", answering(b"")), asgi("/api", answering(b""))):
            pass


async def test_a_waiting_message_is_received_in_a_cancelled_scope() -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        await receive()
        await app.go.wait()
        with trio.CancelScope() as scope:
            scope.cancel()
            app.log.append(await receive())

    app = Recorder(steps)
    async with hosting(asgi("/", app, lifespan="off")) as house:
        talk = await house.connect()
        await talk.begin("/")
        await wait_all_tasks_blocked()
        await talk.leave()
        app.go.set()
        await wait_all_tasks_blocked()
        assert app.log == [{"type": "http.disconnect"}]
        assert house.running() == []


async def test_disconnect_is_received_for_ever_and_send_raises_an_OSError() -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        for _ in range(3):
            app.log.append((await receive())["type"])
        for message in (OK, body(b"late")):
            with pytest.raises(OSError, match="the client has left"):
                await send(message)
        app.log.append("end")

    app = Recorder(steps)
    async with hosting(asgi("/", app, lifespan="off")) as house:
        talk = await house.connect()
        await talk.begin("/")
        await wait_all_tasks_blocked()
        assert app.log == ["http.request"]  # the second `receive` waits
        await talk.leave()
        assert app.log == ["http.request", "http.disconnect", "http.disconnect", "end"]


async def test_disconnect_is_received_behind_a_complete_answer_too() -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        await send(OK)
        await send(body(b"done"))
        app.log.append((await receive())["type"])
        with pytest.raises(RuntimeError, match="the answer is complete"):
            await send(body(b"more"))

    app = Recorder(steps)
    async with hosting(asgi("/", app, lifespan="off")) as house:
        assert (await house.ask("/")).body == b"done"
    assert app.log == ["http.disconnect"]


async def test_a_client_that_leaves_ends_no_process_by_surprise(autojump_clock: MockClock) -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        await trio.sleep(30)
        app.log.append("work is done")

    app = Recorder(steps)
    async with hosting(asgi("/", app, lifespan="off")) as house:
        talk = await house.connect()
        await talk.begin("/work")
        await wait_all_tasks_blocked()
        await talk.leave()
        assert house.running() == ["GET /work"]
        assert house.running("Connection") == []  # it has nothing left to do
        await trio.sleep(31)
        assert house.running() == []
    assert app.log == ["work is done"]


async def test_a_request_whose_client_has_left_ends_in_the_end(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        await send(OK)
        await send(body(b"begun", more=True))
        await trio.sleep(5000)
        await app.go.wait()

    app = Recorder(steps)
    async with hosting(asgi("/", app, lifespan="off", timeout=20)) as house:
        talk = await house.connect()
        await talk.begin("/")
        await talk.head()
        await trio.sleep(1000)  # an answer that has begun may take long
        await talk.leave()
        await trio.sleep(15)
        assert house.running() == ["GET /"]
        await trio.sleep(30)
        assert house.running() == []
    assert "GET / did not end within 20 s after its client had left" in caplog.text


async def test_a_request_that_is_not_answered_in_time_is_answered_503(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps(app: Recorder, receive: Any, send: Any) -> None:  # noqa: ANN401
        try:
            await trio.sleep_forever()
        finally:
            app.log.append(trio.current_time())

    app = Recorder(steps)
    async with hosting(asgi("/", app, lifespan="off", timeout=7)) as house:
        began = trio.current_time()
        answer = await house.ask("/")
    assert answer.status == 503
    assert answer.headers["connection"] == "close"
    assert app.log[0] - began == pytest.approx(7, abs=0.5)
    assert "GET / was not answered within 7 s" in caplog.text
