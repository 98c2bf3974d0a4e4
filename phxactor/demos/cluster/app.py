"""The demo as a program: four workers that serve one page and one topic."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from phxactor import Endpoint, Request, Response, Socket, channel, get, mount
from phxactor.cluster.carriers.workers import this_worker
from phxactor.demos.chat import PHOENIX
from phxactor.demos.cluster.channel import VisitorChannel
from phxactor.http import static
from phxactor.observer import PATH, observer_routes
from phxactor.workers import run as run_with_workers

STATIC: Final = Path(__file__).parent / "static"
CSS: Final = STATIC / "cluster.css"
"""How the page looks; that of the demo `rooms` looks the same."""
WORKERS: Final = 4


class VisitorSocket(Socket):
    """One visitor: a page has several, so that they are spread over the workers."""

    channels = (channel("lobby", VisitorChannel),)


async def phoenix(_: Request) -> Response:
    """Serve phoenix.js, which the chat demo ships."""
    return Response(200, PHOENIX.read_bytes(), headers=[("content-type", "text/javascript")])


def run(host: str, port: int, *, page: bool = False) -> None:
    """Serve the page by four workers until told to stop; `page` adds that of the observer, which shows one of them.

    Raises SystemExit if the address is in use.
    """
    watched = observer_routes(actions=True) if page else []
    if page and this_worker() is None:
        print(f"the workers, one at each visit: http://{host}:{port}{PATH}", flush=True)
    endpoint = Endpoint(
        sockets=[mount("/socket", VisitorSocket)],
        routes=[*watched, get("/phoenix.mjs", phoenix), static("/", STATIC)],
        health="/health",
    )
    run_with_workers(endpoint, workers=WORKERS, host=host, port=port)
