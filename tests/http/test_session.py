"""Sessions of a Phoenix application, and the token that a client must show to be told them."""

from __future__ import annotations

from base64 import b64encode
from http import HTTPStatus
from typing import Any, Final

import attrs
import orjson
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from phxactor import Channel, Endpoint, LongPollOptions, Ok, RawSocket, Socket, WebSocketOptions, channel, mount
from phxactor.http import Request, SessionOptions, is_valid_csrf_token, session_of
from phxactor.http._session_cookie import cookie_of
from phxactor.token import _encryption as encryption
from phxactor.token import derive_key
from phxactor.token._encryption import encrypt_message
from phxactor.token._signing import sign_message
from phxactor.token.external_term import Atom, encode
from tests.http.requests import request
from tests.sockets.serving import serving

SECRET: Final = "phxactor-reference-secret-key-base-0123456789-0123456789-01234567"
OPTIONS: Final = SessionOptions(key="_app_key", signing_salt="cookie salt")

# What follows was made by OTP 25: a session cookie, the token in it, and that token masked as a page shows it.
COOKIE: Final = (
    "SFMyNTY.g3QAAAAFbQAAAAtfY3NyZl90b2tlbm0AAAAYbnRPZUxxa3hXR3RxbUZwcFF1OVhQZ0VDbQAAAA5saXZlX3NvY2tldF9pZG0AAAAPdXNl"
    "cnNfc29ja2V0OjQybQAAAARuYW1lbQAAAAVKb3PDqW0AAAAFcm9sZXNsAAAAAmQABWFkbWlubQAAAAF4am0AAAAHdXNlcl9pZGEq"
    ".-Kh1ggHNLYk4ji9eyAvVL7YafxCIN0fWhQjSi9k9axo"
)
TOKEN: Final = "ntOeLqkxWGtqmFppQu9XPgEC"
SHOWN: Final = "Vgd7N3ouLik6Ey0ZGzJCPzU9CG8XODd08s4R6_EQmTYhvt2OdH17G_r7"
SESSION: Final = {
    "_csrf_token": TOKEN,
    "user_id": 42,
    "name": "José",
    "roles": [Atom("admin"), "x"],
    "live_socket_id": "users_socket:42",
}


def asking(shown: str | None = SHOWN, cookie: str | None = f"_app_key={COOKIE}") -> Request:
    query = "" if shown is None else f"?_csrf_token={shown}"
    return request(f"/socket/websocket{query}", cookie=cookie)


def key(salt: str) -> bytes:
    return derive_key(SECRET, salt, iterations=1000, length=32, digest="sha256")


def cookie(term: object) -> str:
    """Make a session's cookie as Plug does."""
    return sign_message(encode(term), key("cookie salt"))


# ----------------------------------------------------------------------------------------------- what is read


def test_a_session_and_its_token() -> None:
    assert session_of(asking(), OPTIONS, SECRET) == SESSION


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(asking(shown=None), id="no token is shown"),
        pytest.param(asking(shown=TOKEN), id="the bare token"),
        pytest.param(asking(shown=SHOWN[:-1] + "8"), id="another token"),
        pytest.param(asking(shown=""), id="an empty token"),
        pytest.param(request(f"/?_csrf_token[]={SHOWN}", cookie=f"_app_key={COOKIE}"), id="a list"),
        pytest.param(request(f"/?_csrf_token={SHOWN}&x=%ff", cookie=f"_app_key={COOKIE}"), id="a query that is none"),
        pytest.param(asking(cookie=None), id="no cookie"),
        pytest.param(asking(cookie=f"other={COOKIE}"), id="another cookie"),
        pytest.param(asking(cookie="_app_key="), id="an empty cookie"),
        pytest.param(asking(cookie=f"_app_key={COOKIE[:-1]}p"), id="another signature"),
        pytest.param(asking(cookie=f"_app_key={COOKIE[8:]}"), id="half a cookie"),
        pytest.param(asking(cookie="_app_key=" + cookie({"user_id": 1})), id="a session without a token"),
        pytest.param(asking(cookie="_app_key=" + cookie({"_csrf_token": 1})), id="a token that is none"),
        pytest.param(asking(cookie="_app_key=" + cookie({"_csrf_token": "é" * 12})), id="a token of other letters"),
        pytest.param(asking(cookie="_app_key=" + cookie([1])), id="no map"),
        pytest.param(asking(cookie="_app_key=" + sign_message(b"{}", key("cookie salt"))), id="no term"),
    ],
)
def test_there_is_none(made: Request) -> None:
    assert session_of(made, OPTIONS, SECRET) is None


def test_another_secret_or_salt_reads_nothing() -> None:
    assert session_of(asking(), OPTIONS, SECRET[::-1]) is None
    assert session_of(asking(), attrs.evolve(OPTIONS, signing_salt="another"), SECRET) is None
    assert session_of(asking(), attrs.evolve(OPTIONS, key_digest="sha512"), SECRET) is None


def test_an_application_may_do_without_the_token() -> None:
    open_to_all = attrs.evolve(OPTIONS, check_csrf=False)
    assert session_of(asking(shown=None), open_to_all, SECRET) == SESSION
    assert session_of(asking(shown=None, cookie=None), open_to_all, SECRET) is None
    assert session_of(asking(shown=None, cookie="_app_key=x"), open_to_all, SECRET) is None


def test_the_token_may_stand_elsewhere_in_the_session() -> None:
    made = asking(cookie="_app_key=" + cookie({"forgery": TOKEN}))
    assert session_of(made, OPTIONS, SECRET) is None
    assert session_of(made, attrs.evolve(OPTIONS, csrf_token_key="forgery"), SECRET) == {"forgery": TOKEN}


def test_an_encrypted_session() -> None:
    options = attrs.evolve(OPTIONS, encryption_salt="another salt")
    sealed = encrypt_message(encode(SESSION), key("another salt"))
    assert session_of(asking(cookie=f"_app_key={sealed}"), options, SECRET) == SESSION
    assert session_of(asking(), options, SECRET) is None
    assert session_of(asking(cookie=f"_app_key={sealed}"), OPTIONS, SECRET) is None


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("_app_key=1", "1"),
        ("a=b;_app_key=1; c", "1"),
        ("a=b; \t_app_key=a=b  ;c=d", "a=b"),
        ("_app_key=1; _app_key=2", "2"),
        ("_app_key", None),
        ("x_app_key=1", None),
        ("", None),
    ],
)
def test_cookies(header: str, value: str | None) -> None:
    assert cookie_of(request(cookie=header), "_app_key") == value


# ------------------------------------------------------------------------------------------------- the token


def mask(token: bytes, mask: bytes) -> str:
    return b64encode(bytes(a ^ b for a, b in zip(token, mask, strict=True))).decode() + mask.decode()


letters = st.text("ABCxyz019+/-_=", min_size=24, max_size=24)


@given(letters, letters)
def test_any_mask_of_the_token_is_valid(token: str, other: str) -> None:
    shown = mask(token.encode(), other.encode())
    assert is_valid_csrf_token(token, shown)
    assert is_valid_csrf_token(token, shown[:32].replace("+", "-").replace("/", "_") + other)
    assert is_valid_csrf_token(other, shown) is (other == token)


@given(st.one_of(st.none(), st.text(), st.binary(), letters), st.one_of(st.none(), st.text(min_size=50), st.integers()))
def test_nothing_else_is_and_nothing_raises(expected: object, shown: object) -> None:
    assert not is_valid_csrf_token(expected, shown)


# -------------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("changed", "error", "says"),
    [
        ({"key": "a b"}, ValueError, "cookie's name"),
        ({"key": ""}, ValueError, "cookie's name"),
        ({"key": None}, TypeError, "cookie's name"),
        ({"signing_salt": None}, TypeError, "salt"),
        ({"encryption_salt": 1}, TypeError, "salt"),
        ({"check_csrf": "no"}, TypeError, "check_csrf"),
        ({"key_iterations": 0}, ValueError, "key_iterations"),
        ({"key_length": 0}, ValueError, "key_length"),
        ({"key_length": 64, "encryption_salt": "x"}, ValueError, "key_length"),
        ({"key_digest": "md5"}, ValueError, "sha256"),
    ],
)
def test_bad_options_fail_when_given(changed: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        attrs.evolve(OPTIONS, **changed)


def test_encryption_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encryption, "_INSTALLED", False)
    with pytest.raises(ImportError, match="encryption"):
        attrs.evolve(OPTIONS, encryption_salt="x")


def test_where_sessions_are_asked_for() -> None:
    with pytest.raises(TypeError, match="SessionOptions"):
        WebSocketOptions(session={"key": "x"})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"session=SessionOptions\(\.\.\.\)"):
        WebSocketOptions(connect_info=["session"])  # type: ignore[list-item]


@pytest.mark.parametrize("transport", ["websocket", "longpoll"])
def test_an_endpoint_needs_the_secret_of_the_application(transport: str) -> None:
    options = {"websocket": WebSocketOptions(session=OPTIONS)}
    if transport == "longpoll":
        options = {"websocket": False, "longpoll": LongPollOptions(session=OPTIONS)}  # type: ignore[dict-item]
    mounts = [mount("/socket", UserSocket, **options)]  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="secret_key_base"):
        Endpoint(sockets=mounts)
    with pytest.raises(ValueError, match="at least 20 bytes"):
        Endpoint(sockets=mounts, secret_key_base="short")
    Endpoint(sockets=mounts, secret_key_base=SECRET)


# ------------------------------------------------------------------------------------------------ on the wire


class Lobby(Channel):
    """Tells its client who it is."""

    async def join(self, topic: str, payload: Any) -> Ok[Any]:  # noqa: ANN401
        return Ok({"user_id": self.assigns.get("user_id")})


class UserSocket(Socket):
    """Takes the user from the session."""

    channels = (channel("lobby", Lobby),)

    async def connect(self, params: Any, connect_info: Any) -> None:  # noqa: ANN401
        if connect_info["session"] is not None:
            self.assign(user_id=connect_info["session"]["user_id"])


class Raw(RawSocket):
    """The same, without channels."""

    async def connect(self, params: Any, connect_info: Any) -> None:  # noqa: ANN401
        self.session = connect_info["session"]

    async def handle_in(self, data: str | bytes) -> str:
        return str(self.session and self.session["user_id"])


@pytest.mark.socket
async def test_the_session_reaches_connect() -> None:
    websocket, longpoll = WebSocketOptions(session=OPTIONS), LongPollOptions(session=OPTIONS)
    endpoint = Endpoint(
        sockets=[
            mount("/socket", UserSocket, websocket=websocket, longpoll=longpoll),
            mount("/raw", Raw, websocket=websocket),
        ],
        secret_key_base=SECRET,
    )
    headers = {"Cookie": f"a=b; _app_key={COOKIE}"}
    async with serving(endpoint) as server:
        for query, user_id in ((f"&_csrf_token={SHOWN}", 42), ("", None)):
            async with await server.connect(f"/socket/websocket?vsn=2.0.0{query}", headers=headers) as client:
                reply = await client.ask(["1", "1", "lobby", "phx_join", {}])
                assert reply == ["1", "1", "lobby", "phx_reply", {"status": "ok", "response": {"user_id": user_id}}]
            async with await server.connect(f"/raw/websocket?{query}", headers=headers) as client:
                await client.send("who")
                assert await client.next() == str(user_id)
            assert await by_longpoll(server.port, query, headers["Cookie"]) == user_id


async def by_longpoll(port: int, query: str, cookie: str) -> object:
    """Open a session by long poll, join, and return who one is."""

    async def ask(method: str, more: str = "", body: bytes = b"") -> Any:  # noqa: ANN401
        head = f"{method} /socket/longpoll?vsn=2.0.0{query}{more} HTTP/1.1\r\nhost: a\r\ncookie: {cookie}\r\n"
        head += f"connection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(head.encode() + body)
            answer = b"".join([bytes(part) async for part in stream])
        return orjson.loads(answer.split(b"\r\n\r\n", 1)[1])

    token = (await ask("GET"))["token"]
    await ask("POST", f"&token={token}", orjson.dumps(["1", "1", "lobby", "phx_join", {}]))
    polled = await ask("GET", f"&token={token}")
    assert polled["status"] == HTTPStatus.OK
    return orjson.loads(polled["messages"][0])[4]["response"]["user_id"]
