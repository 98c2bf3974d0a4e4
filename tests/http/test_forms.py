"""The bodies that handlers read: forms and JSON, and what a client is answered whose body is neither."""

from __future__ import annotations

import logging

import attrs
import pytest

from phxactor import Endpoint, Request, Response, post
from phxactor.http import JSON, Params, RequestError
from tests.http.requests import request

FORM = "application/x-www-form-urlencoded"


def with_body(body: bytes, content_type: str | None) -> Request:
    return attrs.evolve(request("/", "POST", content_type=content_type), body=body)


@pytest.mark.parametrize(
    "content_type", [FORM, f"{FORM}; charset=UTF-8", f'{FORM.upper()};charset="utf-8"', f"{FORM};x"]
)
@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"", {}),
        (b"name=Ann&password=a%26b%3D+c", {"name": "Ann", "password": "a&b= c"}),
        (b"user[name]=Ann&user[roles][]=a&user[roles][]=b", {"user": {"name": "Ann", "roles": ["a", "b"]}}),
        (b"a=%C3%BC&b=\xc3\xbc&agreed", {"a": "ü", "b": "ü", "agreed": ""}),
        (b"&&a=1&&", {"a": "1"}),
    ],
)
def test_forms(content_type: str, body: bytes, form: Params) -> None:
    assert with_body(body, content_type).form() == form


@pytest.mark.parametrize(
    ("body", "content_type", "status", "why"),
    [
        (b"a=1", None, 415, "it is missing"),
        (b"a=1", "text/plain", 415, "application/x-www-form-urlencoded; it is 'text/plain'"),
        (b"a=1", f"{FORM}; charset=latin-1", 415, "latin-1"),
        (b"a=1", f"{FORM}, text/plain", 415, "content type"),
        (b"--x", "multipart/form-data; boundary=x", 415, "new URLSearchParams"),
        (b"a=\xff", FORM, 400, "UTF-8"),
        (b"a=%ff", FORM, 400, "UTF-8"),
        (b"a&" * 1001, FORM, 400, "more than 1000 parameters"),
        (b"a" + b"[b]" * 40 + b"=1", FORM, 400, "more than 32 deep"),
        (b"a" * 1_048_577, FORM, 413, "more than 1048576 bytes"),
    ],
)
def test_what_is_no_form(body: bytes, content_type: str | None, status: int, why: str) -> None:
    with pytest.raises(RequestError, match=why) as refused:
        with_body(body, content_type).form()
    assert refused.value.status == status


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8", "application/ld+json"])
@pytest.mark.parametrize(("body", "value"), [(b'{"a": [1, null]}', {"a": [1, None]}), (b'"x"', "x"), (b" 1.5 ", 1.5)])
def test_json(content_type: str, body: bytes, value: JSON) -> None:
    assert with_body(body, content_type).json() == value


@pytest.mark.parametrize(
    ("body", "content_type", "status", "why"),
    [
        (b"{}", None, 415, "application/json; it is missing"),
        (b"{}", "text/plain", 415, "text/plain"),  # a form of another site can send it so
        (b"{}", FORM, 415, "content type"),
        (b"{}", "application/jsonp", 415, "content type"),
        (b"{}", "text/x+json", 415, "content type"),
        (b"", "application/json", 400, "the body is not JSON"),
        (b"{", "application/json", 400, "at character 1"),
        (b'{"a": NaN}', "application/json", 400, "the body is not JSON"),
        (b'"\xff"', "application/json", 400, "the body is not JSON"),
        (b"[" * 5000 + b"]" * 5000, "application/json", 400, "the body is not JSON"),
        (b" " * 1_048_577, "application/json", 413, "more than 1048576 bytes"),
    ],
)
def test_what_is_no_json(body: bytes, content_type: str | None, status: int, why: str) -> None:
    with pytest.raises(RequestError, match=why) as refused:
        with_body(body, content_type).json()
    assert refused.value.status == status


def test_limits_of_ones_own() -> None:
    assert with_body(b"1" * 20, "application/json").json(max_bytes=20) == int("1" * 20)
    with pytest.raises(RequestError, match="more than 19 bytes"):
        with_body(b"1" * 20, "application/json").json(max_bytes=19)
    with pytest.raises(RequestError, match="more than 2 bytes"):
        with_body(b"a=1", FORM).form(max_bytes=2)


async def test_a_handler_that_cannot_read_a_request_needs_no_code_for_it(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(made: Request) -> Response:
        return Response.json([made.params, made.json()])

    endpoint = Endpoint(routes=[post("/", handler)])
    caplog.set_level(logging.WARNING)
    answer = await endpoint.answer(attrs.evolve(request("/?a=1", "POST", content_type="application/json"), body=b"[2]"))
    assert (answer.status, answer.body) == (200, b'[{"a":"1"},[2]]')
    assert not caplog.records
    answer = await endpoint.answer(request("/", "POST", content_type="application/json"))
    assert answer.status == 400
    assert answer.body.startswith(b"the body is not JSON")
    answer = await endpoint.answer(request("/?a=%ff", "POST"))
    assert (answer.status, answer.body) == (400, b"a parameter is not UTF-8 (invalid start byte)\n")
    assert len(caplog.records) == 2
    assert all(record.exc_info is None for record in caplog.records)
