"""Drives a served program of `tests.metrics.program`: all that it counts happens."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import trio

from tests.conformance.client import Client
from tests.patience import PATIENCE


async def drive(url: str, clients: int = 4) -> set[int]:
    """Have clients do everything; return the process ids of the workers that have served them."""
    workers = set()
    target = url.replace("http", "ws") + "/socket/websocket?vsn=2.0.0"
    for number in range(clients):
        async with await Client.open(target) as client:
            topic = f"room:{number}"
            await client.ask(["1", "1", topic, "phx_join", {}])
            await client.ask(["2", "2", "room:no", "phx_join", {}])
            for event in ("echo", "nobody's", "shout"):
                await client.send(["1", "3", topic, event, {}])
            await client.send(["1", "9", topic, "ask", {}])
            answer = await until(client, lambda one: one[1] == "9")
            workers.add(answer[4]["response"]["worker"])
            await client.send(["1", "10", topic, "crash", {"counter": not number}])
            await until(client, lambda one: one[3] == "phx_error")
        await trio.to_thread.run_sync(get, f"{url}/items/{number}")
    return workers


async def until(client: Client, is_it: Callable[[Any], bool]) -> Any:  # noqa: ANN401 - JSON
    """Receive until one is the message that is waited for."""
    with trio.fail_after(PATIENCE):
        while not is_it(found := await client.json()):
            pass
    return found


def _opened(request: Request) -> Any:  # noqa: ANN401 - urllib's types say as much
    """Send a request. An error that is an answer, such as "not ready yet", is closed: it holds the connection."""
    try:
        return urlopen(request, timeout=PATIENCE)  # noqa: S310 - of this machine
    except HTTPError as error:
        error.close()
        raise


def get(url: str, **headers: str) -> str:
    """Fetch a page."""
    with _opened(Request(url, headers=headers)) as answer:  # noqa: S310
        return str(answer.read().decode())


def ask(prometheus: str, query: str) -> list[object]:
    """Ask Prometheus; raises for a query that it does not take."""
    answer = json.loads(get(f"{prometheus}/api/v1/query?query={quote(query)}"))
    assert answer["status"] == "success", (query, answer)
    return list(answer["data"]["result"])
