"""Routes for plain HTTP beside the sockets: which handler answers a method and a path."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Final, TypeAlias

import attrs

from phxactor import _checks as check
from phxactor.http._request import Request
from phxactor.http._response import Response
from phxactor.otp import is_async

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
"""An async function that answers a request; if it raises, the server answers 500."""

_NOT_FOUND: Final = Response.text("not found\n", status=HTTPStatus.NOT_FOUND)
_METHOD: Final = re.compile("[A-Z]+")
_NAME: Final = re.compile(r"\{(?P<rest>\*?)(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}")
_OTHERS_NAME: Final = re.compile(r":[A-Za-z_].*|\*.*|.*[<>].*")
"""Segments as Phoenix, Express, Flask and Django write names: `:id`, `*path`, `<id>`, `<int:id>`."""
_NEVER: Final = re.compile(r"[?#]|%[0-9A-Fa-f]{2}")
"""Parts that no decoded path of a request has."""


@attrs.frozen
class Route:
    """A handler for one method on one path; `route`, `get` and `post` make one.

    Args:
        method: the HTTP method in upper case. A `GET` route also answers `HEAD`.
        path: the path, which begins with a slash. A segment `{name}` matches any one segment that is not empty. A last
            segment `{*name}` matches the rest of the path, which may be empty. `request.path_params` holds the matched
            texts.
        handler: an async function from the request to a `Response`.
        timeout: seconds that the handler may take; then the server answers 503 and cancels the handler. None for the
            endpoint's `request_timeout`, `math.inf` for no limit. The handler is also cancelled when the client leaves.
        max_body_bytes: limit for a request's body in bytes; a request with a longer body is answered 413. None for the
            endpoint's `max_body_bytes`.

    Raises:
        TypeError: the handler is no async function, or a limit is no number.
        ValueError: the method, the path or a limit is not valid.

    """

    method: str
    path: str
    handler: Handler
    timeout: float | None = None
    max_body_bytes: int | None = None
    segments: tuple[str, ...] = attrs.field(init=False, repr=False, eq=False)

    @segments.default
    def _segments(self) -> tuple[str, ...]:
        path: object = self.path
        if not isinstance(path, str):
            raise TypeError(f"a route's path must be text, such as '/items/{{id}}'; got {path!r:.200}")
        return tuple(path.split("/")[1:])

    def __attrs_post_init__(self) -> None:
        if self.timeout is not None:
            check.seconds("the timeout of a route", self.timeout)
        if self.max_body_bytes is not None:
            check.whole("max_body_bytes of a route", self.max_body_bytes)
        if not is_async(self.handler):
            raise TypeError(f"a route's handler must be an async function of a request; got {self.handler!r}")
        if not _METHOD.fullmatch(self.method):
            raise ValueError(f"a route's method must be 'GET', 'POST' or another, in upper case; got {self.method!r}")
        if not self.path.startswith("/"):
            raise ValueError(f"a route's path must begin with a slash; got {self.path!r}")
        names = []
        for position, segment in enumerate(self.segments, 1):
            match = _NAME.fullmatch(segment)
            if match is None and ("{" in segment or "}" in segment or _OTHERS_NAME.fullmatch(segment)):
                raise ValueError(
                    f"a name must be a whole segment, '{{name}}' or '{{*name}}' for the rest of the path; the segment "
                    f"{segment!r} of the path {self.path!r} is neither"
                )
            if _NEVER.search(segment):
                raise ValueError(
                    f"a route's path is compared with the decoded path of a request, without its query; no request has "
                    f"{segment!r}, in {self.path!r}"
                )
            if match and match["rest"] and position < len(self.segments):
                raise ValueError(f"'{{*name}}' must be the last segment of a path; the path is {self.path!r}")
            if match and match["name"] in names:
                raise ValueError(f"a path must have each name once; {match['name']!r} is twice in {self.path!r}")
            names.extend([match["name"]] if match else [])

    @property
    def exact(self) -> bool:
        """Whether the path has no `{name}` segments."""
        return "{" not in self.path

    def match(self, segments: list[str]) -> dict[str, str] | None:
        """Return the texts that the names match in a path; None if the path does not match."""
        taken: dict[str, str] = {}
        for position, segment in enumerate(self.segments):
            name = _NAME.fullmatch(segment)
            if name and name["rest"]:
                return taken | {name["name"]: "/".join(segments[position:])}
            if position == len(segments):
                return None
            if name and segments[position]:
                taken[name["name"]] = segments[position]
            elif segment != segments[position]:
                return None
        return taken if len(self.segments) == len(segments) else None


def route(
    method: str,
    path: str,
    handler: Handler,
    *,
    timeout: float | None = None,
    max_body_bytes: int | None = None,
) -> Route:
    """Return a route: `handler` answers `method` on `path`; see `Route`."""
    return Route(method, path, handler, timeout, max_body_bytes)


def get(path: str, handler: Handler, *, timeout: float | None = None) -> Route:
    """Return a route: `handler` answers `GET` and `HEAD` on `path`; see `Route`."""
    return Route("GET", path, handler, timeout)


def post(path: str, handler: Handler, *, timeout: float | None = None, max_body_bytes: int | None = None) -> Route:
    """Return a route: `handler` answers `POST` on `path`; see `Route`."""
    return Route("POST", path, handler, timeout, max_body_bytes)


@attrs.frozen
class Found:
    """The route that matches a request, and the texts that its names match in the path."""

    route: Route
    path_params: dict[str, str]

    async def answer(self, request: Request) -> Response:
        """Call the handler. Raises TypeError if it does not return a `Response`."""
        taken = self.path_params
        response: object = await self.route.handler(attrs.evolve(request, path_params=taken) if taken else request)
        if not isinstance(response, Response):
            raise TypeError(f"a route's handler must return a Response; got {response!r:.200}")
        return response.sealed(request.scheme)


class Routes:
    """All routes of an endpoint. Exact paths match first, then paths with names, in the given order.

    Raises:
        ValueError: two routes have the same method and path.

    """

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        self._exact: dict[str, dict[str, Route]] = {}
        self._named: list[Route] = []
        given = set()
        for one in routes:
            if (one.method, one.path) in given:
                raise ValueError(f"there are two routes for {one.method} {one.path}")
            given.add((one.method, one.path))
            if one.exact:
                self._exact.setdefault(one.path, {})[one.method] = one
            else:
                self._named.append(one)

    @property
    def paths(self) -> Iterable[str]:
        """The paths without names."""
        return self._exact.keys()

    def know(self, path: str) -> bool:
        """Say whether a route, of any method, has a decoded path."""
        if path in self._exact:
            return True
        segments = path.split("/")[1:]
        return any(one.match(segments) is not None for one in self._named)

    async def answer(self, request: Request) -> Response:
        """Answer a request by its route; 404 if no route has the path, 405 if no route at the path has the method."""
        found = self.find(request)
        return found if isinstance(found, Response) else await found.answer(request)

    def find(self, request: Request) -> Found | Response:
        """Return the route that matches a request, or the 404 or 405 response."""
        segments = request.path.split("/")[1:]
        found: list[tuple[Route, dict[str, str]]]
        found = [(one, {}) for one in self._exact.get(request.path, {}).values()]
        found += [(one, taken) for one in self._named if (taken := one.match(segments)) is not None]
        methods = (request.method, "GET") if request.method == "HEAD" else (request.method,)
        for method in methods:
            for one, taken in found:
                if one.method == method:
                    return Found(one, taken)
        if not found:
            return _NOT_FOUND
        allowed = {one.method for one, _ in found}
        if "GET" in allowed:
            allowed.add("HEAD")
        allow = [("allow", ", ".join(sorted(allowed)))]
        return Response.text("method not allowed\n", status=HTTPStatus.METHOD_NOT_ALLOWED, headers=allow)
