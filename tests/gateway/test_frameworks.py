"""The frameworks themselves under an endpoint, over streams in memory: FastAPI, Starlette, Litestar."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import anyio
import anyio.lowlevel
import pytest
import sniffio
import trio
from fastapi import BackgroundTasks, Depends, FastAPI, Request, UploadFile, WebSocket, WebSocketDisconnect
from litestar import Litestar
from litestar import get as litestar_get
from litestar.response import Stream
from starlette.applications import Starlette
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from trio.testing import MockClock, wait_all_tasks_blocked
from wsproto.events import CloseConnection, TextMessage

from phxactor import GenServer, Reply, call, self_pid
from phxactor.gateway import asgi
from tests.gateway.talking import hosting
from tests.gateway.test_websocket import Client


class Counter(GenServer):
    async def init(self) -> None:
        self.count = 0

    async def handle_call(self, request: int, from_: Any) -> Reply:  # noqa: ANN401
        self.count += request
        return Reply(self.count)


def dependency() -> Iterator[str]:
    yield "dependency"


def fastapi(log: list[Any], folder: Path) -> FastAPI:  # noqa: C901 - one handler for each feature
    """Make an application that uses what people use."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        (await Counter.start_link(name="counter")).unwrap()
        async with anyio.create_task_group() as group:
            log.append("up")
            yield {"group": group}
            group.cancel_scope.cancel()
        log.append("down")

    app = FastAPI(lifespan=lifespan)
    app.add_middleware(SessionMiddleware, secret_key="k")
    (folder / "a.txt").write_text("file" * 1000)
    app.mount("/static", StaticFiles(directory=folder))

    @app.middleware("http")
    async def own_header(request: Request, call_next: Any) -> Any:  # noqa: ANN401
        response = await call_next(request)
        response.headers["x-own"] = "1"
        return response

    @app.get("/sync")
    def sync(text: Annotated[str, Depends(dependency)]) -> list[str]:
        try:
            return [text, sniffio.current_async_library()]
        except sniffio.AsyncLibraryNotFoundError:
            return [text, "thread"]

    @app.get("/async")
    async def in_loop() -> str:
        return sniffio.current_async_library()

    @app.get("/counted/{number}")
    async def counted(number: int) -> dict[str, Any]:
        return {"count": await call("counter", number), "process": self_pid().initial_call}

    @app.get("/dead")
    async def dead() -> None:
        await call("nobody", 1)

    @app.get("/background")
    async def background(tasks: BackgroundTasks) -> int:
        tasks.add_task(log.append, "background")
        return 1

    @app.get("/session")
    async def session(request: Request) -> int:
        request.session["n"] = request.session.get("n", 0) + 1
        return int(request.session["n"])

    @app.get("/state")
    async def state(request: Request) -> str:
        return type(request.state.group).__name__

    @app.get("/file")
    async def file() -> FileResponse:
        return FileResponse(folder / "a.txt")

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def numbers() -> AsyncIterator[str]:
            try:
                for number in range(10**6):
                    yield f"data: {number}\n\n"
                    await anyio.sleep(1)
            finally:
                log.append("stream end")

        return StreamingResponse(numbers(), media_type="text/event-stream")

    @app.get("/sync-stream")
    async def sync_stream() -> StreamingResponse:
        return StreamingResponse(str(number) for number in range(5))

    @app.post("/upload")
    async def upload(file: UploadFile) -> dict[str, int]:
        return {"size": len(await file.read())}

    @app.post("/echo")
    async def echo(request: Request) -> PlainTextResponse:
        return PlainTextResponse(b"".join([piece async for piece in request.stream()]))

    @app.get("/fails")
    async def fails() -> None:
        raise ValueError("broken")

    @app.get("/asyncio")
    async def with_asyncio() -> None:
        import asyncio  # noqa: PLC0415 - the mistake that this handler is about

        await asyncio.sleep(1)

    @app.websocket("/ws")
    async def upper(websocket: WebSocket) -> None:
        await websocket.accept(subprotocol="a" if "a" in websocket.scope["subprotocols"] else None)
        try:
            while True:
                await websocket.send_text((await websocket.receive_text()).upper())
        except WebSocketDisconnect as error:
            log.append((error.code, error.reason))

    @app.websocket("/loose")
    async def loose(websocket: WebSocket) -> None:
        await websocket.accept()
        while True:
            await websocket.receive_text()

    @app.websocket("/deny")
    async def deny(websocket: WebSocket) -> None:
        await websocket.send_denial_response(JSONResponse({"no": 1}, status_code=401))

    return app


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/sync", 200, '["dependency","thread"]'),
        ("/async", 200, '"trio"'),
        ("/counted/7", 200, '{"count":7,"process":"Request"}'),
        ("/state", 200, '"TaskGroup"'),
        ("/file", 200, "file" * 1000),
        ("/static/a.txt", 200, "file" * 1000),
        ("/static/none", 404, '{"detail":"Not Found"}'),
        ("/sync-stream", 200, "01234"),
        ("/counted/x", 422, None),
        ("/fails", 500, "Internal Server Error"),
        ("/dead", 500, "internal server error\n"),
        ("/asyncio", 500, "Internal Server Error"),
        ("/openapi.json", 200, None),
    ],
)
async def test_fastapi_answers(path: str, status: int, text: str | None, tmp_path: Path) -> None:
    async with hosting(asgi("/", fastapi([], tmp_path))) as house:
        talk = await house.connect()
        answer = await talk.ask(path)
        assert answer.status == status
        assert text is None or answer.text == text
        if status != 500:
            assert answer.headers["x-own"] == "1"
        assert (await talk.ask("/async")).status == 200  # on the same connection


async def test_fastapi_has_sessions_background_tasks_uploads_and_a_lifespan(tmp_path: Path) -> None:
    log: list[Any] = []
    async with hosting(asgi("/", fastapi(log, tmp_path))) as house:
        first = await house.ask("/session")
        cookie = first.headers["set-cookie"].partition(";")[0]
        assert (first.text, (await house.ask("/session", cookie=cookie)).text) == ("1", "2")
        await house.ask("/background")
        boundary = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        form = boundary + b"x" * 3_000_000 + b"\r\n--b--\r\n"
        answer = await house.ask("/upload", "POST", form, content_type="multipart/form-data; boundary=b")
        assert answer.text == '{"size":3000000}'
        talk = await house.connect()
        await talk.begin("/echo", "POST", transfer_encoding="chunked")
        for _ in range(3):
            await talk.more(b"ab")
        await talk.more(b"", last=True)
        assert (await talk.answer()).text == "ababab"
    assert log == ["up", "background", "down"]


async def test_a_handler_that_awaits_asyncio_is_told_what_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with hosting(asgi("/", fastapi([], tmp_path))) as house:
        assert (await house.ask("/asyncio")).status == 500
    assert "docs/libraries.md" in caplog.text
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1


async def test_fastapi_streams_until_its_client_leaves(
    tmp_path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    log: list[Any] = []
    async with hosting(asgi("/", fastapi(log, tmp_path))) as house:
        talk = await house.connect()
        await talk.begin("/stream")
        await talk.head()
        for number in range(3):
            assert bytes((await talk.event()).data) == b"data: %d\n\n" % number
        await talk.leave()
        await trio.sleep(3)
        assert log == ["up", "stream end"]
        assert house.running() == []
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_stop_ends_event_streams_at_once(tmp_path: Path, autojump_clock: MockClock) -> None:
    log: list[Any] = []
    async with hosting(asgi("/", fastapi(log, tmp_path))) as house:
        talk = await house.connect()
        await talk.begin("/stream")
        await talk.head()
        began = trio.current_time()
    assert trio.current_time() - began < 5
    assert log == ["up", "stream end", "down"]


async def test_fastapi_has_websockets(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log: list[Any] = []
    async with hosting(asgi("/", fastapi(log, tmp_path))) as house:
        client = await Client.open(house, "/ws", subprotocols=["a"])
        assert (await client.accepted()).subprotocol == "a"
        await client.send(TextMessage("hey"))
        assert (await client.event()).data == "HEY"
        await client.send(CloseConnection(3001, "bye"))
        assert await client.closed() == (3001, "bye")
        assert (await (await Client.open(house, "/deny")).refused())[::2] == (401, b'{"no":1}')
        assert (await (await Client.open(house, "/none")).refused())[0] == 403
        loose = await Client.open(house, "/loose")
        await loose.accepted()
        await loose.talk.leave()
        await wait_all_tasks_blocked()
        assert house.running() == []
    assert log == ["up", (3001, "bye"), "down"]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_starlette_sees_a_client_that_has_left(autojump_clock: MockClock) -> None:
    log: list[str] = []

    async def asks(request: Request) -> Response:
        for _ in range(1000):
            if await request.is_disconnected():
                log.append("seen")
                return Response()
            await anyio.sleep(0.01)
        return Response()

    async def reads(request: Request) -> Response:
        try:
            await request.body()
        except ClientDisconnect:
            log.append("disconnected")
            raise
        return Response()

    app = Starlette(routes=[Route("/asks", asks), Route("/reads", reads, methods=["POST"])])
    async with hosting(asgi("/", app)) as house:
        talk = await house.connect()
        await talk.begin("/asks")
        await wait_all_tasks_blocked()
        await talk.leave()
        await trio.sleep(0.1)
        assert log == ["seen"]
        talk = await house.connect()
        await talk.begin("/reads", "POST", content_length="10")
        await talk.more(b"half")
        await talk.leave()
        await wait_all_tasks_blocked()
        assert log == ["seen", "disconnected"]
        assert house.running() == []


async def test_an_application_below_a_path_makes_its_urls_there() -> None:
    async def link(request: Request) -> Response:
        return PlainTextResponse(f"{request.url_for('link')} {request.url.path} {request.scope['root_path']}")

    app = Starlette(routes=[Route("/link", link, name="link"), Route("/", link)])
    async with hosting(asgi("/shop", app)) as house:
        assert (await house.ask("/shop/link")).text == "http://app.test/shop/link /shop/link /shop"
        assert (await house.ask("/shop/")).status == 200
        assert (await house.ask("/link")).status == 404


@pytest.mark.allow_leaks("Litestar starts a thread of its own, which stays")
async def test_litestar_answers() -> None:
    @litestar_get("/async")
    async def in_loop() -> str:
        return sniffio.current_async_library()

    @litestar_get("/sync", sync_to_thread=True)
    def sync() -> str:
        return "thread"

    @litestar_get("/stream")
    async def stream() -> Stream:
        async def numbers() -> AsyncIterator[str]:
            for number in range(3):
                yield str(number)
                await anyio.lowlevel.checkpoint()

        return Stream(numbers())

    async with hosting(asgi("/", Litestar([in_loop, sync, stream], logging_config=None))) as house:
        for path, text in (("/async", "trio"), ("/sync", "thread"), ("/stream", "012")):
            assert (await house.ask(path)).text == text
        assert (await house.ask("/none")).status == 404
