"""The cookies of a browser in a test (RFC 6265 section 5), for one host."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import attrs
import trio


@attrs.frozen
class Kept:
    """A cookie that the jar keeps."""

    value: str
    path: str
    expires: float
    """The time of trio's clock, in seconds, from which on it is gone."""


class CookieJar:
    """Cookies by name and path. `Domain` and `Secure` do not count: there is one host, and a browser trusts it."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Kept] = {}

    def all(self) -> Mapping[str, str]:
        """Return the values by name; of several paths, the value of the longest one."""
        return MappingProxyType({name: one.value for name, one in reversed(self._sorted())})

    def header(self, path: str) -> str:
        """Return the `Cookie` header of a request for a path; empty if it has no cookies."""
        return "; ".join(f"{name}={one.value}" for name, one in self._sorted() if _matches(one.path, path))

    def set(self, name: str, value: str, path: str, max_age: float = math.inf) -> None:
        """Keep a cookie for a number of seconds; 0 or less deletes it."""
        self._kept.pop((name, path), None)
        if max_age > 0:
            expires = math.inf if max_age == math.inf else trio.current_time() + max_age
            self._kept[name, path] = Kept(value, path, expires)

    def take(self, lines: Iterable[str], request_path: str) -> None:
        """Keep the cookies of an answer's `Set-Cookie` headers."""
        for line in lines:
            pair, *attributes = line.split(";")
            name, equals, value = pair.partition("=")
            options = {key.strip().lower(): text.strip() for key, _, text in (one.partition("=") for one in attributes)}
            if not equals:
                continue
            path = options.get("path", "")
            if not path.startswith("/"):
                path = request_path.rpartition("/")[0] or "/"
            self.set(name.strip(), value.strip(), path, _seconds(options))

    def _sorted(self) -> list[tuple[str, Kept]]:
        """Return the cookies that have not expired, longest paths first, as browsers send them."""
        now = trio.current_time() if self._kept else 0.0
        alive = [(name, one) for (name, _), one in self._kept.items() if one.expires > now]
        return sorted(alive, key=lambda entry: -len(entry[1].path))


def _matches(path: str, request_path: str) -> bool:
    """Say whether a cookie's path covers a request's (RFC 6265 section 5.1.4)."""
    return request_path == path or request_path.startswith(path if path.endswith("/") else f"{path}/")


def _seconds(options: Mapping[str, str]) -> float:
    """Return how long a cookie is kept, by Max-Age; Expires counts only where it deletes the cookie."""
    try:
        return float(int(options["max-age"]))
    except (KeyError, ValueError):
        return 0.0 if "1970" in options.get("expires", "") else math.inf
