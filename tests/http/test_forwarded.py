"""The header Forwarded of RFC 7239: what it says, and what says nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.http._forwarded import MOST, parse_forwarded


@pytest.mark.parametrize(
    ("line", "elements"),
    [
        # the examples of RFC 7239 sections 4 and 6
        ('for="_gazonk"', [{"for": "_gazonk"}]),
        ('For="[2001:db8:cafe::17]:4711"', [{"for": "[2001:db8:cafe::17]:4711"}]),
        ("for=192.0.2.60;proto=http;by=203.0.113.43", [{"for": "192.0.2.60", "proto": "http", "by": "203.0.113.43"}]),
        ("for=192.0.2.43, for=198.51.100.17", [{"for": "192.0.2.43"}, {"for": "198.51.100.17"}]),
        ("for=_hidden, for=_SEVKISEK", [{"for": "_hidden"}, {"for": "_SEVKISEK"}]),
        ('for=unknown;host="a,b;c"', [{"for": "unknown", "host": "a,b;c"}]),
        (r'For="a\"b\\"', [{"for": 'a"b\\'}]),
        ('for="1.2.3.4:80"', [{"for": "1.2.3.4:80"}]),
        ("for=a;;proto=http;", [{"for": "a", "proto": "http"}]),
        (" for=a ;\tproto=http , for=b ", [{"for": "a", "proto": "http"}, {"for": "b"}]),
        ("for=a,for=b", [{"for": "a"}, {"for": "b"}]),
        ("for=a,", [{"for": "a"}, {}]),
        (",for=a", [{}, {"for": "a"}]),
        ("", [{}]),
    ],
)
def test_what_proxies_say(line: str, elements: list[dict[str, str]]) -> None:
    assert parse_forwarded(line) == elements


@pytest.mark.parametrize(
    "line",
    [
        "for=1.2.3.4:80",
        "for=[::1]",
        "for=1.2.3.4;for=5.6.7.8",
        "for=1.2.3.4;FOR=5.6.7.8",
        'for="1.2.3.4',
        'for="1.2.3.4\\"',
        'for="a"b',
        "for = 1.2.3.4",
        "for",
        "for=",
        "=a",
        "for=a b",
        "for=a proto=http",
        "for=ü",
        "for=a" * (MOST // 5 + 1),
    ],
)
def test_one_fault_spoils_the_line(line: str) -> None:
    assert parse_forwarded(line) is None


tokens = st.from_regex(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}", fullmatch=True)
texts = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=8)


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@given(st.lists(st.dictionaries(tokens.map(str.lower), tokens | texts.map(quoted), min_size=1, max_size=4), max_size=4))
def test_what_is_written_is_read(elements: list[dict[str, str]]) -> None:
    line = ", ".join(";".join(f"{name.title()}={value}" for name, value in element.items()) for element in elements)
    read = parse_forwarded(line)
    assert read is not None
    written = [
        {
            name: value[1:-1].replace('\\"', '"').replace("\\\\", "\\") if value[0] == '"' else value
            for name, value in one.items()
        }
        for one in elements
    ]
    assert read == (written or [{}])


@given(st.text(st.characters(codec="latin-1")))
def test_any_line_is_judged(line: str) -> None:
    parse_forwarded(line)
