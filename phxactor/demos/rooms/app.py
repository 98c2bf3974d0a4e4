"""The demo as a program: four workers that share the rooms of a house."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from phxactor import Endpoint, Request, Response, Socket, channel, get, mount
from phxactor.cluster.carriers.workers import this_worker
from phxactor.demos.cluster import CSS, WORKERS, phoenix
from phxactor.demos.rooms.channel import VisitorChannel
from phxactor.demos.rooms.counter import counters
from phxactor.http import static
from phxactor.observer import PATH, observer_routes
from phxactor.workers import run as run_with_workers

STATIC: Final = Path(__file__).parent / "static"


class VisitorSocket(Socket):
    """One visitor: a page has several, so that they are spread over the workers."""

    channels = (channel("house", VisitorChannel),)


async def style(_: Request) -> Response:
    """Serve what the page has in common with that of the cluster demo."""
    return Response(200, CSS.read_bytes(), headers=[("content-type", "text/css")])


def run(host: str, port: int, *, page: bool = False) -> None:
    """Serve the page by four workers until told to stop; `page` adds that of the observer, which shows one of them.

    Raises SystemExit if the address is in use.
    """
    watched = observer_routes(actions=True) if page else []
    if page and this_worker() is None:
        print(f"the workers, one at each visit: http://{host}:{port}{PATH}", flush=True)
    endpoint = Endpoint(
        sockets=[mount("/socket", VisitorSocket)],
        routes=[*watched, get("/phoenix.mjs", phoenix), get("/cluster.css", style), static("/", STATIC)],
        health="/health",
    )
    run_with_workers(endpoint, children=[counters], workers=WORKERS, host=host, port=port)
