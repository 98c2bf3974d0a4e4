from __future__ import annotations

import pytest

from phxactor.http import BadParams, Request
from tests.http.requests import PEER, request


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/", "/", ""),
        ("/a/b?c=d?e", "/a/b", "c=d?e"),
        ("/a%20%C3%BC%2Fb+c", "/a ü/b+c", ""),
        ("//evil.example/x", "//evil.example/x", ""),
        ("http://example.org/a?b", "/a", "b"),
        ("HTTPS://example.org", "/", ""),
        ("http://example.org?b", "/", "b"),
        ("*", "*", ""),
        ("/?", "/", ""),
        # a fragment is not for servers
        ("/a#top", "/a", ""),
        ("/a#", "/a", ""),
        ("/a?b=c#top", "/a", "b=c"),
        ("/a?b#c?d", "/a", "b"),
        ("/a#b?c", "/a", ""),
        ("/a?b%23c", "/a", "b%23c"),
        ("/a%23b", "/a#b", ""),
        ("http://example.org#top", "/", ""),
        ("http://example.org/a?b#top", "/a", "b"),
        ("http://example.org?b#top", "/", "b"),
    ],
)
def test_a_target_has_a_path_and_a_query(target: str, path: str, query: str) -> None:
    made = request(target)
    assert (made.path, made.query) == (path, query)


@pytest.mark.parametrize(
    "target", ["example.com:443", "a/b", "ftp://example.com/", "http:///x", "?a=b", "/%ff", "#a", "*#a"]
)
def test_other_targets_are_refused(target: str) -> None:
    with pytest.raises(ValueError, match=r"target|UTF-8"):
        request(target)


def test_the_raw_path_is_kept() -> None:
    assert request("/a%2Fb/%2e?x").raw_path == "/a%2Fb/%2e"


def test_the_authority_is_the_hosts_unless_the_target_has_one() -> None:
    assert request("/", host="example.com:4000").authority == "example.com:4000"
    assert request("http://example.org/", host="example.com").authority == "example.org"
    assert request("/", host=None).authority is None


@pytest.mark.parametrize(
    "host",
    ["", "a", "A.b-c_d", "a:80", "a:", "127.0.0.1:4000", "[::1]", "[::1]:4000", "a%20b", "xn--bcher-kva.de", "a,b"],
)
def test_hosts(host: str) -> None:
    assert request("/", host=host).authority == host


@pytest.mark.parametrize(
    "host",
    [
        "a b",
        "a b/c@d",
        "a/b",
        "user@a",
        "a?b",
        "a#b",
        "a:b",
        "a:80:80",
        ":80",
        "::1",
        "[::1",
        "[x]",
        "a, b",
        "a\\b",
        "\xe9",
        "<a>",
    ],
)
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="host"):
        request("/", host=host)
    with pytest.raises(ValueError, match="host"):
        request("http://a/", host=host)
    if not set(host) & set("/?#"):
        with pytest.raises(ValueError, match="host"):
            request(f"http://{host}/")


def test_headers_by_name() -> None:
    headers = ((b"x-one", b"1"), (b"x-two", b"\xe9"), (b"x-one", b"2"))
    made = Request("GET", "/", headers, peer=PEER)
    assert made.header("X-One") == "1, 2"
    assert made.header("x-two") == "é"
    assert made.header("x-three") is None


def test_params_are_decoded_when_asked_for_and_once() -> None:
    made = request("/?a[b]=1")
    assert made.params == {"a": {"b": "1"}}
    assert made.params is made.params
    broken = request("/?a=%ff")
    with pytest.raises(BadParams):
        _ = broken.params


def test_a_printed_request_shows_no_secrets() -> None:
    shown = repr(Request("POST", "/path?token=secret", ((b"authorization", b"secret"),), b"hidden", peer=PEER))
    assert "secret" not in shown
    assert "hidden" not in shown
    assert "/path" in shown
