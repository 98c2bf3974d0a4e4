"""Opening the page of a program in the browser of this machine."""

from __future__ import annotations

import webbrowser
from urllib.parse import quote

from phxactor.observer._address import Unreachable, locate


def open_page(target: str, token: str | None = None) -> str:
    """Open the observer's page at a port of this machine or a URL; return a line that says what was done.

    The token goes into the fragment of the address, which browsers do not send. Raises SystemExit if `target` is
    neither a port nor a URL.
    """
    try:
        url = locate(target).geturl()
    except Unreachable as error:
        raise SystemExit(str(error)) from None
    address = url if token is None else f"{url}#token={quote(token, safe='')}"
    try:
        opened = webbrowser.open(address)
    except webbrowser.Error:
        opened = False
    return f"opened {url} in the browser" if opened else f"there is no browser here; open {address}"
