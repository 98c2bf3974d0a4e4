"""Responses that set cookies, show pages and lead elsewhere."""

from __future__ import annotations

from typing import Any, Literal

import attrs
import pytest

from phxactor import Request, Response, get
from phxactor.http import Routes, is_local_path, is_valid_csrf_token, masked_csrf_token, new_csrf_token
from tests.http.requests import request


def set_cookie(response: Response, scheme: str = "http") -> list[str]:
    return [value.decode() for name, value in response.sealed(scheme).headers if name == b"set-cookie"]


def test_defaults_are_safe() -> None:
    made = Response.text("hello").cookie("session", "abc")
    assert set_cookie(made) == ["session=abc; Path=/; HttpOnly; SameSite=Lax"]
    assert set_cookie(made, "https") == ["session=abc; Path=/; Secure; HttpOnly; SameSite=Lax"]


@pytest.mark.parametrize(
    ("options", "header"),
    [
        ({"max_age": 60}, "a=b; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"),
        ({"path": "/admin", "domain": "app.test"}, "a=b; Path=/admin; Domain=app.test; HttpOnly; SameSite=Lax"),
        ({"secure": True, "http_only": False}, "a=b; Path=/; Secure; SameSite=Lax"),
        ({"same_site": "Strict"}, "a=b; Path=/; HttpOnly; SameSite=Strict"),
        ({"same_site": "None"}, "a=b; Path=/; Secure; HttpOnly; SameSite=None"),
    ],
)
def test_other_options(options: dict[str, Any], header: str) -> None:
    assert set_cookie(Response(200).cookie("a", "b", **options)) == [header]


def test_a_deleted_cookie_has_expired() -> None:
    made = Response(200).delete_cookie("a", path="/x")
    assert set_cookie(made) == ["a=; Path=/x; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax"]
    assert " Secure;" in set_cookie(Response(200).delete_cookie("__Host-a"))[0]


def test_a_prefix_makes_a_cookie_secure() -> None:
    assert set_cookie(Response(200).cookie("__Host-a", "b")) == ["__Host-a=b; Path=/; Secure; HttpOnly; SameSite=Lax"]


@pytest.mark.parametrize(
    ("name", "value", "options"),
    [
        ("", "b", {}),
        ("a b", "b", {}),
        ("a=", "b", {}),
        ("a\r\nx: y", "b", {}),
        ("é", "b", {}),
        ("a", "b c", {}),
        ("a", "b;c", {}),
        ("a", "b,c", {}),
        ("a", '"b"', {}),
        ("a", "b\\", {}),
        ("a", "é", {}),
        ("a", "b\r\nset-cookie: c=d", {}),
        ("a", "b\n", {}),
        ("a", "x" * 4096, {}),
        ("a", "b", {"path": "x"}),
        ("a", "b", {"path": "/; Domain=evil.example"}),
        ("a", "b", {"path": "/\r\nx: y"}),
        ("a", "b", {"domain": "a.b; Secure"}),
        ("a", "b", {"domain": ""}),
        ("a", "b", {"domain": "a\n"}),
        ("a", "b", {"max_age": -1}),
        ("a", "b", {"same_site": "lax"}),
        ("a", "b", {"same_site": "None", "secure": False}),
        ("__Host-a", "b", {"path": "/x"}),
        ("__host-a", "b", {"domain": "a.b"}),
        ("__Secure-a", "b", {"secure": False}),
    ],
)
def test_what_cannot_be_a_cookie(name: str, value: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"cookie|max_age|same_site"):
        Response(200).cookie(name, value, **options)


@pytest.mark.parametrize("value", [5, b"x", None])
def test_a_value_is_text_and_is_not_shown(value: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError, match=r"the value of the cookie 'a' must be text, not (int|bytes|NoneType)$"):
        Response(200).cookie("a", value)


@pytest.mark.parametrize("to", [None, b"/", 5])
def test_a_redirect_leads_to_a_text(to: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError, match="as text"):
        Response.redirect(to)


@pytest.mark.parametrize("options", [{"max_age": 1.5}, {"secure": "yes"}, {"http_only": 1}, {"path": None}])
def test_other_types(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"cookie|max_age|secure|http_only"):
        Response(200).cookie("a", "b", **options)


def test_no_error_shows_the_value() -> None:
    with pytest.raises(ValueError, match=r"token\.sign") as refused:
        Response(200).cookie("a", "my secret")
    assert "secret" not in str(refused.value)
    made = Response(200).cookie("a", "mysecret")
    assert "secret" not in repr(made) + repr(made.sealed("http"))


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
async def test_the_scheme_of_the_request_decides(scheme: Literal["http", "https"], secure: bool) -> None:
    async def handler(_: Request) -> Response:
        return Response.html("<p>ü", headers=[("x-test", "yes")]).cookie("a", "1").cookie("b", "2", secure=True)

    answer = await Routes([get("/", handler)]).answer(attrs.evolve(request("/"), scheme=scheme))
    first, second = (value for name, value in answer.headers if name == b"set-cookie")
    assert (b"Secure" in first, b"Secure" in second) == (secure, True)
    assert dict(answer.headers)[b"content-type"] == b"text/html; charset=utf-8"
    assert dict(answer.headers)[b"x-test"] == b"yes"
    assert answer.body == "<p>ü".encode()


# ------------------------------------------------------------------------------------------------------ redirects

LOCAL = ["/", "/board", "/board?next=https://x.test/", "/a%20b#top", "/ü", "/@x", "/a:b", "/a//b", "/s?q=a%0Ab%5C"]
ELSEWHERE = [
    "",
    "board",
    "?a",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/%09/evil.example",
    "/%0a/evil.example",
    "/%5cevil.example",
    "https://evil.example",
    "javascript:alert(1)",
    " //evil.example",
    "/a\r\nset-cookie: b=c",
    "/a b",
    "/\0",
]


@pytest.mark.parametrize("to", LOCAL)
def test_redirects_to_this_server(to: str) -> None:
    assert is_local_path(to)
    made = Response.redirect(to)
    assert (made.status, made.headers) == (303, ((b"location", to.replace("ü", "%C3%BC").encode()),))


@pytest.mark.parametrize("to", ELSEWHERE)
def test_other_redirects_are_refused(to: str) -> None:
    assert not is_local_path(to)
    with pytest.raises(ValueError, match="external=True"):
        Response.redirect(to)


def test_no_text_at_all_is_no_local_path() -> None:
    assert not is_local_path(None)
    assert not is_local_path(["/"])


@pytest.mark.parametrize("to", ["https://example.org", "http://example.org/a?b#c", "HTTPS://[::1]:4000/"])
def test_external_redirects(to: str) -> None:
    assert Response.redirect(to, external=True, status=302).headers == ((b"location", to.encode()),)


@pytest.mark.parametrize(
    "to", ["/board", "javascript:alert(1)", "https://", "https://a@b", "https://a\\@b", "https://a\r\nb", "data:,x", ""]
)
def test_what_is_no_url_to_redirect_to(to: str) -> None:
    with pytest.raises(ValueError, match="http or https"):
        Response.redirect(to, external=True)


@pytest.mark.parametrize("status", [200, 300, 304, 404])
def test_a_redirect_has_its_status(status: int) -> None:
    with pytest.raises(ValueError, match="status of a redirect"):
        Response.redirect("/", status=status)


# ----------------------------------------------------------------------------------------------------------- CSRF


def test_a_token_is_shown_in_another_way_each_time() -> None:
    token = new_csrf_token()
    shown = {masked_csrf_token(token) for _ in range(20)}
    assert len(shown) == 20
    assert all(is_valid_csrf_token(token, one) for one in shown)
    assert not any(token in one for one in shown)
    assert not any(is_valid_csrf_token(new_csrf_token(), one) for one in shown)
    assert set_cookie(Response(200).cookie("csrf", token))


@pytest.mark.parametrize("token", ["", "x" * 23, "é" * 24])
def test_only_a_token_can_be_masked(token: str) -> None:
    with pytest.raises(ValueError, match="24 characters"):
        masked_csrf_token(token)
