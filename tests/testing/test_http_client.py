"""The kit's HTTP client: a browser without a page, in memory and in virtual time."""

from __future__ import annotations

import logging
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from phxactor import Endpoint, Error, Request, Response, Socket, WebSocketOptions, get, mount, post, route
from phxactor.http import PeerData
from phxactor.runtime import NotAProcessError, Runtime
from phxactor.testing import HTTPClient, assert_refused, connect
from tests.http.test_session import OPTIONS, SECRET, cookie

LEFT: list[str] = []


async def hello(request: Request) -> Response:
    return Response.html(f"<p>{request.path_params.get('name', 'you')}")


async def echo(request: Request) -> Response:
    headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
    body = request.body.decode("latin-1")
    return Response.json({"method": request.method, "target": request.target, "headers": headers, "body": body})


async def login(request: Request) -> Response:
    name = request.form()["name"]
    return Response.redirect("/board").cookie("user", str(name), max_age=60).cookie("admin", "no", path="/admin")


async def logout(_: Request) -> Response:
    return Response.redirect("/").delete_cookie("user")


async def who(request: Request) -> Response:
    return Response.json(dict(request.cookies))


async def crash(_: Request) -> Response:
    raise RuntimeError("a mistake of the program")


async def slow(_: Request) -> Response:
    try:
        await trio.sleep(1000)
    finally:
        LEFT.append("slow")
    raise AssertionError


def endpoint() -> Endpoint:
    return Endpoint(
        routes=[
            get("/hello/{name}", hello),
            route("PUT", "/echo", echo),
            get("/echo", echo),
            post("/echo", echo),
            post("/login", login),
            post("/logout", logout),
            get("/who", who),
            get("/admin/who", who),
            get("/crash", crash),
            get("/slow", slow, timeout=5),
        ],
        max_body_bytes=1000,
    )


async def test_a_page(phx_runtime: Runtime) -> None:
    client = HTTPClient(endpoint())
    answer = await client.get("/hello/ann%20b")
    assert (answer.status, answer.text) == (200, "<p>ann b")
    assert answer.header("Content-Type") == "text/html; charset=utf-8"
    assert (answer.location, answer.header("x-test")) == (None, None)
    assert (await client.get("/nothing")).status == 404
    assert repr(answer) == "<HTTPAnswer 200 '<p>ann b'>"


async def test_bodies_and_headers(phx_runtime: Runtime) -> None:
    client = HTTPClient(endpoint(), headers={"X-Always": "a", "User-Agent": "kit"})
    seen = (await client.post("/echo?a=b", form={"x": "1 2", "y": ["3", "ü"]}, headers={"x-always": "b"})).json()
    assert isinstance(seen, dict)
    assert isinstance(seen["headers"], dict)
    assert (seen["method"], seen["target"], seen["body"]) == ("POST", "/echo?a=b", "x=1+2&y=3&y=%C3%BC")
    assert seen["headers"]["content-type"] == "application/x-www-form-urlencoded"
    assert (seen["headers"]["x-always"], seen["headers"]["user-agent"]) == ("b", "kit")
    for value, sent in ((None, "null"), ([1], "[1]")):
        seen = (await client.request("PUT", "/echo", json=value)).json()
        assert isinstance(seen, dict)
        assert seen["body"] == sent
    assert '"body":"raw"' in (await client.post("/echo", body=b"raw")).text
    assert (await client.request("HEAD", "/echo")).body == b""


async def test_cookies_are_kept_and_go_away(phx_runtime: Runtime, autojump_clock: MockClock) -> None:
    client = HTTPClient(endpoint())
    answer = await client.post("/login", form={"name": "ann"})
    assert (answer.status, answer.location) == (303, "/board")
    assert dict(client.cookies) == {"user": "ann", "admin": "no"}
    assert (await client.get("/who")).json() == {"user": "ann"}
    assert (await client.get("/admin/who?x")).json() == {"user": "ann", "admin": "no"}
    await trio.sleep(60)
    assert (await client.get("/who")).json() == {}
    await client.post("/login", form={"name": "bob"})
    client.set_cookie("odd", '{"bad":1}')
    assert (await client.get("/who")).json() == {"user": "bob", "odd": '{"bad":1}'}
    await client.post("/logout")
    assert dict(client.cookies) == {"admin": "no", "odd": '{"bad":1}'}
    other = HTTPClient(client.endpoint)
    assert (await other.get("/admin/who")).json() == {}


async def test_answers_of_a_server(
    phx_runtime: Runtime, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    client = HTTPClient(endpoint(), peer=PeerData("192.0.2.1", 7))
    caplog.set_level(logging.WARNING)
    assert (await client.post("/login", body=b"name=ann")).status == 415
    assert "192.0.2.1:7 was answered 415" in caplog.messages[-1]
    assert (await client.post("/echo", body=b"x" * 1001)).status == 413
    assert (await client.post("/hello/ann")).status == 405
    assert (await client.get("/crash")).status == 500
    assert "a mistake of the program" in caplog.text
    began = trio.current_time()
    assert (await client.get("/slow")).status == 503
    assert trio.current_time() - began == 5


async def test_a_client_that_leaves_and_clients_side_by_side(phx_runtime: Runtime, autojump_clock: MockClock) -> None:
    client = HTTPClient(endpoint())
    LEFT.clear()
    with trio.move_on_after(1) as scope:
        await client.get("/slow")
    assert scope.cancelled_caught
    await trio.sleep(0.1)
    assert LEFT == ["slow"]
    answers = []

    async def ask(name: str) -> None:
        answers.append((await client.get(f"/hello/{name}")).text)

    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(ask, str(number))
    assert sorted(answers) == [f"<p>{number}" for number in range(5)]


async def test_what_cannot_be_sent(phx_runtime: Runtime) -> None:
    client = HTTPClient(endpoint())
    with pytest.raises(ValueError, match="cannot be sent"):
        await client.get("/a b")
    with pytest.raises(ValueError, match="one of form, json and body"):
        await client.post("/echo", form={}, json=1)
    with pytest.raises(ValueError, match="cannot be sent"):
        await client.get("/", headers={"x-a": "a\r\nb: c"})


async def test_only_a_process_can_ask() -> None:
    with pytest.raises(NotAProcessError, match="phx_runtime"):
        await HTTPClient(endpoint()).get("/who")


async def phoenix_login(_: Request) -> Response:
    return Response.redirect("/").cookie(OPTIONS.key, cookie({"user_id": 42}))


class UserSocket(Socket):
    async def connect(self, params: object, connect_info: dict[str, Any]) -> Error | None:
        if connect_info["session"] is None:
            return Error("who are you?")
        self.assign(user_id=connect_info["session"]["user_id"])
        return None


async def test_a_socket_gets_the_cookies_too(phx_runtime: Runtime) -> None:
    options = WebSocketOptions(session=attrs.evolve(OPTIONS, check_csrf=False))
    app = Endpoint(
        sockets=[mount("/socket", UserSocket, websocket=options)],
        routes=[post("/login", phoenix_login)],
        secret_key_base=SECRET,
    )
    client = HTTPClient(app)
    assert await assert_refused(connect(UserSocket, endpoint=app, cookies=client.cookies)) == Error("who are you?")
    await client.post("/login")
    socket = await connect(UserSocket, endpoint=app, cookies=client.cookies)
    assert socket.socket.assigns.user_id == 42
