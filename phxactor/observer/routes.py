"""The picture over HTTP: what a program mounts so that `phxactor top` can look at it."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from cattrs.preconf.orjson import make_converter

from phxactor.endpoint import get
from phxactor.endpoint.routes import Handler, Route
from phxactor.observer.hosts import answers_to, checked_hosts
from phxactor.observer.render import tree
from phxactor.observer.snapshot import Snapshot, snapshot
from phxactor.transport.request import Request
from phxactor.transport.response import Response

PATH: Final = "/observer"
"""Where `phxactor top` looks, unless told otherwise."""

_REFUSED: Final = Response.text(
    "the observer does not answer to this Host: name it, as in observer_routes(hosts=['tree.example.com'])\n",
    status=HTTPStatus.FORBIDDEN,
)
_converter = make_converter()


def observer_routes(path: str = PATH, *, hosts: Iterable[str] = ()) -> list[Route]:
    """Make the routes that show the tree of processes: `path` as text, and `path.json` for programs.

    They show names and labels of everything that runs, to anybody who can reach the endpoint and names it as this
    machine does: `localhost`, 127.0.0.0/8 or `[::1]`, with any port. Any other `Host` is answered 403, or a web page
    could read them (DNS rebinding).

    Args:
        path: of the text.
        hosts: names or addresses that it answers to as well, without ports, such as `["tree.example.com"]`.

    Raises:
        TypeError: the hosts are no list of texts.
        ValueError: one of them is no host, or `path` no path.

    """
    allowed = checked_hosts(hosts)

    def guarded(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            return await handler(request) if answers_to(request, allowed) else _REFUSED

        return answer

    return [get(path, guarded(_text)), get(f"{path}.json", guarded(_json))]


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
