"""The picture over HTTP: what a program mounts so that `phxactor top` can look at it."""

from __future__ import annotations

from typing import Final

from cattrs.preconf.orjson import make_converter

from phxactor.endpoint import get
from phxactor.endpoint.routes import Route
from phxactor.observer.render import tree
from phxactor.observer.snapshot import Snapshot, snapshot
from phxactor.transport.request import Request
from phxactor.transport.response import Response

PATH: Final = "/observer"
"""Where `phxactor top` looks, unless told otherwise."""

_converter = make_converter()


def observer_routes(path: str = PATH) -> list[Route]:
    """Make the routes that show the tree of processes: `path` as text, and `path.json` for programs.

    They show names and labels of everything that runs, to anybody who can reach the endpoint.
    """
    return [get(path, _text), get(f"{path}.json", _json)]


def read(data: bytes) -> Snapshot:
    """Read a snapshot that `path.json` has answered; raises ValueError if it is none."""
    try:
        return _converter.loads(data, Snapshot)
    except Exception as error:
        raise ValueError("this is no picture of processes") from error


async def _text(_: Request) -> Response:
    return Response.text(tree(snapshot()) + "\n")


async def _json(_: Request) -> Response:
    body = _converter.dumps(snapshot())
    return Response(200, body, [("content-type", "application/json"), ("cache-control", "no-store")])
