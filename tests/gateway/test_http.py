"""HTTP of ASGI applications, over streams in memory and in virtual time: what each party is told, and when."""

from __future__ import annotations

import gc
import logging
from typing import Any

import h11
import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor import Response, call, get, self_pid
from phxactor.gateway import asgi
from phxactor.gateway._exchange import Exchange
from tests.gateway.talking import hosting

OK: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": []}


def body(data: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def answering(data: bytes, *headers: tuple[bytes, bytes], status: int = 200) -> Any:  # noqa: ANN401
    """Make an application that answers each request so."""

    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await send(body(data))

    return app


class Recorder:
    """An application whose steps a test writes; it records what `receive` and `send` have done."""

    def __init__(self, steps: Any) -> None:  # noqa: ANN401
        self.steps = steps
        self.log: list[Any] = []
        self.go = trio.Event()
        self.scope: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        assert scope["type"] == "http"
        self.scope = scope
        await self.steps(self, receive, send)


# ------------------------------------------------------------------------------------------------------ scope


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


# ------------------------------------------------------------------------------------------- the client leaves


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


# ---------------------------------------------------------------------------------------------- request bodies


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


# -------------------------------------------------------------------------------------------------- answers


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


# ------------------------------------------------------------------------------------------------- failures


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


# ------------------------------------------------------------------------------------------------ processes


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
