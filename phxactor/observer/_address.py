"""The address of another program's observer."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from phxactor.observer._routes import PATH


class Unreachable(Exception):
    """The observer of another program cannot be read; the message says why."""


def locate(target: str) -> SplitResult:
    """Turn a port or a URL into the observer's URL. Raises Unreachable if `target` is neither."""
    text = f"http://127.0.0.1:{target}" if target.isdecimal() else target
    wrong = Unreachable(f"{target!r} is neither a port nor a URL such as http://127.0.0.1:4000{PATH}")
    try:
        url = urlsplit(text if "://" in text else f"http://{text}")
        port = url.port
    except ValueError:
        raise wrong from None
    if url.scheme not in ("http", "https") or not url.hostname or port == 0:
        raise wrong
    return url._replace(path=url.path.rstrip("/") or PATH)
