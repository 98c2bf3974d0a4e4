"""Topic routes: from a topic to its channel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias, get_args

import attrs

Transport: TypeAlias = Literal["websocket", "longpoll"]
"""The transport of a client's connection."""

_TRANSPORTS: Final = get_args(Transport)


@attrs.frozen
class Route:
    """One route of a socket's `channels`; `channel` makes it."""

    pattern: str
    channel: object
    assigns: Mapping[str, Any]
    transports: tuple[Transport, ...] | None = None
    """The transports that a client can join over; None for any."""


def channel(
    pattern: str,
    handler: object,
    *,
    assigns: Mapping[str, Any] | None = None,
    transports: Iterable[Transport] | None = None,
) -> Route:
    """Route topics to a channel, as Phoenix's `channel` does.

    Args:
        pattern: a topic (`"system"`), or the beginning of topics and a `*` (`"room:*"`).
        handler: the `Channel` class, or a custom channel.
        assigns: values for the assigns of the channel's socket; they replace values of the same name.
        transports: the transports that the route is for, such as `["websocket"]`; by default, both. Clients of other
            transports do not see the route: the next route that matches counts.

    Raises:
        ValueError: the pattern is empty, or has a `*` that is not at its end; or a transport is unknown.
        TypeError: the pattern is no string, the handler no channel, the assigns no mapping with strings as keys, or the
            transports no list.

    """
    if not isinstance(pattern, str):
        raise TypeError(f"a topic pattern must be a string; got {pattern!r}")
    if not pattern:
        raise ValueError("a topic pattern is empty; '*' matches every topic")
    if "*" in pattern[:-1]:
        raise ValueError(f"topic pattern {pattern!r}: a '*' may be at the end only")
    if not any(callable(getattr(handler, name, None)) for name in ("child_spec", "start_link")):
        raise TypeError(
            f"{pattern!r} is routed to {handler!r:.200}, which is no Channel, and has neither start_link nor child_spec"
        )
    if assigns is None:
        assigns = {}
    if not isinstance(assigns, Mapping):
        raise TypeError(f"a route's assigns must be a mapping; got {assigns!r}")
    if not all(isinstance(name, str) for name in assigns):
        raise TypeError(f"a route's assigns must have strings as names; got {assigns!r}")
    return Route(pattern, handler, dict(assigns), None if transports is None else _checked(transports))


def _checked(given: Iterable[Transport]) -> tuple[Transport, ...]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"a route's transports must be a list such as ['websocket']; got {given!r}")
    transports = tuple(given)
    if not transports or not set(transports) <= set(_TRANSPORTS):
        raise ValueError(f"a route's transports must be one or more of {', '.join(_TRANSPORTS)}; got {transports!r}")
    return transports


class Routes:
    """The routes of a socket, in the order of their declaration: the first route that matches a topic counts.

    This holds for exact patterns too: `"room:lobby"` after `"room:*"` never matches, as in Phoenix.

    Raises:
        ValueError: one transport has a pattern twice, so that the second can never match; Phoenix allows this.
        TypeError: an item of the list was not made by `channel`.

    """

    __slots__ = ("_exact", "_narrowed", "_restricted", "_splats", "routes")

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._exact: dict[str, Route] = {}
        self._splats: list[tuple[str, Route]] = []
        self._narrowed: dict[str, Routes] = {}
        self._restricted = False
        patterns: set[tuple[str, Transport]] = set()
        for route in self.routes:
            if not isinstance(route, Route):
                raise TypeError(f"each route of channels must be made by channel(pattern, handler); got {route!r}")
            ways = {(route.pattern, transport) for transport in route.transports or _TRANSPORTS}
            if ways & patterns:
                raise ValueError(f"topic pattern {route.pattern!r} is there twice; the second never matches")
            patterns |= ways
            self._restricted |= route.transports is not None
            if route.pattern.endswith("*"):
                self._splats.append((route.pattern[:-1], route))
            else:
                # An earlier pattern with `*` wins, so the dictionary holds its route for this topic.
                self._exact[route.pattern] = self.match(route.pattern) or route

    def over(self, transport: str) -> Routes:
        """Return the routes for clients of one transport."""
        if not self._restricted:
            return self
        if transport not in self._narrowed:
            narrowed = (route for route in self.routes if route.transports is None or transport in route.transports)
            self._narrowed[transport] = Routes(attrs.evolve(route, transports=None) for route in narrowed)
        return self._narrowed[transport]

    def match(self, topic: str) -> Route | None:
        """Return the first route that matches a topic; None if none does."""
        route = self._exact.get(topic)
        if route is not None:
            return route
        for prefix, route in self._splats:
            if topic.startswith(prefix):
                return route
        return None
