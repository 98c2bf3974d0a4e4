"""Plain HTTP beside the sockets: which handler answers a method and a path."""

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
"""Answers a request; what it raises is the server's fault, a 500."""

_METHOD: Final = re.compile("[A-Z]+")
_NAME: Final = re.compile(r"\{(?P<rest>\*?)(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}")


@attrs.frozen
class Route:
    """A handler for one method on one path; `route`, `get` and `post` make one.

    Args:
        method: in upper case. A `GET` also answers `HEAD`.
        path: begins with a slash. A segment `{name}` takes any one segment that is not empty, and a last segment
            `{*name}` all that follows, if anything does; `request.path_params` tells what they took.
        handler: an async function.
        timeout: seconds that the handler may wait before 503 is answered in its place, and it is cancelled; None for
            the endpoint's `request_timeout`, `math.inf` for any number. A client that leaves cancels it at once.
        max_body_bytes: of a request; one with a longer body is answered 413, and not read. None for the endpoint's.

    Raises:
        TypeError: the handler is no async function, the time-out no number.
        ValueError: the method, the path or the time-out cannot be.

    """

    method: str
    path: str
    handler: Handler
    timeout: float | None = None
    max_body_bytes: int | None = None
    segments: tuple[str, ...] = attrs.field(init=False, repr=False, eq=False)

    @segments.default
    def _segments(self) -> tuple[str, ...]:
        return tuple(self.path.split("/")[1:])

    def __attrs_post_init__(self) -> None:
        if self.timeout is not None:
            check.seconds("the timeout of a route", self.timeout)
        if self.max_body_bytes is not None:
            check.whole("max_body_bytes of a route", self.max_body_bytes)
        if not is_async(self.handler):
            raise TypeError(f"a handler is an async function of a request, not {self.handler!r}")
        if not _METHOD.fullmatch(self.method):
            raise ValueError(f"{self.method!r} is no method: give 'GET', 'POST' or another, in upper case")
        if not self.path.startswith("/"):
            raise ValueError(f"the path of a route begins with a slash: {self.path!r}")
        names = []
        for position, segment in enumerate(self.segments, 1):
            match = _NAME.fullmatch(segment)
            if match is None and ("{" in segment or "}" in segment):
                raise ValueError(f"a name in a path is a whole segment, '{{name}}' or '{{*name}}': {self.path!r}")
            if match and match["rest"] and position < len(self.segments):
                raise ValueError(f"what takes the rest of a path stands last: {self.path!r}")
            if match and match["name"] in names:
                raise ValueError(f"a path has each name once: {self.path!r}")
            names.extend([match["name"]] if match else [])

    @property
    def exact(self) -> bool:
        """Whether the path has no names in it."""
        return "{" not in self.path

    def match(self, segments: list[str]) -> dict[str, str] | None:
        """Return what the names take of a path, or `None` when the path is another."""
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
    """Have `handler` answer `method` on `path`; see `Route`."""
    return Route(method, path, handler, timeout, max_body_bytes)


def get(path: str, handler: Handler, *, timeout: float | None = None) -> Route:
    """Have `handler` answer `GET` and `HEAD` on `path`; see `Route`."""
    return Route("GET", path, handler, timeout)


def post(path: str, handler: Handler, *, timeout: float | None = None, max_body_bytes: int | None = None) -> Route:
    """Have `handler` answer `POST` on `path`; see `Route`."""
    return Route("POST", path, handler, timeout, max_body_bytes)


@attrs.frozen
class Found:
    """The route that is meant by a request, and what it takes of its path."""

    route: Route
    path_params: dict[str, str]

    async def answer(self, request: Request) -> Response:
        """Call the handler. Raises TypeError for what is no response."""
        taken = self.path_params
        response: object = await self.route.handler(attrs.evolve(request, path_params=taken) if taken else request)
        if not isinstance(response, Response):
            raise TypeError(f"a handler returns a Response, not {response!r:.200}")
        return response


class Routes:
    """All routes of an endpoint: exact paths first, then those with names, in the order in which they were given.

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

    async def answer(self, request: Request) -> Response:
        """Call the handler that is meant; 404 when no route has the path, 405 when none has the method."""
        found = self.find(request)
        return found if isinstance(found, Response) else await found.answer(request)

    def find(self, request: Request) -> Found | Response:
        """Say which handler is meant, or answer that none is."""
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
            return Response.text("not found\n", status=HTTPStatus.NOT_FOUND)
        allowed = {one.method for one, _ in found}
        if "GET" in allowed:
            allowed.add("HEAD")
        allow = [("allow", ", ".join(sorted(allowed)))]
        return Response.text("method not allowed\n", status=HTTPStatus.METHOD_NOT_ALLOWED, headers=allow)
