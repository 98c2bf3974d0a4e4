from __future__ import annotations

import pytest

from phxactor.http import parse_cookies
from tests.http.requests import request


@pytest.mark.parametrize(
    ("line", "cookies"),
    [
        ("a=1", {"a": "1"}),
        ("a=1; b=2;c=3 ;\td=4", {"a": "1", "b": "2", "c": "3", "d": "4"}),
        ("a=", {"a": ""}),
        ("a=b=c==", {"a": "b=c=="}),
        ("", {}),
        (";;; ; a=1;", {"a": "1"}),
        # odd cookies, and the session behind them
        ('b={"bad":1}; session=s', {"b": '{"bad":1}', "session": "s"}),
        ("flag; session=s", {"session": "s"}),
        ("=x; session=s", {"session": "s"}),
        ("a b=1; session=s", {"a b": "1", "session": "s"}),
        ("a[]=1; $Version=1; session=s", {"a[]": "1", "$Version": "1", "session": "s"}),
        ("a=1, b=2; session=s", {"a": "1, b=2", "session": "s"}),
        ('a="; session=s', {"a": '"', "session": "s"}),
        ("bad=\xff; session=s", {"session": "s"}),
        ("a=caf\xc3\xa9", {"a": "café"}),
        # values in quotes, as Python's libraries write them
        ('a="b c"; session=s', {"a": "b c", "session": "s"}),
        (r'a="\054\"\\"', {"a": ',"\\'}),
        ('a=""', {"a": ""}),
        # one name with several values
        ("session=mine; session=theirs; a=1", {"a": "1"}),
        ("session=theirs; a=1; session=mine; session=theirs", {"a": "1"}),
        ("session=s; session=s", {"session": "s"}),
        ('session=s; session="s"', {"session": "s"}),
    ],
)
def test_one_odd_cookie_takes_no_other_with_it(line: str, cookies: dict[str, str]) -> None:
    assert dict(request(cookie=line).cookies) == cookies


def test_cookies_of_several_headers_count_together() -> None:
    lines = [(b"cookie", b"a=1; b=2"), (b"x-cookie", b"c=3"), (b"cookie", b"b=3;d=4")]
    assert dict(parse_cookies(lines)) == {"a": "1", "d": "4"}
    assert dict(request().cookies) == {}


def test_a_head_full_of_cookies_is_read_whole() -> None:
    many = ";".join(f"{number:x}={number}" for number in range(6000))
    assert len(request(cookie=many).cookies) == 6000
    assert dict(request(cookie='a="' + "\\" * 60_000 + '"').cookies) == {"a": "\\" * 30_000}
