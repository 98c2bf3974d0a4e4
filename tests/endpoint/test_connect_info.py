from __future__ import annotations

from typing import Literal, get_args

import pytest

from phxactor.endpoint._connect_info import connect_info
from phxactor.http import Request
from phxactor.transport import ConnectInfoKey, WebSocketOptions
from tests.http.requests import PEER, request

ALL = WebSocketOptions(connect_info=get_args(ConnectInfoKey))


def test_everything_that_can_be_known() -> None:
    made = request(
        "/socket/web%20socket?a=b&vsn=2.0.0",
        host="Example.com:4000",
        user_agent="tests/1",
        x_one="1",
        traceparent="00-ab-cd-01",
        sec_websocket_version="13",
        cookie='a=secret; odd; b={"bad":1}; c="x\\"y"; twice=1; twice=2',
    )
    assert connect_info(made, ALL, "tok") == {
        "peer_data": {"address": "192.0.2.7", "port": 50000},
        "uri": {
            "scheme": "http",
            "host": "example.com",
            "port": 4000,
            "path": "/socket/web%20socket",
            "query": "a=b&vsn=2.0.0",
        },
        "user_agent": "tests/1",
        "x_headers": [("x-one", "1")],
        "trace_context_headers": [("traceparent", "00-ab-cd-01")],
        "sec_websocket_headers": [("sec-websocket-version", "13")],
        "auth_token": "tok",
        "cookies": {"a": "secret", "b": '{"bad":1}', "c": 'x"y'},
        "request": made,
    }


def test_what_is_not_there() -> None:
    made = request(host=None)
    assert connect_info(made, ALL, None) == {
        "peer_data": {"address": "192.0.2.7", "port": 50000},
        "uri": {"scheme": "http", "host": "", "port": 80, "path": "/", "query": ""},
        "user_agent": None,
        "x_headers": [],
        "trace_context_headers": [],
        "sec_websocket_headers": [],
        "auth_token": None,
        "cookies": {},
        "request": made,
    }


def test_a_token_is_no_header() -> None:
    made = request(sec_websocket_protocol="phoenix, base64url.bearer.phx.c2VjcmV0")
    assert connect_info(made, ALL, "secret")["sec_websocket_headers"] == [("sec-websocket-protocol", "phoenix")]


def test_only_what_was_asked_for() -> None:
    assert connect_info(request(user_agent="x"), WebSocketOptions(), "tok") == {}
    assert connect_info(request(user_agent="x"), WebSocketOptions(connect_info=["user_agent"]), "tok") == {
        "user_agent": "x"
    }
    assert connect_info(request(), WebSocketOptions(auth_token=True), "tok") == {"auth_token": "tok"}


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
def test_the_port_that_a_scheme_implies(scheme: Literal["http", "https"], port: int) -> None:
    made = Request("GET", "/", ((b"host", b"[::1]"),), peer=PEER, scheme=scheme)
    assert connect_info(made, WebSocketOptions(connect_info=["uri"]), None)["uri"] == {
        "scheme": scheme,
        "host": "::1",
        "port": port,
        "path": "/",
        "query": "",
    }


def test_the_cookies_are_not_shown() -> None:
    cookies = connect_info(request(cookie="sessionid=secret; theme=dark"), ALL, None)["cookies"]
    assert repr(cookies) == "<cookies 'sessionid', 'theme'>"
    assert str(cookies) == repr(cookies)
    assert repr(connect_info(request(), ALL, None)["cookies"]) == "<no cookies>"
