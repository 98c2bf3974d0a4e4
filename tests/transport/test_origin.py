from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.transport.origin import CheckOrigin, OriginCheck
from tests.transport.requests import request


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
        ("http://example.com/path", "example.com", False),
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
    "pattern",
    [
        "example.com",
        "",
        "//",
        "http://",
        "https://example.com/",
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
