"""Which channel a topic belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs


@attrs.frozen
class Route:
    """One line of a socket's `channels`; `channel` makes it."""

    pattern: str
    channel: object
    assigns: Mapping[str, Any]


def channel(pattern: str, handler: object, *, assigns: Mapping[str, Any] | None = None) -> Route:
    """Route topics to a channel, as Phoenix's `channel` does.

    Args:
        pattern: a topic (`"system"`), or the beginning of topics and a `*` (`"room:*"`).
        handler: the `Channel` class, or a custom channel.
        assigns: what the channel's socket is assigned on joining, over what the socket was assigned.

    Raises:
        ValueError: the pattern is empty, or has a `*` anywhere but at the end.
        TypeError: the pattern is no string, or the assigns are no mapping with strings as keys.

    """
    if not isinstance(pattern, str):
        raise TypeError(f"a topic pattern is a string, not {pattern!r}")
    if not pattern:
        raise ValueError("a topic pattern is empty; '*' would match every topic")
    if "*" in pattern[:-1]:
        raise ValueError(f"topic pattern {pattern!r}: a '*' may stand at the end only")
    if assigns is None:
        assigns = {}
    if not isinstance(assigns, Mapping):
        raise TypeError(f"a route's assigns are a mapping, not {assigns!r}")
    if not all(isinstance(name, str) for name in assigns):
        raise TypeError(f"a route's assigns have strings as names, unlike {assigns!r}")
    return Route(pattern, handler, dict(assigns))


class Routes:
    """The routes of a socket, in the order of their declaration: the first one that matches a topic counts.

    That holds for exact patterns too: `"room:lobby"` after `"room:*"` is never reached, as in Phoenix.

    Raises:
        ValueError: a pattern stands twice; Phoenix lets it pass, although the second can never match.
        TypeError: something in the list was not made by `channel`.

    """

    __slots__ = ("_exact", "_splats", "routes")

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._exact: dict[str, Route] = {}
        self._splats: list[tuple[str, Route]] = []
        patterns: set[str] = set()
        for route in self.routes:
            if not isinstance(route, Route):
                raise TypeError(f"channels are made with channel(pattern, handler): {route!r} was not")
            if route.pattern in patterns:
                raise ValueError(f"topic pattern {route.pattern!r} stands twice: the second never matches")
            patterns.add(route.pattern)
            if route.pattern.endswith("*"):
                self._splats.append((route.pattern[:-1], route))
            else:
                # An earlier splat wins, so it is what the dict says of this topic.
                self._exact[route.pattern] = self.match(route.pattern) or route

    def match(self, topic: str) -> Route | None:
        """Find the first route that matches a topic."""
        route = self._exact.get(topic)
        if route is not None:
            return route
        for prefix, route in self._splats:
            if topic.startswith(prefix):
                return route
        return None
