"""What a program's mistake must not do: let a client in, leave it without an answer, or hold up the others."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Any, cast

import pytest
import trio

from phxactor import Endpoint, Error, Exit, LongPollOptions, Ok, Request, Response, Socket, WebSocketOptions, get, mount
from phxactor.channels import Payload
from phxactor.endpoint import DrainOptions
from phxactor.http import Handler, OriginCheck
from tests.patience import PATIENCE
from tests.sockets.serving import complaints, serving

OPEN = WebSocketOptions(check_origin=False)
POLLED = LongPollOptions(check_origin=False)
HEAD = (
    b"GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
)


def answering(result: object) -> type[Socket]:
    """Make a socket whose connect returns, or raises, something."""

    class Odd(Socket):
        """What the test says."""

        async def connect(self, params: Payload) -> Ok[None] | Error | None:
            if isinstance(result, BaseException):
                raise result
            return cast("Ok[None] | Error | None", result)

    return Odd


async def status_of(endpoint: Endpoint, request: bytes) -> int:
    """Send a request as it is, and read the status of the answer."""
    async with serving(endpoint) as server:
        assert server.endpoint.address is not None
        stream = await trio.open_tcp_stream("127.0.0.1", server.endpoint.address.port)
        async with stream:
            await stream.send_all(request)
            with trio.fail_after(PATIENCE):
                head = await stream.receive_some(4096)
    return int(bytes(head).split(b" ", 2)[1])


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (None, HTTPStatus.SWITCHING_PROTOCOLS),
        (Ok(), HTTPStatus.SWITCHING_PROTOCOLS),
        (Error(), HTTPStatus.FORBIDDEN),
        (False, HTTPStatus.INTERNAL_SERVER_ERROR),
        (True, HTTPStatus.INTERNAL_SERVER_ERROR),
        ("error", HTTPStatus.INTERNAL_SERVER_ERROR),
        (ValueError("no"), HTTPStatus.INTERNAL_SERVER_ERROR),
        (Exit(("noproc", "auth")), HTTPStatus.INTERNAL_SERVER_ERROR),
    ],
    ids=repr,
)
async def test_connect_lets_in_only_whom_it_says(result: object, status: int) -> None:
    endpoint = Endpoint(sockets=[mount("/socket", answering(result), websocket=OPEN)])
    assert await status_of(endpoint, HEAD) == status


def identifying(name: object) -> type[Socket]:
    """Make a socket that is identified by something."""

    class Odd(Socket):
        """What the test says."""

        def identify(self) -> str | None:
            return cast("str | None", name)

    return Odd


@pytest.mark.parametrize("longpoll", [False, True])
@pytest.mark.parametrize("name", [7, b"users:7", ("users", 7), False], ids=repr)
async def test_a_socket_is_identified_by_text(name: object, longpoll: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Anything else would be a topic that no broadcast of "disconnect" ever reaches."""
    endpoint = Endpoint(sockets=[mount("/socket", identifying(name), websocket=OPEN, longpoll=POLLED)])
    request = b"GET /socket/longpoll?vsn=2.0.0 HTTP/1.1\r\nhost: a\r\n\r\n" if longpoll else HEAD
    async with serving(endpoint) as server:
        _, answer = await server.request(request)
    refused = b'"status":500' if longpoll else b"HTTP/1.1 500 "
    assert refused in answer
    (line,) = complaints(caplog)
    assert line.getMessage().endswith("to Odd failed")
    assert line.exc_info is not None
    assert str(line.exc_info[1]) == f"identify must return text or None; got {name!r}"


async def _nothing(request: Request) -> Response:
    return None  # type: ignore[return-value]


async def _exits(request: Request) -> Response:
    raise Exit("noproc")


@pytest.mark.parametrize("handler", [_nothing, _exits])
async def test_a_handler_that_gives_no_response_is_a_500(handler: Handler) -> None:
    endpoint = Endpoint(routes=[get("/", handler)])
    assert await status_of(endpoint, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n") == HTTPStatus.INTERNAL_SERVER_ERROR


def test_an_async_origin_check_is_refused_when_it_is_given() -> None:
    async def check(origin: str) -> bool:
        return False

    with pytest.raises(TypeError, match="must not be async"):
        OriginCheck(check)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "error"), [(0, ValueError), (1.5, TypeError), (float("inf"), TypeError), (True, TypeError)]
)
def test_a_batch_is_a_whole_number(size: int, error: type[Exception]) -> None:
    with pytest.raises(error, match="batch_size must be a whole number of at least 1"):
        DrainOptions(batch_size=size)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"interval": 0}, ValueError),
        ({"interval": -1}, ValueError),
        ({"limit": 0}, ValueError),
        ({"limit": math.nan}, ValueError),
        ({"limit": True}, TypeError),
        ({"limit": "1"}, TypeError),
    ],
)
def test_the_times_of_a_drain_are_more_than_0(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=r"(interval|limit) must be (more than 0 seconds|a number of seconds)"):
        DrainOptions(**options)


async def test_an_error_handler_that_answers_nothing_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    def forgets(request: Request, reason: object) -> Response:
        return None  # type: ignore[return-value]

    websocket = WebSocketOptions(check_origin=False, error_handler=forgets)
    endpoint = Endpoint(sockets=[mount("/socket", answering(Error("no")), websocket=websocket)])
    assert await status_of(endpoint, HEAD) == HTTPStatus.INTERNAL_SERVER_ERROR
    assert "error_handler must return a Response; got None" in caplog.text
