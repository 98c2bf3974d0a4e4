"""The session of another framework: `connect` gets what a function of the program has read by its cookie."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from phxactor import CookieSession, Endpoint, Error, LongPollOptions, RawSocket, Socket, WebSocketOptions, mount
from phxactor.http import ReadSession
from phxactor.runtime import Exit, self_pid
from phxactor.socket import Transport
from phxactor.testing import assert_refused, connect
from tests.sockets.serving import serving

VALID = {"good": {"user": 7}}


class UserSocket(Socket):
    """It keeps its session, and refuses clients without."""

    async def connect(self, params: Any, connect_info: Any) -> Error | None:  # noqa: ANN401
        if connect_info["session"] is None:
            return Error("no session")
        self.assign(session=connect_info["session"])
        return None


def endpoint_of(read: ReadSession) -> Endpoint:
    session = CookieSession("sessionid", read)
    return Endpoint(
        sockets=[
            mount(
                "/socket",
                UserSocket,
                websocket=WebSocketOptions(session=session, connect_timeout=5),
                longpoll=LongPollOptions(session=session),
            )
        ]
    )


async def refused(endpoint: Endpoint, headers: Mapping[str, str]) -> None:
    """Connect, and be refused for want of a session."""
    error = await assert_refused(connect(UserSocket, endpoint=endpoint, headers=headers))
    assert error == Error("no session")


async def read_later(value: str) -> Mapping[str, int] | None:
    await trio.sleep(1)
    return VALID.get(value)


class Stored(dict[str, Mapping[str, int]]):
    """A store that can be called."""

    def __call__(self, value: str) -> Mapping[str, int] | None:
        return self.get(value)


@pytest.mark.parametrize("read", [VALID.get, read_later, Stored(VALID)], ids=["function", "async", "object"])
@pytest.mark.parametrize("transport", ["websocket", "longpoll"])
async def test_connect_gets_the_session(
    autojump_clock: MockClock, phx_runtime: object, read: ReadSession, transport: Transport
) -> None:
    headers = {"Cookie": 'a=1; odd; b={"bad":1}; sessionid=good; z'}
    client = await connect(UserSocket, endpoint=endpoint_of(read), headers=headers, transport=transport)
    assert client.socket.assigns.session == {"user": 7}


@pytest.mark.parametrize(
    "cookie",
    [None, "other=good", "sessionid=bad", "sessionid=", "SESSIONID=good", "sessionid=bad; sessionid=good"],
)
async def test_without_a_valid_cookie_there_is_none(
    autojump_clock: MockClock, phx_runtime: object, cookie: str | None
) -> None:
    headers = {} if cookie is None else {"Cookie": cookie}
    await refused(endpoint_of(VALID.get), headers)


async def test_of_two_different_cookies_none_is_asked_for(autojump_clock: MockClock, phx_runtime: object) -> None:
    asked: list[str] = []

    def read(value: str) -> None:
        asked.append(value)

    endpoint = endpoint_of(read)
    for cookie in ("sessionid=one; sessionid=two", "sessionid=same; sessionid=same"):
        await refused(endpoint, {"Cookie": cookie})
    assert asked == ["same"]


class BadSignatureError(Exception):
    """As a library raises it: the text has the cookie."""


def raises(value: str) -> None:
    raise BadSignatureError(value)


def exits(value: str) -> None:
    raise Exit(value)


def text(value: str) -> Any:  # noqa: ANN401
    return value


@pytest.mark.parametrize("read", [raises, exits, text])
async def test_an_error_is_no_session_and_one_line_without_the_cookie(
    autojump_clock: MockClock, phx_runtime: object, caplog: pytest.LogCaptureFixture, read: ReadSession
) -> None:
    await refused(endpoint_of(read), {"Cookie": "sessionid=s3cr3t"})
    (record,) = [record for record in caplog.records if record.name == "phxactor.socket.session_failed"]
    assert "UserSocket was not read: " in record.getMessage()
    assert ".py:" in record.getMessage()
    assert "s3cr3t" not in caplog.text


async def test_a_process_that_ends_while_it_reads_ends(autojump_clock: MockClock, phx_runtime: object) -> None:
    def ends(_: str) -> None:
        self_pid().exit("shutdown")

    with pytest.raises(Exit):
        await connect(UserSocket, endpoint=endpoint_of(ends), headers={"Cookie": "sessionid=x"})


@pytest.mark.socket
async def test_on_the_wire_with_a_limit_of_time() -> None:
    async def read(value: str) -> Mapping[str, str]:
        if value == "slow":
            await trio.sleep(math.inf)
        return {"user": value}

    class Raw(RawSocket):
        async def connect(self, params: Any, connect_info: Any) -> None:  # noqa: ANN401
            self.session = connect_info["session"]

        async def handle_in(self, data: str | bytes) -> str:
            return str(self.session["user"])

    options = WebSocketOptions(session=CookieSession("sessionid", read), connect_timeout=0.2)
    async with serving(Endpoint(sockets=[mount("/raw", Raw, websocket=options)])) as server:
        async with await server.connect("/raw/websocket", headers={"Cookie": "sessionid=7"}) as client:
            await client.send("who?")
            assert await client.next() == "7"
        status, _ = await server.request(SLOW)
        assert status == HTTPStatus.SERVICE_UNAVAILABLE


SLOW = (
    b"GET /raw/websocket HTTP/1.1\r\nhost: a\r\ncookie: sessionid=slow\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.mark.parametrize(
    ("key", "read", "error", "says"),
    [
        ("a b", VALID.get, ValueError, "cookie's name"),
        ("", VALID.get, ValueError, "cookie's name"),
        (None, VALID.get, TypeError, "cookie's name"),
        ("sessionid", None, TypeError, "read must be a function"),
    ],
)
def test_bad_options_fail_when_given(key: Any, read: Any, error: type[Exception], says: str) -> None:  # noqa: ANN401
    with pytest.raises(error, match=says):
        CookieSession(key, read)


@pytest.mark.parametrize("kind", [WebSocketOptions, LongPollOptions])
def test_it_needs_a_check_of_the_origin(kind: type[WebSocketOptions | LongPollOptions]) -> None:
    session = CookieSession("sessionid", VALID.get)
    with pytest.raises(ValueError, match="check_origin a list"):
        kind(session=session, check_origin=False)
    assert kind(session=session, check_origin=["https://example.com"]).session is session
