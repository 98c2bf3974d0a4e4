from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from phxactor.http import Response


def test_text_and_json_have_their_content_types() -> None:
    assert Response.text("é", status=404) == Response(
        404, "é".encode(), [("content-type", "text/plain; charset=utf-8")]
    )
    made = Response.json({"a": [1]}, headers=[("X-Test", "yes")])
    assert made.body == b'{"a":[1]}'
    assert made.headers == ((b"content-type", b"application/json"), (b"x-test", b"yes"))


@pytest.mark.parametrize("status", [0, 101, 199, 600])
def test_only_final_statuses(status: int) -> None:
    with pytest.raises(ValueError, match="200 to 599"):
        Response(status)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "x"),
        ("a b", "x"),
        ("a:", "x"),
        ("é", "x"),
        ("x-test", "a\r\nset-cookie: b"),
        ("x-test", "a\0"),
        ("x-test", " a"),
        ("x-test", "a "),
        ("Content-Length", "3"),
        ("transfer-encoding", "chunked"),
    ],
)
def test_headers_that_cannot_be_sent(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"header|connection"):
        Response(200, b"", [(name, value)])


@pytest.mark.parametrize("value", ["", "a", "a \tb", "caf\xe9"])
def test_headers_that_can_be_sent(value: str) -> None:
    assert Response(200, b"", [("x-test", value)]).headers == ((b"x-test", value.encode("latin-1")),)


def test_headers_may_be_a_mapping() -> None:
    assert Response(200, b"", {"X-Test": "a"}).headers == ((b"x-test", b"a"),)
    assert Response.redirect("/", headers={"x": "y"}).headers == ((b"location", b"/"), (b"x", b"y"))


def test_a_content_type_of_ones_own_is_the_only_one() -> None:
    css = ((b"content-type", b"text/css"),)
    assert Response.text("a{}", headers={"Content-Type": "text/css"}).headers == css
    assert Response.html("", headers=[(b"CONTENT-TYPE", b"text/css")]).headers == css
    assert Response.json({}, headers=[("content-type", "text/css")]).headers == css


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda given: Response(200, given("text")), "the body of a response must be bytes, not str; Response.text"),
        (lambda given: Response(200, given(None)), "must be bytes, not NoneType"),
        (lambda given: Response(200, given(bytearray(b"x"))), "must be bytes, not bytearray"),
        (lambda given: Response(given("200")), "status must be a number, 200 to 599; got '200'"),
        (lambda given: Response.text(given(b"x")), "Response.text takes text, not bytes"),
        (lambda given: Response.html(given(5)), "Response.html takes text, not int"),
        (
            lambda given: Response(200, b"", given(["ab"])),
            "headers must be pairs of name and value, or a mapping; got 'ab'",
        ),
        (lambda given: Response(200, b"", given([("a",)])), "headers must be pairs"),
        (lambda given: Response(200, b"", given([("a", 5)])), "headers must be pairs"),
        (lambda given: Response(200, b"", given({"a": 5})), "headers must be pairs"),
        (lambda given: Response.json({}, headers=given("ab")), "headers must be pairs"),
    ],
)
def test_what_no_response_is_made_of(make: Callable[[Callable[[object], Any]], Response], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        make(lambda value: value)
