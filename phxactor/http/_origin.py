"""The origin check: which pages may connect, by the `Origin` header that browsers send.

Without the check, any web page could open a socket with its visitor's cookies. Clients that are no browsers send no
`Origin` and may connect: they could send any value. The rules are those of `check_origin` in Phoenix 1.8.12, except
that `True` compares with the host of the request, not with a configured host. As in Phoenix, an origin is read as a
URL of which scheme, host and port count: React Native and others send an origin with a path.
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
"""The types of a `check_origin` option; see `OriginCheck`."""

_ORIGIN: Final = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.-]*):)?//(?:[a-z0-9._~!$&'()*+,;=:%-]*@)?(?P<authority>[^/?#@\s]*)(?:[/?#]\S*)?",
    re.IGNORECASE | re.ASCII,
)
_OPAQUE: Final = "null"
_PATTERN: Final = re.compile(r"[^/]*//[^/?#@]*")
_PORTS: Final = {**DEFAULT_PORTS, "ws": 80, "wss": 443}
_SEVERAL: Final = ", "
"""The separator between joined headers of one name; no origin has it."""


@attrs.frozen
class Origin:
    """The scheme, host and port of a page, in lower case (RFC 6454 section 4). In a pattern, None matches any."""

    scheme: str | None
    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Origin | None:
        """Parse `scheme://host[:port]` or `//host[:port]`; return None for other text, such as the opaque `null`.

        A user name, a path, a query and a fragment are ignored.
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
        """Write the origin as browsers do, without a default port (RFC 6454 section 6.2)."""
        scheme = f"{self.scheme}:" if self.scheme else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port in (None, _PORTS.get(self.scheme or "")) else f":{self.port}"
        return f"{scheme}//{host}{port}"

    def matches(self, pattern: Origin) -> bool:
        """Say whether a pattern matches this origin; `*.example.org` matches `example.org` and all its subdomains."""
        if pattern.scheme not in (None, self.scheme) or pattern.port not in (None, self.port):
            return False
        if pattern.host.startswith("*."):
            return self.host == pattern.host[2:] or self.host.endswith(pattern.host[1:])
        return self.host == pattern.host


@attrs.frozen(init=False)
class OriginCheck:
    """The check that a `check_origin` option stands for.

    Args:
        rule: `True` allows pages from the host that the request was sent to, on any port; `False` allows all pages. A
            list allows pages by patterns such as `https://example.com:8443`, `//example.com` (any scheme and port),
            `//*.example.org` (subdomains too) or `null` (sandboxed pages and local files). A function gets the origin
            as browsers write it, `https://example.com:8443`, without a path; a header that is no origin, unchanged.
            It must return True to allow the page.

    Raises:
        TypeError: `rule` has another type.
        ValueError: a pattern is no origin.

    """

    _rule: bool | frozenset[Origin | None] | Callable[[str], bool]

    def __init__(self, rule: CheckOrigin) -> None:
        self.__attrs_init__(_parsed(rule))

    def allows(self, request: Request) -> bool:
        """Say whether a request is allowed: yes without an `Origin` header, no with several of them.

        Raises the exception of a function given as the rule.
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

    @property
    def compares_hosts(self) -> bool:
        """Whether the rule is `True`."""
        return self._rule is True

    def refusal(self, request: Request, header: str) -> str:
        """Return why `allows` refused a request, for the log, and the option that would allow the page.

        `header` names the header that the host of the request came from.
        """
        origin = request.header("origin") or ""
        parsed = Origin.parse(origin)
        page = _OPAQUE if origin == _OPAQUE else str(parsed or "")
        if _SEVERAL in origin:
            why = "a page has one origin"
        elif callable(self._rule):
            why = "the function given as check_origin did not return True"
        elif isinstance(self._rule, frozenset):
            patterns = sorted(_OPAQUE if one is None else str(one) for one in self._rule)
            what = f"scheme {parsed.scheme}, host {parsed.host:.200}, port {parsed.port}" if parsed else "it"
            why = f"{what} matches none of check_origin={patterns!r:.500}"
            why += f"; add {page!r:.200} to allow it" if page else ""
        else:
            host = "no host" if request.authority is None else f"the host {request.authority!r:.200} (header {header})"
            why = f"check_origin=True allows pages of the request's host only, and the request was sent to {host}"
            why += f"; check_origin=[{page!r:.200}] would allow it" if page else ""
        return f"the origin {origin!r:.200} is not allowed: {why}"


def _parsed(rule: CheckOrigin) -> bool | frozenset[Origin | None] | Callable[[str], bool]:
    if inspect.iscoroutinefunction(rule) or inspect.iscoroutinefunction(getattr(rule, "__call__", None)):  # noqa: B004
        raise TypeError(f"a check_origin function must not be async; got {rule!r}")
    if isinstance(rule, bool) or (callable(rule) and not isinstance(rule, type)):
        return rule
    if isinstance(rule, (str, bytes, type)) or not isinstance(rule, Iterable):
        raise TypeError(f"check_origin must be True, False, a list of origins or a function; got {rule!r}")
    return frozenset(_pattern(text) for text in rule)


def _pattern(text: str) -> Origin | None:
    if not isinstance(text, str):
        raise TypeError(f"each origin in check_origin must be text; got {text!r}")
    if text == _OPAQUE:
        return None
    origin = Origin.parse(text) if _PATTERN.fullmatch(text) else None
    if origin is None or "*" in origin.host.removeprefix("*."):
        raise ValueError(
            f"{text!r} in check_origin is no origin; give one such as 'https://example.com', '//example.com:8443', "
            "'//*.example.com' or 'null', without a path"
        )
    return origin
