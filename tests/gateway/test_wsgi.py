"""WSGI applications in threads, over streams in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from phxactor.gateway import wsgi
from tests.gateway.talking import House, hosting


def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
    """Answer with the variables that matter, and the body."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Thread", threading.current_thread().name)])
    lines = [f"{name}={environ[name]}" for name in sorted(environ) if name.isupper()]
    return ["\n".join(lines).encode("latin-1"), b"\n\n", environ["wsgi.input"].read()]


async def test_an_environment_has_what_PEP_3333_demands() -> None:
    async with hosting(wsgi("/shop", echo)) as house:
        talk = await house.connect()
        await talk.send(
            b"POST /shop/a%2Fb%20%C3%A9?x=%20&y HTTP/1.1\r\nHost: app.test\r\nCookie: a=1\r\nCookie: b=2\r\n"
            b"X-Two: 1\r\n"
            b"X-Two: 2\r\nX_Two: forged\r\nProxy: http://evil\r\nContent-Type: text/x\r\nContent-Length: 4\r\n\r\nbody"
        )
        head, _, rest = (await talk.stream.receive_some()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        text, _, sent = rest.decode("latin-1").partition("\n\n")
        assert sent == "body"
        assert dict(line.split("=", 1) for line in text.splitlines()) == {
            "CONTENT_LENGTH": "4",
            "CONTENT_TYPE": "text/x",
            "HTTP_COOKIE": "a=1; b=2",
            "HTTP_HOST": "app.test",
            "HTTP_X_TWO": "1, 2",
            "PATH_INFO": "/a/b \xc3\xa9",
            "QUERY_STRING": "x=%20&y",
            "REMOTE_ADDR": "memory",
            "REMOTE_PORT": "0",
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "/shop",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
        }


@pytest.mark.parametrize("size", [0, 1, 65_536, 1_000_000])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_is_received_whole_before_the_thread(size: int, chunked: bool) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
        data = environ["wsgi.input"].read()
        start_response("200 OK", [])
        return [f"{len(data)} {environ.get('CONTENT_LENGTH')}".encode()]

    async with hosting(wsgi("/", app)) as house:
        talk = await house.connect()
        if chunked:
            await talk.begin("/", "POST", transfer_encoding="chunked")
            await talk.more(b"x" * size, last=True)
            answer = await talk.answer()
        else:
            answer = await talk.ask("/", "POST", b"x" * size)
    assert answer.text == f"{size} {size or None}"


async def test_a_body_over_the_limit_is_answered_413() -> None:
    async with hosting(wsgi("/", echo, max_body_bytes=10)) as house:
        assert (await house.ask("/", "POST", b"x" * 11)).status == 413


@pytest.mark.parametrize("kind", ["list", "generator", "length", "write", "empty"])
async def test_blocks_make_the_answer(kind: str) -> None:
    closed = []

    class Blocks:
        def __init__(self, blocks: list[bytes]) -> None:
            self.blocks = blocks

        def __iter__(self) -> Iterator[bytes]:
            yield from self.blocks

        def close(self) -> None:
            closed.append(threading.current_thread().name)

    def app(_: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
        write = start_response("200 OK", [("content-length", "6")] if kind == "length" else [])
        if kind == "list":
            return [b"abc", b"def"]
        if kind == "write":
            write(b"abc")
            return Blocks([b"def"])
        return Blocks([] if kind == "empty" else [b"", b"abc", b"", b"def"])

    async with hosting(wsgi("/", app)) as house:
        for method in ("GET", "HEAD"):
            answer = await house.ask("/", method)
            assert answer.status == 200
            assert answer.body == (b"" if kind == "empty" or method == "HEAD" else b"abcdef")
    assert bool(closed) is (kind != "list")
    assert "MainThread" not in closed


async def test_a_block_is_sent_as_soon_as_it_is_there() -> None:
    go = threading.Event()

    def app(_: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
        start_response("200 OK", [])
        yield b"first"
        go.wait(20)
        yield b"second"

    async with hosting(wsgi("/", app)) as house:
        talk = await house.connect()
        await talk.begin("/")
        await talk.head()
        assert bytes((await talk.event()).data) == b"first"
        go.set()
        assert bytes((await talk.event()).data) == b"second"


@pytest.mark.parametrize("failure", ["raise", "late", "no start", "twice", "exc_info", "not bytes"])
async def test_an_application_that_fails_is_a_500(failure: str, caplog: pytest.LogCaptureFixture) -> None:
    def app(_: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
        if failure == "raise":
            raise ValueError("broken")
        if failure == "no start":
            return [b"x"]
        start_response("200 OK", [])
        if failure == "twice":
            start_response("200 OK", [])
        if failure == "late":
            return (b"%d" % int("broken") for _ in range(1))
        if failure == "exc_info":
            try:
                raise ValueError("broken")  # noqa: TRY301 - as applications do
            except ValueError as error:
                start_response("502 Bad", [], (type(error), error, error.__traceback__))
            return [b"own"]
        return ["text"]  # type: ignore[list-item]

    async with hosting(wsgi("/", app)) as house:
        answer = await house.ask("/")
    assert (answer.status, answer.body) == (
        (502, b"own") if failure == "exc_info" else (500, b"internal server error\n")
    )
    assert ("GET / failed" in caplog.text) is (failure != "exc_info")


async def test_no_more_threads_run_than_the_limit_says() -> None:
    running, most, lock, go = 0, 0, threading.Lock(), threading.Event()

    def app(_: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        go.wait(0.05)
        with lock:
            running -= 1
        start_response("204 No Content", [])
        return []

    async def ask(house: House) -> None:
        assert (await house.ask("/")).status == 204

    async with hosting(wsgi("/", app, threads=3)) as house, trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(ask, house)
    assert most == 3


async def test_a_thread_that_hangs_holds_neither_its_client_nor_the_stop(
    mock_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    go, ended = threading.Event(), threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
        start_response("200 OK", [])
        try:
            if environ["PATH_INFO"] == "/begun":
                yield b"begun"
            go.wait(20)
            yield b"late"
        finally:
            ended.set()

    async with hosting(wsgi("/", app, timeout=5)) as house:
        begun, late = await house.connect(), await house.connect()
        await begun.begin("/begun")
        await begun.head()
        mock_clock.rate = 100
        assert (await late.ask("/late")).status == 503
    assert not ended.is_set()
    go.set()
    assert await trio.to_thread.run_sync(ended.wait, 60)
    assert "GET /late was not answered within 5 s" in caplog.text


async def test_the_block_of_a_client_that_has_left_is_an_error_in_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    seen, go = [], threading.Event()

    def app(_: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
        start_response("200 OK", [])
        try:
            yield b"begun"
            go.wait(20)
            yield b"late"
        except GeneratorExit:
            seen.append("closed")
            raise

    async with hosting(wsgi("/", app)) as house:
        talk = await house.connect()
        await talk.begin("/")
        await talk.head()
        await talk.leave()
        go.set()
        with trio.fail_after(60):
            while house.running():  # noqa: ASYNC110 - a thread goes on
                await trio.sleep(0.01)
    assert seen == ["closed"]
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
