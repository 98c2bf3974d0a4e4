"""Topic routes: which channel a topic belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias, get_args

import attrs

Transport: TypeAlias = Literal["websocket", "longpoll"]
"""How a client has connected."""

_TRANSPORTS: Final = get_args(Transport)


@attrs.frozen
class Route:
    """One line of a socket's `channels`; `channel` makes it."""

    pattern: str
    channel: object
    assigns: Mapping[str, Any]
    transports: tuple[Transport, ...] | None = None
    """The transports over which a client can join; None for any."""


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
        assigns: what the channel's socket is assigned on joining, over what the socket was assigned.
        transports: how a client must have connected, such as `["websocket"]`; in any way, unless given. For others the
            route is not there: the next that matches counts.

    Raises:
        ValueError: the pattern is empty, or has a `*` anywhere but at the end; a transport that is none.
        TypeError: the pattern is no string, the handler no channel, the assigns no mapping with strings as keys, the
            transports no list.

    """
    if not isinstance(pattern, str):
        raise TypeError(f"a topic pattern is a string, not {pattern!r}")
    if not pattern:
        raise ValueError("a topic pattern is empty; '*' would match every topic")
    if "*" in pattern[:-1]:
        raise ValueError(f"topic pattern {pattern!r}: a '*' may stand at the end only")
    if not any(callable(getattr(handler, name, None)) for name in ("child_spec", "start_link")):
        raise TypeError(
            f"{pattern!r} is routed to {handler!r:.200}, which is no Channel, and has neither start_link nor child_spec"
        )
    if assigns is None:
        assigns = {}
    if not isinstance(assigns, Mapping):
        raise TypeError(f"a route's assigns are a mapping, not {assigns!r}")
    if not all(isinstance(name, str) for name in assigns):
        raise TypeError(f"a route's assigns have strings as names, unlike {assigns!r}")
    return Route(pattern, handler, dict(assigns), None if transports is None else _checked(transports))


def _checked(given: Iterable[Transport]) -> tuple[Transport, ...]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"a route's transports are a list such as ['websocket'], not {given!r}")
    transports = tuple(given)
    if not transports or not set(transports) <= set(_TRANSPORTS):
        raise ValueError(f"a route's transports are one or more of {', '.join(_TRANSPORTS)}, not {transports!r}")
    return transports


class Routes:
    """The routes of a socket, in the order of their declaration: the first one that matches a topic counts.

    That holds for exact patterns too: `"room:lobby"` after `"room:*"` is never reached, as in Phoenix.

    Raises:
        ValueError: a pattern stands twice for one transport; Phoenix lets it pass, although the second can never match.
        TypeError: something in the list was not made by `channel`.

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
                raise TypeError(f"channels are made with channel(pattern, handler): {route!r} was not")
            ways = {(route.pattern, transport) for transport in route.transports or _TRANSPORTS}
            if ways & patterns:
                raise ValueError(f"topic pattern {route.pattern!r} stands twice: the second never matches")
            patterns |= ways
            self._restricted |= route.transports is not None
            if route.pattern.endswith("*"):
                self._splats.append((route.pattern[:-1], route))
            else:
                # An earlier splat wins, so it is what the dict says of this topic.
                self._exact[route.pattern] = self.match(route.pattern) or route

    def over(self, transport: str) -> Routes:
        """Return those for clients that have connected in this way."""
        if not self._restricted:
            return self
        if transport not in self._narrowed:
            narrowed = (route for route in self.routes if route.transports is None or transport in route.transports)
            self._narrowed[transport] = Routes(attrs.evolve(route, transports=None) for route in narrowed)
        return self._narrowed[transport]

    def match(self, topic: str) -> Route | None:
        """Find the first route that matches a topic."""
        route = self._exact.get(topic)
        if route is not None:
            return route
        for prefix, route in self._splats:
            if topic.startswith(prefix):
                return route
        return None
