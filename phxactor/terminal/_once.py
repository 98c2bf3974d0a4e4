"""The processes of another program as text, once: for a pipe, a file or a look in between."""

from __future__ import annotations

import http.client
from typing import Final
from urllib.parse import SplitResult

from phxactor.observer import Snapshot, Unreachable, read, table

TIMEOUT: Final = 5.0
"""Seconds to wait for the program's answer."""


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


def picture(url: SplitResult, token: str | None, width: int) -> str:
    """Return a summary line, cut to `width`, and the table of processes below it. Raises Unreachable."""
    shot = fetch(url, token)
    summary = f"processes: {shot.processes}  messages that wait: {shot.messages}"
    if shot.zombies:
        summary += f"  zombies: {len(shot.zombies)}"
    summary += f"  at {url.geturl()}"
    return f"{summary[:width]}\n\n{table(shot, width, None)}\n"
