"""Which pages may connect: the `Origin` that a browser sends against what a transport allows.

Without the check any page on the web could open a socket with its visitor's cookies. Clients that are no browsers send
no `Origin` and are let in: they could send any. The rules are those of `check_origin` in Phoenix 1.8.12, but the host
that `True` compares with is that of the request, not one that is configured. As there, an origin is read as a URL, of
which scheme, host and port count: React Native and others send one with a path, if only a slash.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import attrs

from phxactor.http._authority import DEFAULT_PORTS, Authority
from phxactor.http._request import Request

CheckOrigin: TypeAlias = bool | Iterable[str] | Callable[[str], bool]
"""How the check can be given; see `OriginCheck`."""

_ORIGIN: Final = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.-]*):)?//(?:[a-z0-9._~!$&'()*+,;=:%-]*@)?(?P<authority>[^/?#@\s]*)(?:[/?#]\S*)?",
    re.IGNORECASE | re.ASCII,
)
_OPAQUE: Final = "null"
_PATTERN: Final = re.compile(r"[^/]*//[^/?#@]*")
_PORTS: Final = {**DEFAULT_PORTS, "ws": 80, "wss": 443}
_SEVERAL: Final = ", "
"""What stands between several headers of one name, and in no origin."""


@attrs.frozen
class Origin:
    """The scheme, host and port of a page, in lower case (RFC 6454 section 4); as a pattern, `None` is any."""

    scheme: str | None
    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Origin | None:
        """Read `scheme://host[:port]` or `//host[:port]`; `None` when it is neither, as is the opaque `null`.

        A user's name, a path, a query and a fragment are passed over.
        """
        match = _ORIGIN.fullmatch(text)
        authority = Authority.parse(match["authority"]) if match else None
        if match is None or authority is None:
            return None
        scheme = match["scheme"].lower() if match["scheme"] else None
        port = authority.port
        if port is None and scheme is not None:
            port = _PORTS.get(scheme)
        return cls(scheme, authority.host, port)

    def __str__(self) -> str:
        """Write it as browsers do, a default port left out (RFC 6454 section 6.2)."""
        scheme = f"{self.scheme}:" if self.scheme else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port in (None, _PORTS.get(self.scheme or "")) else f":{self.port}"
        return f"{scheme}//{host}{port}"

    def matches(self, pattern: Origin) -> bool:
        """Say whether a pattern means this origin; `*.example.org` means `example.org` and all below it."""
        if pattern.scheme not in (None, self.scheme) or pattern.port not in (None, self.port):
            return False
        if pattern.host.startswith("*."):
            return self.host == pattern.host[2:] or self.host.endswith(pattern.host[1:])
        return self.host == pattern.host


@attrs.frozen(init=False)
class OriginCheck:
    """A check, made from what an option was given.

    Args:
        rule: `True` for pages from the host that the request was sent to, on any port; `False` for all; a list of
            patterns such as `https://example.com:8443`, `//example.com` (any scheme and port), `//*.example.org` (all
            subdomains too) or `null` (sandboxed pages and local files); or a function that is given the origin as
            browsers write it, `https://example.com:8443`, without a path if one was sent; what is no origin as it came.

    Raises:
        TypeError: it is none of these.
        ValueError: a pattern is no origin.

    """

    _rule: bool | frozenset[Origin | None] | Callable[[str], bool]

    def __init__(self, rule: CheckOrigin) -> None:
        self.__attrs_init__(_parsed(rule))

    def allows(self, request: Request) -> bool:
        """Say whether a request may go on; one without `Origin` may, one with several may not.

        Raises what a function given as rule raises.
        """
        origin = request.header("origin")
        if origin is None or self._rule is False:
            return True
        if _SEVERAL in origin:
            return False
        parsed = Origin.parse(origin)
        if callable(self._rule):
            return self._rule(origin if parsed is None else str(parsed)) is True
        if isinstance(self._rule, frozenset):
            if parsed is None:
                return origin == _OPAQUE and None in self._rule
            return any(parsed.matches(pattern) for pattern in self._rule if pattern is not None)
        target = Authority.parse(request.authority or "")
        return parsed is not None and target is not None and parsed.host == target.host


def _parsed(rule: CheckOrigin) -> bool | frozenset[Origin | None] | Callable[[str], bool]:
    if inspect.iscoroutinefunction(rule) or inspect.iscoroutinefunction(getattr(rule, "__call__", None)):  # noqa: B004
        raise TypeError(f"a function given as check_origin is no async one: {rule!r} would allow every origin")
    if isinstance(rule, bool) or (callable(rule) and not isinstance(rule, type)):
        return rule
    if isinstance(rule, (str, bytes, type)) or not isinstance(rule, Iterable):
        raise TypeError(f"check_origin is True, False, a list of origins or a function, not {rule!r}")
    return frozenset(_pattern(text) for text in rule)


def _pattern(text: str) -> Origin | None:
    if not isinstance(text, str):
        raise TypeError(f"an origin in check_origin is text, not {text!r}")
    if text == _OPAQUE:
        return None
    origin = Origin.parse(text) if _PATTERN.fullmatch(text) else None
    if origin is None or "*" in origin.host.removeprefix("*."):
        raise ValueError(
            f"{text!r} in check_origin is no origin: give 'https://example.com', '//example.com:8443', "
            "'//*.example.com' or 'null', without a path"
        )
    return origin
