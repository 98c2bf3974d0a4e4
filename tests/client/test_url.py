from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.client import URL
from phxactor.client._url import Param, subprotocols
from phxactor.http._params import decode

scalars = st.text()
keys = st.text(min_size=1).filter(lambda key: not set(key) & set("[]"))
nested = st.recursive(
    scalars | st.lists(scalars, min_size=1, max_size=3),
    lambda inner: st.dictionaries(keys, inner, min_size=1, max_size=3),
    max_leaves=8,
)


def test_the_parts() -> None:
    assert URL.parse("ws://h/socket/websocket") == URL(False, "h", 80, "h", "/socket/websocket", "")
    assert URL.parse("wss://H.example:8443?a=1") == URL(True, "h.example", 8443, "H.example:8443", "/", "a=1")
    assert URL.parse("ws://[::1]:4000/x") == URL(False, "::1", 4000, "[::1]:4000", "/x", "")
    assert URL.parse("wss://h:443/ä b%20c").netloc == "h"
    assert URL.parse("wss://h:443/ä b%20c").path == "/%C3%A4%20b%20c"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://h/socket", "begins with ws:// or wss://"),
        ("h/socket", "begins with ws:// or wss://"),
        ("ws:///socket", "no host"),
        ("ws://user:secret@h/socket", "no user and no password"),
        ("ws://h:99999/socket", "[Pp]ort"),
    ],
)
def test_a_wrong_url_is_refused(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        URL.parse(url)


def test_it_is_shown_without_its_query() -> None:
    assert str(URL.parse("wss://h:4000/socket?token=secret")) == "wss://h:4000/socket"


def test_params_follow_what_was_in_the_url() -> None:
    url = URL.parse("ws://h/s?a=b")
    assert url.target({}) == "/s?a=b&vsn=2.0.0"
    assert url.target({"x": [1, 2.5], "y": {"z": True}, "t": "ä&="}) == (
        "/s?a=b&x%5B%5D=1&x%5B%5D=2.5&y%5Bz%5D=true&t=%C3%A4%26%3D&vsn=2.0.0"
    )


@given(st.dictionaries(keys, nested, max_size=4))
def test_the_server_reads_what_the_client_writes(params: Mapping[str, Param]) -> None:
    query = urlsplit(URL.parse("ws://h/s").target(params)).query
    assert decode(query) == {**params, "vsn": "2.0.0"}


@pytest.mark.parametrize("value", [None, b"bytes", {1}, [None], [{"a": "b"}], {"a": {"b": object()}}])
def test_a_param_that_no_query_can_hold_is_refused(value: Param) -> None:
    with pytest.raises(TypeError, match=r"the param 'k.*' is not a string"):
        URL.parse("ws://h/s").target({"k": value})


def test_a_token_is_hidden_in_standard_base64() -> None:
    assert subprotocols(None) == []
    assert subprotocols("tok?>~~") == ["phoenix", "base64url.bearer.phx.dG9rPz5+fg"]
