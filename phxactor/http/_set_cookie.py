"""A cookie that a response sets: its checks, and its header.

The rules are those of RFC 6265; SameSite and the prefixes of names are in its successor, the draft 6265bis.
"""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

import attrs

from phxactor import _checks as check
from phxactor.http._cookies import COOKIE_NAME

SameSite: TypeAlias = Literal["Strict", "Lax", "None"]

MAX_COOKIE: Final = 4096
"""Most bytes of a name and a value together; browsers drop a longer cookie."""

_VALUE: Final = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
_PATH: Final = re.compile(r"/[\x20-\x3a\x3c-\x7e]*")
_DOMAIN: Final = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
_PREFIXES: Final = ("__host-", "__secure-")
_EXPIRED: Final = "Thu, 01 Jan 1970 00:00:00 GMT"


@attrs.frozen(kw_only=True)
class SetCookie:
    """A cookie that a response sets; `Response.cookie` and `Response.delete_cookie` make one."""

    name: str = attrs.field()
    value: str = attrs.field(repr=False)  # mostly a secret
    max_age: int | None
    """Seconds that the browser keeps it; 0 deletes it, None keeps it until the browser ends."""
    path: str
    domain: str | None
    secure: bool | None
    """Whether the browser sends it by https only; None for the scheme of the request."""
    http_only: bool
    same_site: SameSite

    def __attrs_post_init__(self) -> None:
        """Check the parts, since each of them could add attributes or headers."""
        _match("name", self.name, COOKIE_NAME, "letters, digits and !#$%&'*+.^_`|~-")
        value: object = self.value  # it may be secret: no error shows it
        if not isinstance(value, str):
            raise TypeError(f"the value of the cookie {self.name!r} must be text, not {type(value).__name__}")
        if not _VALUE.fullmatch(value):
            raise ValueError(
                f"the value of the cookie {self.name!r} must be ASCII text without spaces, quotes, commas, semicolons "
                "and backslashes; sign it with phxactor.token.sign, or escape it with urllib.parse.quote"
            )
        if len(self.name) + len(self.value) > MAX_COOKIE:
            raise ValueError(f"the cookie {self.name!r} must have at most {MAX_COOKIE} bytes with its name")
        _match("path", self.path, _PATH, "a path that begins with a slash, without semicolons")
        if self.domain is not None:
            _match("domain", self.domain, _DOMAIN, "a host name")
        if self.max_age is not None:
            check.whole("max_age", self.max_age, 0, ", in seconds, or None")
        if self.secure is not None:
            check.flag("secure", self.secure)
        check.flag("http_only", self.http_only)
        check.choice("same_site", self.same_site, ("Strict", "Lax", "None"))
        if self.secure is False and self._must_be_secure():
            raise ValueError(
                f"the cookie {self.name!r} with SameSite={self.same_site} must be secure, or has no effect"
            )
        if self.name.lower().startswith("__host-") and (self.domain is not None or self.path != "/"):
            raise ValueError(f"the cookie {self.name!r} must have the path '/' and no domain, as its prefix demands")

    def _must_be_secure(self) -> bool:
        return self.same_site == "None" or self.name.lower().startswith(_PREFIXES)

    def header(self, scheme: str) -> tuple[bytes, bytes]:
        """Return the `Set-Cookie` header in the answer to a request of this scheme."""
        parts = [f"{self.name}={self.value}", f"Path={self.path}"]
        if self.max_age is not None:
            parts.append(f"Max-Age={self.max_age}")
        if self.max_age == 0:
            parts.append(f"Expires={_EXPIRED}")
        if self.domain is not None:
            parts.append(f"Domain={self.domain}")
        if self._must_be_secure() or (scheme == "https" if self.secure is None else self.secure):
            parts.append("Secure")
        if self.http_only:
            parts.append("HttpOnly")
        parts.append(f"SameSite={self.same_site}")
        return b"set-cookie", "; ".join(parts).encode("ascii")


def _match(what: str, given: object, allowed: re.Pattern[str], description: str) -> None:
    if not isinstance(given, str):
        raise TypeError(f"the {what} of a cookie must be text; got {given!r:.100}")
    if not allowed.fullmatch(given):
        raise ValueError(f"the {what} of a cookie must be {description}; got {given!r:.100}")
