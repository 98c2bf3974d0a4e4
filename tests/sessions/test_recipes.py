"""The recipes of docs/sessions.md, with cookies that the frameworks themselves have made."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import flask
import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from trio.testing import MockClock

from phxactor import CookieSession, Endpoint, Error, Socket, WebSocketOptions, mount
from phxactor.testing import Refused, connect
from tests.patience import PATIENCE
from tests.sessions.page import names_of_the_page

ANN = {"user_id": 1, "name": "ann"}


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """The names of the page."""
    return names_of_the_page()


async def asked(page: dict[str, Any], session: CookieSession, cookies: str) -> object:
    """Connect to the page's socket with these cookies; return the user's id, or how it was refused."""
    websocket = WebSocketOptions(session=session, check_origin=page["ORIGINS"])
    endpoint = Endpoint(name="sessions", sockets=[mount("/socket", page["UserSocket"], websocket=websocket)])
    try:
        client = await connect(page["UserSocket"], endpoint=endpoint, headers={"Cookie": cookies})
    except Refused as refused:
        return refused.error.reason
    return client.socket.assigns.user_id


# ------------------------------------------------------------------------------------------------------- Django


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["signed_cookies", "db", "cached_db", "file"])
def test_django(engine: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.sessions.django_site", engine, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["logged in"] == ANN
    assert found["a new key"] == found["a new key, again"] == ANN
    assert found["another key"] is None
    assert found["tampered"] is None
    assert found["nonsense"] == [None] * 7
    assert found.get("expired") is None
    assert found["not logged in"] is None
    assert found["inactive"] is None
    assert found["active again"] == ANN
    assert found["another password"] is None
    assert found["the rows that are left"] == (1 if engine in ("db", "cached_db") else 0)
    assert found["csrf"] == [True, False, False, False, False, False, False]


# ---------------------------------------------------------------------------------------------------- Starlette


async def starlette_cookie(secret: str) -> str:
    """Log in at a Starlette application; return the value of its cookie."""

    async def login(request: Request) -> Response:
        request.session["user_id"] = 9
        return Response("welcome")

    middleware = [Middleware(SessionMiddleware, secret_key=secret)]
    transport = httpx.ASGITransport(Starlette(routes=[Route("/", login)], middleware=middleware))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
        return (await client.get("/")).cookies["session"]


async def test_starlette(page: dict[str, Any], autojump_clock: MockClock, phx_runtime: object) -> None:
    cookie = await starlette_cookie("the secret of SessionMiddleware")
    assert await asked(page, page["STARLETTE"], f"a=b; session={cookie}") == 9


@pytest.mark.parametrize(
    "change",
    [
        lambda cookie, _: cookie[:-5] + ("a" if cookie[-5] != "a" else "b") + cookie[-4:],  # all its bits count
        lambda cookie, _: cookie.partition(".")[0],
        lambda cookie, _: "é" + cookie,
        lambda _, other: other,
        lambda _, __: "",
        lambda cookie, other: f"{cookie}; session={other}",
    ],
)
async def test_starlette_refuses_what_it_has_not_signed(
    page: dict[str, Any],
    autojump_clock: MockClock,
    phx_runtime: object,
    caplog: pytest.LogCaptureFixture,
    change: Any,  # noqa: ANN401
) -> None:
    cookie = change(await starlette_cookie("the secret of SessionMiddleware"), await starlette_cookie("another"))
    assert await asked(page, page["STARLETTE"], f"session={cookie}") == "log in first"
    assert not [record for record in caplog.records if "session_failed" in record.name]  # a stranger's mistake


async def test_starlette_sessions_age(page: dict[str, Any]) -> None:
    cookie = await starlette_cookie("secret")
    assert page["read_starlette"]("secret", max_age=60)(cookie) == {"user_id": 9}
    assert page["read_starlette"]("secret", max_age=-1)(cookie) is None


# -------------------------------------------------------------------------------------------------------- Flask


def flask_cookie(secret: str) -> str:
    """Log in at a Flask application; return the value of its cookie."""
    app = flask.Flask("shop")
    app.secret_key = secret

    @app.route("/")
    def login() -> str:
        flask.session["user_id"] = 10
        flask.session["tags"] = ("a", "b")
        return "welcome"

    with app.test_client() as client:
        client.get("/")
        cookie = client.get_cookie("session")
    assert cookie is not None
    return cookie.value


async def test_flask(page: dict[str, Any], autojump_clock: MockClock, phx_runtime: object) -> None:
    cookie = flask_cookie("the secret of the Flask application")
    assert await asked(page, page["FLASK"], f"session={cookie}") == 10
    assert page["FLASK"].read(cookie) == {"user_id": 10, "tags": ("a", "b")}


@pytest.mark.parametrize(
    "change",
    [
        lambda cookie, _: cookie[:-5] + ("a" if cookie[-5] != "a" else "b") + cookie[-4:],  # all its bits count
        lambda cookie, _: cookie.partition(".")[2],
        lambda cookie, _: "é" + cookie,
        lambda _, __: flask_cookie("another secret"),
        lambda _, other: other,
        lambda _, __: "",
    ],
)
async def test_flask_refuses_what_it_has_not_signed(
    page: dict[str, Any],
    autojump_clock: MockClock,
    phx_runtime: object,
    caplog: pytest.LogCaptureFixture,
    change: Any,  # noqa: ANN401
) -> None:
    secret = "the secret of the Flask application"
    cookie = change(flask_cookie(secret), await starlette_cookie(secret))
    assert await asked(page, page["FLASK"], f"session={cookie}") == "log in first"
    assert not [record for record in caplog.records if "session_failed" in record.name]


def test_flask_sessions_age_and_need_a_secret(page: dict[str, Any]) -> None:
    app = flask.Flask("shop")
    with pytest.raises(ValueError, match="no secret key"):
        page["read_flask"](app)
    app.secret_key = "secret"
    assert page["read_flask"](app)(flask_cookie("secret")) is not None
    app.permanent_session_lifetime = timedelta(seconds=-1)
    assert page["read_flask"](app)(flask_cookie("secret")) is None


# -------------------------------------------------------------------------------------------------- the page


async def test_the_sockets_of_the_page_ask_where_a_page_comes_from(
    page: dict[str, Any], autojump_clock: MockClock, phx_runtime: object
) -> None:
    endpoint, cookie = page["endpoint"], 'sessionid="{\\"user_id\\": 5}"'
    for origin, admitted in (("https://shop.example", True), ("https://evil.example", False), (None, True)):
        headers = {"Cookie": cookie} | ({} if origin is None else {"Origin": origin})
        connecting = connect(page["UserSocket"], endpoint=endpoint, headers=headers)
        if admitted:
            assert (await connecting).socket.assigns.user_id == 5
        else:
            with pytest.raises(Refused, match="origin"):
                await connecting


class Cookied(Socket):
    """As the page tells to ask for Django's CSRF token."""

    async def connect(self, params: Any, connect_info: Any) -> Error | None:  # noqa: ANN401
        return None if connect_info["cookies"].get("a") == params.get("a") else Error("no")


async def test_connect_gets_cookies(autojump_clock: MockClock, phx_runtime: object) -> None:
    websocket = attrs.evolve(WebSocketOptions(), connect_info=["cookies"])
    endpoint = Endpoint(sockets=[mount("/socket", Cookied, websocket=websocket)])
    await connect(Cookied, {"a": "1"}, endpoint=endpoint, headers={"Cookie": "a=1"})
    with pytest.raises(Refused):
        await connect(Cookied, {"a": "2"}, endpoint=endpoint, headers={"Cookie": "a=1"})
