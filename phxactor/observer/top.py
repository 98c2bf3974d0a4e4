"""`phxactor top`: the picture of another program in the terminal, again and again."""

from __future__ import annotations

import http.client
import shutil
import sys
import time
from typing import Final
from urllib.parse import SplitResult, urlsplit

from phxactor.observer.render import table
from phxactor.observer.routes import PATH, read
from phxactor.observer.snapshot import Snapshot

TIMEOUT: Final = 5.0
"""Seconds that a program has to answer."""

_ENTER: Final = "\x1b[?1049h\x1b[?25l"
"""The alternate screen, without a cursor (xterm control sequences), so that the terminal is afterwards as it was."""
_LEAVE: Final = "\x1b[?25h\x1b[?1049l"
_HOME: Final = "\x1b[H"
_END_OF_LINE: Final = "\x1b[K\n"
_CLEAR_BELOW: Final = "\x1b[J"


class Unreachable(Exception):
    """There is no picture to be had; says why."""


def locate(target: str) -> SplitResult:
    """Turn a port or a URL into the address of the picture; raises Unreachable if it is neither."""
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


def fetch(url: SplitResult) -> Snapshot:
    """Ask a program for its picture; raises Unreachable."""
    connect = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = connect(str(url.hostname), url.port, timeout=TIMEOUT)
    try:
        connection.request("GET", f"{url.path}.json", headers={"connection": "close"})
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Unreachable(f"nobody answers at {url.geturl()} ({why}); is the program running?") from None
    finally:
        connection.close()
    if response.status == http.HTTPStatus.FORBIDDEN:
        told = f"observer_routes(hosts=[{url.hostname!r}])"
        raise Unreachable(f"the observer at {url.geturl()} does not answer to this host (403): mount {told} there")
    if response.status != http.HTTPStatus.OK:
        raise Unreachable(f"no observer at {url.geturl()} ({response.status}): mount observer_routes() there")
    try:
        return read(body)
    except ValueError as error:
        raise Unreachable(f"{url.geturl()} answers something else: {error}") from None


def screen(url: SplitResult, picture: Snapshot, width: int, height: int | None) -> str:
    """Draw the picture below a line that sums it up, of which the end may be missing where there is little room."""
    summary = f"processes: {picture.processes}  messages that wait: {picture.messages}"
    if picture.zombies:
        summary += f"  zombies: {len(picture.zombies)}"
    summary += f"  at {url.geturl()}"
    return f"{summary[:width]}\n\n{table(picture, width, None if height is None else height - 3)}"


def watch(target: str, *, interval: float, once: bool) -> None:
    """Show the picture until Ctrl-C, or once; raises SystemExit, which says why, if there is none to begin with.

    A program that ends meanwhile may come back: its last picture stays, with a line that says so.
    """
    try:
        url = locate(target)
        picture = fetch(url)
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
                picture, lost = fetch(url), ""
            except Unreachable as error:
                lost = str(error)
    except KeyboardInterrupt:
        pass
    finally:
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()
