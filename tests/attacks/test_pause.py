"""A program that is stopped for longer than a client may be silent: none is closed that sent heartbeats all the while.

Nor is any refused, though it sends so often that it may not send at once what it sends in the pause.
"""

from __future__ import annotations

import signal
import sys
from functools import partial
from typing import Any

import attrs
import trio

from tests.attacks.server import TIMEOUT
from tests.attacks.target import MARKS, running
from tests.conformance.client import Client

pytestmark = MARKS

CLIENTS = 100
MANY = 600
PAUSE = TIMEOUT + 1
EVERY = 0.5
"""Seconds between the heartbeats of one client."""


@attrs.define
class Living:
    """What became of the clients."""

    clients: int
    closed: int = 0
    refused: int = 0
    """Heartbeats that were not answered with ok."""
    heartbeats: int = 0
    """Heartbeats that were."""


async def living(clients: int) -> Living:
    """Stop the program while so many clients send heartbeats."""
    found = Living(clients)
    with running("--most", str(clients + 10)) as target:
        async with trio.open_nursery() as nursery:
            stop = trio.Event()
            crowd: list[Client] = []
            for _ in range(clients):
                crowd.append(client := await target.connect("/punctual"))
                nursery.start_soon(_live, client, stop)
            await trio.sleep(2 * EVERY)
            target.process.send_signal(signal.SIGSTOP)
            await trio.sleep(PAUSE)
            target.process.send_signal(signal.SIGCONT)
            await trio.sleep(PAUSE)
            stop.set()
        async with trio.open_nursery() as nursery:
            for client in crowd:
                nursery.start_soon(_count, client, found)
    return found


async def _live(client: Client, stop: trio.Event) -> None:
    """Send heartbeats until told to stop; each client has a time of its own."""
    try:
        while not stop.is_set():
            await client.send([None, "1", "phoenix", "heartbeat", {}])
            await trio.sleep(EVERY)
    except trio.BrokenResourceError:
        pass


async def _count(client: Client, found: Living) -> None:
    try:
        await client.send([None, "last", "phoenix", "heartbeat", {}])
        while True:
            answer: Any = await client.json()
            if answer[1] == "last":
                break
            if answer[4]["status"] == "ok":
                found.heartbeats += 1
            else:
                found.refused += 1
    except (AssertionError, trio.BrokenResourceError):
        found.closed += 1
    await trio.aclose_forcefully(client.stream)


async def test_no_client_that_lives_is_closed_or_refused() -> None:
    found = await living(CLIENTS)
    assert (found.closed, found.refused) == (0, 0)
    assert found.heartbeats > CLIENTS * PAUSE / EVERY


async def print_figures(clients: str = str(MANY)) -> None:
    """Print what became of so many."""
    print(await living(int(clients)))  # noqa: T201 - its purpose


if __name__ == "__main__":
    trio.run(partial(print_figures, *sys.argv[1:]))
