from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.http import CheckOrigin, OriginCheck, Request
from tests.http.requests import PEER, request


def allows(rule: CheckOrigin, origin: str | None, host: str | None = "example.com") -> bool:
    return OriginCheck(rule).allows(request(origin=origin, host=host))


@pytest.mark.parametrize("rule", [True, False, [], ["//example.com"], lambda _: False])
def test_without_an_origin_anybody_may(rule: CheckOrigin) -> None:
    assert allows(rule, None)


@pytest.mark.parametrize("origin", ["http://evil.com", "null", "", "nonsense"])
def test_false_lets_all_in(origin: str) -> None:
    assert allows(rule=False, origin=origin)


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("http://example.com", "example.com", True),
        ("https://example.com:8443", "example.com:4000", True),  # the host only, as Phoenix
        ("http://EXAMPLE.com", "example.COM", True),
        ("http://[::1]:3000", "[::1]:4000", True),
        ("http://evil.com", "example.com", False),
        ("http://example.com.evil.com", "example.com", False),
        ("http://sub.example.com", "example.com", False),
        ("http://example.com@evil.com", "example.com", False),
        ("null", "example.com", False),
        ("null", "null", False),
        ("", "example.com", False),
        ("http://example.com, http://evil.com", "example.com", False),
        # read as a URL, as Phoenix does: React Native and SocketRocket send a slash
        ("http://example.com/", "example.com", True),
        ("https://example.com:8443/", "example.com:4000", True),
        ("http://example.com/path?query#fragment", "example.com", True),
        ("http://example.com?query", "example.com", True),
        ("http://example.com#fragment", "example.com", True),
        ("http://[::1]/", "[::1]:4000", True),
        ("http://example.com:", "example.com", True),
        ("http://user@example.com/", "example.com", True),
        ("http://user:word@example.com:80/", "example.com", True),
        ("wss://example.com/", "example.com", True),
        ("//example.com/", "example.com", True),
        ("http://evil.com/example.com", "example.com", False),
        ("http://evil.com/@example.com", "example.com", False),
        ("http://evil.com?@example.com", "example.com", False),
        ("http://evil.com#@example.com", "example.com", False),
        ("http://evil.com\\@example.com", "example.com", False),
        ("http://example.com\\.evil.com/", "example.com", False),
        ("http://example.com:80@evil.com/", "example.com", False),
        ("http://example.com@evil.com@example.com", "example.com", False),
        ("http://example.com:99999/", "example.com", False),
        ("http://example.com/a b", "example.com", False),
        ("http://example.com/\tb", "example.com", False),
        ("http:/example.com/", "example.com", False),
        ("example.com/", "example.com", False),
        ("http://example.com/, http://evil.com/", "example.com", False),
        ("http://example.com", None, False),
        ("http://example.com", "", False),
    ],
)
def test_true_compares_with_the_host_of_the_request(origin: str, host: str | None, *, allowed: bool) -> None:
    assert allows(rule=True, origin=origin, host=host) is allowed


@pytest.mark.parametrize(
    ("patterns", "origin", "allowed"),
    [
        # recorded from Phoenix 1.8.12
        (["//example.com", "//*.example.org"], "http://example.com", True),
        (["//example.com", "//*.example.org"], "http://a.example.org", True),
        (["//example.com", "//*.example.org"], "http://evil.com", False),
        # its rules
        (["//example.com"], "https://example.com:8443", True),
        (["//EXAMPLE.com"], "app://example.COM", True),
        (["//*.example.org"], "http://example.org", True),
        (["//*.example.org"], "http://a.b.example.org", True),
        (["//*.example.org"], "http://badexample.org", False),
        (["//example.com:8080"], "http://example.com:8080", True),
        (["//example.com:8080"], "http://example.com", False),
        (["//example.com:443"], "https://example.com", True),
        (["https://example.com"], "https://example.com:443", True),
        (["https://example.com"], "http://example.com", False),
        (["https://example.com"], "https://example.com:8443", False),
        (["https://example.com:8443"], "https://example.com:8443", True),
        (["capacitor://localhost"], "capacitor://localhost", True),
        (["https://example.com:8443"], "https://example.com:8443/", True),
        (["https://example.com:8443"], "https://example.com:8443/app", True),
        (["https://example.com:8443"], "https://example.com/", False),
        (["https://example.com"], "https://EXAMPLE.com:443/", True),
        (["https://example.com"], "http://example.com/", False),
        (["https://example.com"], "https://user@example.com/", True),
        (["https://example.com"], "https://example.com@evil.com/", False),
        (["https://*.example.org"], "https://a.example.org/", True),
        (["https://*.example.org"], "http://a.example.org/", False),
        (["//[::1]:9"], "http://[::1]:9/", True),
        (["//[::1]:9"], "http://[::1]/", False),
        (["wss://example.com"], "wss://example.com:443/", True),
        (["//example.com:443"], "wss://example.com/", True),
        (["capacitor://localhost"], "capacitor://localhost/", True),
        (["//example.com"], "https://example.com/, https://example.com/", False),
        ([], "http://example.com", False),
        (["//example.com"], "null", False),
        (["null"], "null", True),
        (["null"], "nonsense", False),
        (["null"], "http://example.com", False),
    ],
)
def test_a_list_of_patterns(patterns: list[str], origin: str, *, allowed: bool) -> None:
    assert allows(patterns, origin) is allowed


def test_a_function_is_given_every_origin() -> None:
    asked: list[str] = []

    def only_null(origin: str) -> bool:
        asked.append(origin)
        return origin == "null"

    check = OriginCheck(only_null)
    assert check.allows(request(origin="null"))
    assert not check.allows(request(origin="http://example.com"))
    assert asked == ["null", "http://example.com"]


@pytest.mark.parametrize(
    ("origin", "given"),
    [
        ("https://Example.com/", "https://example.com"),
        ("https://example.com:443/app", "https://example.com"),
        ("https://example.com:8443/", "https://example.com:8443"),
        ("http://user@[::1]:80", "http://[::1]"),
        ("wss://example.com:443", "wss://example.com"),
        ("app://example.com:443/", "app://example.com:443"),
        ("//example.com/", "//example.com"),
        ("file:///", "file:///"),
        ("nonsense", "nonsense"),
        ("", ""),
    ],
)
def test_a_function_is_given_it_as_browsers_write_it(origin: str, given: str) -> None:
    assert allows(lambda origin: origin == given, origin)


@pytest.mark.parametrize("rule", [True, ["//example.com"], lambda _: True])
def test_several_origins_are_none(rule: CheckOrigin) -> None:
    headers = ((b"host", b"example.com"), (b"origin", b"http://example.com"), (b"origin", b"http://example.com"))
    check = OriginCheck(rule)
    assert check.allows(Request("GET", "/", headers[:2], peer=PEER))
    assert not check.allows(Request("GET", "/", headers, peer=PEER))
    assert OriginCheck(rule=False).allows(Request("GET", "/", headers, peer=PEER))


@pytest.mark.parametrize(
    "pattern",
    [
        "example.com",
        "",
        "//",
        "http://",
        "https://example.com/",
        "https://example.com/app",
        "https://user@example.com",
        "https://example.com?a",
        "//exa*mple.com",
        "//*",
        "//*.*.com",
        "//a:b",
        "//ü.de",
    ],
)
def test_a_bad_pattern_fails_when_it_is_given(pattern: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        OriginCheck(["//example.com", pattern])


@pytest.mark.parametrize("rule", [None, 1, "//example.com", b"//example.com", [b"//example.com"], str])
def test_what_is_no_rule(rule: object) -> None:
    with pytest.raises(TypeError, match="check_origin"):
        OriginCheck(rule)  # type: ignore[arg-type]


labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)
hosts = st.lists(labels, min_size=1, max_size=4).map(".".join)


@given(hosts, hosts, st.sampled_from(["http", "https", "app"]), st.none() | st.integers(1, 65535))
def test_a_wildcard_means_the_host_and_all_below_it(host: str, prefix: str, scheme: str, port: int | None) -> None:
    end = "" if port is None else f":{port}"
    check = OriginCheck([f"//*.{host}"])
    assert check.allows(request(origin=f"{scheme}://{host}{end}"))
    assert check.allows(request(origin=f"{scheme}://{prefix}.{host}{end}"))
    assert not check.allows(request(origin=f"{scheme}://-{host}{end}"))
    assert not check.allows(request(origin=f"{scheme}://{host}.x-{end}"))


@given(st.text(alphabet=st.characters(codec="latin-1")))
def test_any_origin_is_judged(origin: str) -> None:
    assert not OriginCheck(["//only.example"]).allows(request(origin=origin))


@pytest.mark.parametrize(
    ("rule", "origin", "host", "says"),
    [
        (
            True,
            "https://shop.example:8443",
            "app:4000",
            (
                "'https://shop.example:8443' is not allowed: check_origin=True allows pages of the request's host "
                "only, and the request was sent to the host 'app:4000' (header Host); "
                "check_origin=['https://shop.example:8443'] would allow it"
            ),
        ),
        (True, "http://a.example/path", None, "was sent to no host; check_origin=['http://a.example'] would allow it"),
        (True, "null", "app", "check_origin=['null'] would allow it"),
        (True, "nonsense", "app", "the request was sent to the host 'app' (header Host)"),
        (
            ["https://shop.example", "//*.example.org", "null"],
            "http://shop.example",
            "app",
            (
                "scheme http, host shop.example, port 80 matches none of check_origin="
                "['//*.example.org', 'https://shop.example', 'null']; add 'http://shop.example' to allow it"
            ),
        ),
        ([], "null", "app", "it matches none of check_origin=[]; add 'null' to allow it"),
        (["//a.example"], "nonsense", "app", "it matches none of check_origin=['//a.example']"),
        (lambda _: False, "http://a.example", "app", "the function given as check_origin did not return True"),
        (True, "http://a, http://b", "app", "a page has one origin"),
    ],
)
def test_a_refusal_says_what_was_compared(rule: CheckOrigin, origin: str, host: str | None, says: str) -> None:
    check, asked = OriginCheck(rule), request(origin=origin, host=host)
    assert not check.allows(asked)
    assert check.refusal(asked, "Host").endswith(says)


def test_a_refusal_is_short() -> None:
    long = "http://" + "a" * 10_000
    for rule in (True, ["//example.com"] * 1000, [f"//{number}.example.com" for number in range(1000)]):
        check = OriginCheck(rule)
        assert len(check.refusal(request(origin=long, host="b" * 10_000), "Host")) < 2000
