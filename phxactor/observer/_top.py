"""`phxactor top`: shows the processes of another program in the terminal, and refreshes them."""

from __future__ import annotations

import http.client
import shutil
import sys
import time
from typing import Final
from urllib.parse import SplitResult, urlsplit

from phxactor.observer._picture import Snapshot
from phxactor.observer._render import table
from phxactor.observer._routes import PATH, read

TIMEOUT: Final = 5.0
"""Seconds to wait for the program's answer."""

_ENTER: Final = "\x1b[?1049h\x1b[?25l"
"""Switches to the alternate screen and hides the cursor (xterm control sequences); `_LEAVE` restores both."""
_LEAVE: Final = "\x1b[?25h\x1b[?1049l"
_HOME: Final = "\x1b[H"
_END_OF_LINE: Final = "\x1b[K\n"
_CLEAR_BELOW: Final = "\x1b[J"


class Unreachable(Exception):
    """The snapshot of another program cannot be fetched; the message says why."""


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


def fetch(url: SplitResult, token: str | None = None) -> Snapshot:
    """Fetch a program's snapshot. Raises Unreachable if the program does not answer, or not with a snapshot."""
    connect = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = connect(str(url.hostname), url.port, timeout=TIMEOUT)
    headers = {"connection": "close"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    try:
        connection.request("GET", f"{url.path}.json", headers=headers)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Unreachable(f"no answer from {url.geturl()} ({why}); is the program running?") from None
    finally:
        connection.close()
    if response.status == http.HTTPStatus.FORBIDDEN:
        told = f"observer_routes(hosts=[{url.hostname!r}])"
        raise Unreachable(f"the observer at {url.geturl()} does not answer to this host (403): mount {told} there")
    if response.status == http.HTTPStatus.UNAUTHORIZED:
        raise Unreachable(f"the observer at {url.geturl()} asks for its token (401): give --token")
    if response.status != http.HTTPStatus.OK:
        raise Unreachable(f"no observer at {url.geturl()} ({response.status}): mount observer_routes() there")
    try:
        return read(body)
    except ValueError as error:
        raise Unreachable(f"{url.geturl()} did not answer as an observer does: {error}") from None


def screen(url: SplitResult, picture: Snapshot, width: int, height: int | None) -> str:
    """Draw a summary line, cut to `width`, and the table of processes below it."""
    summary = f"processes: {picture.processes}  messages that wait: {picture.messages}"
    if picture.zombies:
        summary += f"  zombies: {len(picture.zombies)}"
    summary += f"  at {url.geturl()}"
    return f"{summary[:width]}\n\n{table(picture, width, None if height is None else height - 3)}"


def watch(target: str, *, interval: float, once: bool, token: str | None = None) -> None:
    """Show the processes until Ctrl-C, or once; `interval` is in seconds.

    If the program ends meanwhile, its last picture stays, with a line that says so, until the program answers again.

    Raises SystemExit with the reason if the first snapshot cannot be fetched.
    """
    try:
        url = locate(target)
        picture = fetch(url, token)
    except Unreachable as error:
        raise SystemExit(str(error)) from None
    if once:
        sys.stdout.write(screen(url, picture, shutil.get_terminal_size((100, 0)).columns, None) + "\n")
        return
    sys.stdout.write(_ENTER)
    try:
        lost = ""
        while True:
            size = shutil.get_terminal_size()
            text = screen(url, picture, size.columns, size.lines) + (f"\n{lost[: size.columns]}" if lost else "")
            sys.stdout.write(_HOME + text.replace("\n", _END_OF_LINE) + _END_OF_LINE.rstrip("\n") + _CLEAR_BELOW)
            sys.stdout.flush()
            time.sleep(interval)
            try:
                picture, lost = fetch(url, token), ""
            except Unreachable as error:
                lost = str(error)
    except KeyboardInterrupt:
        pass
    finally:
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()
