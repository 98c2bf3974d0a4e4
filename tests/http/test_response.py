from __future__ import annotations

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
