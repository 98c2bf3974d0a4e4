"""Where a redirect may lead: a path of this server, unless the program says otherwise (open redirects, CWE-601)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

_URL: Final = re.compile(r"https?://[^/?#\\@\s]+(?:[/?#].*)?", re.IGNORECASE)
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f\\]")
_UNSAFE_PATH: Final = re.compile(r"[^?#]*%(?:[01][0-9A-Fa-f]|5[Cc]|7[Ff])")
"""A path with such a character percent-encoded: a proxy may decode it."""
_KEPT: Final = "%/?#[]:;@!$&'()*+,=~-._"


def is_local_path(text: object) -> bool:
    r"""Say whether a text is a path of this server, which a redirect may lead to: `/board?page=2`.

    False for `//evil.example` and `/\evil.example`, which browsers take for another host, for a text with spaces,
    control characters or backslashes (in the path also if they are percent-encoded), and for a text that does not
    begin with a slash.
    """
    return (
        isinstance(text, str)
        and text[:1] == "/"
        and text[1:2] != "/"
        and _UNSAFE.search(text) is None
        and _UNSAFE_PATH.match(text) is None
    )


def location(to: str, *, external: bool) -> str:
    """Return the `Location` header of a redirect.

    Raises ValueError if it leads where it may not, TypeError if `to` is no text.
    """
    given: object = to
    if not isinstance(given, str):
        raise TypeError(f"a redirect must lead to a path or a URL as text; got {given!r:.200}")
    if external:
        if not _URL.fullmatch(to) or _UNSAFE.search(to):
            raise ValueError(f"an external redirect must lead to a URL of http or https; got {to!r:.200}")
    elif not is_local_path(to):
        raise ValueError(
            f"a redirect must lead to a path of this server, such as '/board'; got {to!r:.200}. "
            "For a URL of the program's own choice give external=True; ask is_local_path before a redirect to what a "
            "client has sent"
        )
    return quote(to, safe=_KEPT)
