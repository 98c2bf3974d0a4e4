"""A page of the observer, without a browser: clients of its socket, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from phxactor import Endpoint, open_runtime
from phxactor.observer import observer_routes
from phxactor.socket import Socket
from phxactor.testing import Client, ClientChannel, connect

WITHIN = 3.0
"""Seconds of virtual time for what comes once a second."""


class Page:
    """A running endpoint with an observer, and clients that look."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - those of observer_routes
        self.endpoint = Endpoint(routes=observer_routes(**options), name="endpoint")
        self.socket: type[Socket] = self.endpoint.sockets[0].handler  # type: ignore[assignment]

    async def connect(self, host: str = "localhost", **options: Any) -> Client:  # noqa: ANN401 - those of connect
        return await connect(self.socket, endpoint=self.endpoint, headers={"host": host}, **options)

    async def open(self, panel: str) -> ClientChannel:
        return await (await self.connect()).join(f"observer:{panel}")


@asynccontextmanager
async def page(**options: Any) -> AsyncIterator[Page]:  # noqa: ANN401 - those of observer_routes
    """Run a program with an observer and nothing else."""
    async with open_runtime():
        one = Page(**options)
        (await one.endpoint.start_link(server=False)).unwrap()
        yield one


async def rows(tree: ClientChannel, **view: object) -> dict[str, Any]:
    """Ask for a view; return the payload that comes for it."""
    await tree.receive_all()
    await tree.ask("view", {"depth": 20, "count": 200, **view}, within=WITHIN)
    payload: dict[str, Any] = await tree.assert_push("rows", dict, within=WITHIN)
    return payload


def drawn(payload: dict[str, Any]) -> list[str]:
    """Return the rows as lines, indented by their depth."""
    return ["  " * row[1] + (row[4] or row[6]) for row in payload["rows"]]
