from __future__ import annotations

from base64 import b64encode

import attrs
import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate

from phxactor.http import Request
from phxactor.transport import Accepted, Refused, WebSocketOptions, handshake
from tests.http.requests import UPGRADE, request, upgrade

PLAIN = WebSocketOptions()
STRICT = WebSocketOptions(subprotocols=["ref.v1", "ref.v2"], auth_token=True)


def accepted(made: Request, options: WebSocketOptions = PLAIN) -> Accepted:
    result = handshake(made, options)
    assert isinstance(result, Accepted), result
    return result


def refused(made: Request, options: WebSocketOptions = PLAIN) -> Refused:
    result = handshake(made, options)
    assert isinstance(result, Refused), result
    return result


def fields(head: bytes) -> dict[str, str]:
    first, *lines = head.removesuffix(b"\r\n\r\n").decode().split("\r\n")
    assert first == "HTTP/1.1 101 Switching Protocols"
    return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


def bearer(token: bytes) -> str:
    return "base64url.bearer.phx." + b64encode(token).rstrip(b"=").decode()


def test_the_answer_is_that_of_rfc_6455() -> None:
    result = accepted(upgrade())
    head = fields(result.head)
    assert head == {
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    }
    assert result.subprotocol is None
    assert result.auth_token is None
    assert list(result.extensions) == []


def test_a_browser_names_more_connection_options() -> None:
    result = accepted(upgrade(connection="keep-alive, Upgrade", upgrade="WebSocket"))
    assert fields(result.head)["connection"] == "Upgrade"


@pytest.mark.parametrize(
    ("made", "status"),
    [
        (request("/socket/websocket"), 400),  # recorded from Phoenix 1.8.12
        (request("/socket/websocket", "POST", **UPGRADE), 400),
        (request("/socket/websocket", "HEAD", **UPGRADE), 400),
        (attrs.evolve(upgrade(), http_version="1.0"), 400),
        (upgrade(connection="keep-alive"), 400),
        (upgrade(upgrade="h2c"), 400),
        (upgrade(connection="\x01"), 400),
        (upgrade(connection=",;"), 400),
        (upgrade(sec_websocket_key=None), 400),
        (upgrade(sec_websocket_key="short"), 400),
        (upgrade(sec_websocket_key="\xe9\xff"), 400),
        (upgrade(sec_websocket_version="8"), 426),
        (upgrade(sec_websocket_version="14"), 426),
        (upgrade(sec_websocket_version=None), 426),
    ],
)
def test_what_is_no_handshake(made: Request, status: int) -> None:
    result = refused(made)
    assert result.response.status == status
    assert result.why
    assert result.why.isprintable()


def test_two_keys_are_one_too_many() -> None:
    made = upgrade()
    twice = Request("GET", made.target, (*made.headers, (b"sec-websocket-key", b"x")), peer=made.peer)
    assert refused(twice).response.status == 400


def test_a_refusal_says_what_would_do() -> None:
    assert dict(refused(upgrade(sec_websocket_version="7")).response.headers)[b"sec-websocket-version"] == b"13"


def test_compression_when_both_want_it() -> None:
    wants = upgrade(sec_websocket_extensions="permessage-deflate; client_max_window_bits")
    result = accepted(wants, WebSocketOptions(compress=True))
    assert [type(extension) for extension in result.extensions] == [PerMessageDeflate]
    assert fields(result.head)["sec-websocket-extensions"].startswith("permessage-deflate")
    for made, options in ((wants, PLAIN), (upgrade(), WebSocketOptions(compress=True))):
        result = accepted(made, options)
        assert list(result.extensions) == []
        assert "sec-websocket-extensions" not in fields(result.head)


def test_other_extensions_are_not_spoken() -> None:
    unknown = upgrade(sec_websocket_extensions="x-webkit-deflate-frame, permessage-bzip2")
    assert list(accepted(unknown, WebSocketOptions(compress=True)).extensions) == []
    broken = upgrade(sec_websocket_extensions=";;")
    assert refused(broken, WebSocketOptions(compress=True)).response.status == 400
    assert list(accepted(broken).extensions) == []


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        (None, None),
        ("", None),
        ("ref.v1", "ref.v1"),
        ("other, ref.v2", "ref.v2"),
        ("ref.v2,ref.v1", "ref.v1"),  # the server's preference
        ("phoenix", "phoenix"),
    ],
)
def test_the_sub_protocol_that_is_chosen(asked: str | None, chosen: str | None) -> None:
    result = accepted(upgrade(sec_websocket_protocol=asked), STRICT)
    assert result.subprotocol == chosen
    assert fields(result.head).get("sec-websocket-protocol") == chosen


def test_no_sub_protocol_that_is_known() -> None:
    assert refused(upgrade(sec_websocket_protocol="other"), STRICT).response.status == 403
    assert refused(upgrade(sec_websocket_protocol="REF.V1"), STRICT).response.status == 403
    only = WebSocketOptions(subprotocols=["ref.v1"])
    assert refused(upgrade(sec_websocket_protocol="phoenix"), only).response.status == 403


def test_without_sub_protocols_nobody_looks() -> None:
    result = accepted(upgrade(sec_websocket_protocol="whatever, @@"))
    assert result.subprotocol is None
    assert "sec-websocket-protocol" not in fields(result.head)


@pytest.mark.parametrize("token", [b"", b"a", b"ab", b"abc", b"\xc3\xbb\xef\xbf\xbf~~??", "grüße".encode()])
def test_a_token_among_the_sub_protocols(token: bytes) -> None:
    result = accepted(upgrade(sec_websocket_protocol=f"phoenix, {bearer(token)}"), STRICT)
    assert result.auth_token == token.decode()
    assert result.subprotocol == "phoenix"
    alone = accepted(upgrade(sec_websocket_protocol=bearer(token)), STRICT)
    assert (alone.auth_token, alone.subprotocol) == (token.decode(), None)


def test_a_token_is_not_printed() -> None:
    result = accepted(upgrade(sec_websocket_protocol=bearer(b"tell-nobody")), STRICT)
    assert result.auth_token == "tell-nobody"
    assert "tell-nobody" not in repr(result)


def test_two_tokens_are_none() -> None:
    asked = f"phoenix, {bearer(b'a')}, {bearer(b'b')}"
    result = accepted(upgrade(sec_websocket_protocol=asked), STRICT)
    assert (result.auth_token, result.subprotocol) == (None, "phoenix")


@pytest.mark.parametrize("encoded", ["!", "a", "a-b_", "/w"])
def test_a_token_that_is_no_text(encoded: str) -> None:
    made = upgrade(sec_websocket_protocol=f"phoenix, base64url.bearer.phx.{encoded}")
    assert refused(made, STRICT).response.status == 400


def test_a_token_is_ignored_unless_it_is_wanted() -> None:
    result = accepted(upgrade(sec_websocket_protocol=f"phoenix, {bearer(b'x')}"))
    assert (result.auth_token, result.subprotocol) == (None, None)


def test_a_header_of_extensions_that_would_take_long_to_read_is_not_read() -> None:
    deflate = WebSocketOptions(compress=True)
    long = upgrade(sec_websocket_extensions="permessage-deflate, " + "x; a=1, " * 100 + "x" * 300)
    assert "1024 characters" in refused(long, deflate).why
    assert refused(long, deflate).response.status == 400
    assert list(accepted(long).extensions) == []  # nobody reads it
