from __future__ import annotations

from urllib.parse import quote

import pytest

from phxactor.http import Handler, Request, Response, Route, Routes, get, post, route
from tests.http.requests import request


def says(text: str) -> Handler:
    async def handler(made: Request) -> Response:
        return Response.text(f"{text} {dict(made.path_params)}")

    return handler


async def answer(routes: Routes, target: str, method: str = "GET") -> tuple[int, str]:
    response = await routes.answer(request(target, method))
    return response.status, response.body.decode()


ROUTES = Routes(
    [
        get("/items/{item}", says("item")),
        get("/items/{item}/parts/{part}", says("part")),
        get("/items/new", says("new")),
        post("/items", says("add")),
        route("DELETE", "/items/{item}", says("delete")),
        get("/", says("home")),
        get("/files/{*path}", says("file")),
        get("/files/special/{name}", says("never, for it comes later")),
    ]
)


@pytest.mark.parametrize(
    ("method", "target", "text"),
    [
        ("GET", "/", "home {}"),
        ("GET", "/?a=b", "home {}"),
        ("HEAD", "/", "home {}"),
        ("POST", "/items", "add {}"),
        ("GET", "/items/new", "new {}"),
        ("GET", "/items/7", "item {'item': '7'}"),
        ("GET", "/items/a%20b", "item {'item': 'a b'}"),
        ("DELETE", "/items/new", "delete {'item': 'new'}"),
        ("GET", "/items/7/parts/8", "part {'item': '7', 'part': '8'}"),
        ("GET", "/files", "file {'path': ''}"),
        ("GET", "/files/", "file {'path': ''}"),
        ("GET", "/files/a/b/", "file {'path': 'a/b/'}"),
        ("GET", "/files/special/x", "file {'path': 'special/x'}"),
    ],
)
async def test_the_handler_that_is_called(method: str, target: str, text: str) -> None:
    assert await answer(ROUTES, target, method) == (200, text)


@pytest.mark.parametrize(
    "target", ["/nothing", "/items/", "/items/7/", "/items//parts/8", "/items/7/parts", "/filesystem", "//", "*"]
)
async def test_paths_that_nobody_has(target: str) -> None:
    assert (await answer(ROUTES, target))[0] == 404


@pytest.mark.parametrize(
    ("method", "target", "allow"),
    [("GET", "/items", b"POST"), ("POST", "/", b"GET, HEAD"), ("PUT", "/items/7", b"DELETE, GET, HEAD")],
)
async def test_methods_that_a_path_has_not(method: str, target: str, allow: bytes) -> None:
    response = await ROUTES.answer(request(target, method))
    assert response.status == 405
    assert dict(response.headers)[b"allow"] == allow


async def test_head_may_have_a_handler_of_its_own() -> None:
    routes = Routes([get("/{name}", says("get")), route("HEAD", "/{name}", says("head"))])
    assert await answer(routes, "/x", "HEAD") == (200, "head {'name': 'x'}")


async def test_no_routes_at_all() -> None:
    assert (await answer(Routes(), "/"))[0] == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/"),
        ("", "/"),
        ("GET", ""),
        ("GET", "items"),
        ("GET", "/{}"),
        ("GET", "/{a b}"),
        ("GET", "/x{a}"),
        ("GET", "/{a}x"),
        ("GET", "/{a"),
        ("GET", "/{*a}/b"),
        ("GET", "/{a}/{a}"),
        ("GET", "/{a}/{*a}"),
        # as others write names
        ("GET", "/users/:id"),
        ("GET", "/users/:id.json"),
        ("GET", "/users/<id>"),
        ("GET", "/users/<int:id>/edit"),
        ("GET", "/users/x<id>"),
        ("GET", "/users/(?P<id>x)"),
        ("GET", "/files/*path"),
        ("GET", "/files/*"),
        ("GET", "/users/{id:int}"),
        # what no decoded path has
        ("GET", "/a%20b"),
        ("GET", "/search?q={q}"),
        ("GET", "/search?q=1"),
        ("GET", "/#top"),
    ],
)
def test_routes_that_cannot_be(method: str, path: str) -> None:
    with pytest.raises(ValueError, match=r"method|path"):
        Route(method, path, says("x"))


@pytest.mark.parametrize("path", ["/a:b", "/@me", "/v1.0/{id}", "/a b", "/ü", "/100%", "/.well-known/x", "/a*", "/:"])
async def test_odd_paths_that_can_be(path: str) -> None:
    target = quote(path.replace("{id}", "7"))
    assert (await answer(Routes([get(path, says("odd"))]), target))[0] == 200


def test_a_refused_name_is_shown_with_the_right_one() -> None:
    with pytest.raises(ValueError, match=r"'\{name\}' or '\{\*name\}' .* ':id' of the path '/users/:id'"):
        get("/users/:id", says("x"))


def test_a_handler_is_a_function() -> None:
    with pytest.raises(TypeError, match="async function"):
        get("/", "text")  # type: ignore[arg-type]


def test_a_path_is_text() -> None:
    with pytest.raises(TypeError, match="a route's path must be text"):
        get(5, says("x"))  # type: ignore[arg-type]


def test_one_handler_for_a_method_and_a_path() -> None:
    with pytest.raises(ValueError, match="two routes for GET /a"):
        Routes([get("/a", says("1")), post("/a", says("2")), get("/a", says("3"))])
