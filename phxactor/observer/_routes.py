"""The tree over HTTP: the routes that a program mounts so that `phxactor top` can show its processes."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from cattrs.preconf.orjson import make_converter

from phxactor.http import Handler, Hosts, Request, Response, Route, get
from phxactor.observer._render import tree
from phxactor.observer._snapshot import Snapshot, snapshot

PATH: Final = "/observer"
"""The default path of the routes, and of `phxactor top`."""

_REFUSED: Final = Response.text(
    "the observer does not answer to this Host: allow it, as in observer_routes(hosts=['tree.example.com'])\n",
    status=HTTPStatus.FORBIDDEN,
)
_OF_PROXIES: Final = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "via", "x-real-ip")
"""Headers by which proxies say that they forward a request."""
_converter = make_converter()


def observer_routes(path: str = PATH, *, hosts: Iterable[str] = ()) -> list[Route]:
    """Return the routes that show the tree of processes: `path` as text, and `path.json` for programs.

    They show the names and labels of all processes, and the keys of those that a Presence tracks, to every client
    that can reach the endpoint and sends a loopback `Host`: `localhost`, 127.0.0.0/8 or `[::1]`, with any port. Any
    other `Host` is answered 403, since otherwise a web page could read the tree (DNS rebinding). A request that a
    proxy has forwarded needs one of `hosts`.

    Args:
        path: the path of the text.
        hosts: further names or addresses to answer to, without ports, such as `["tree.example.com"]`.

    Raises:
        TypeError: `hosts` is not a list of str.
        ValueError: a host is neither a name nor an address without a port, or `path` is not a valid path.

    """
    direct = Hosts(hosts, loopback=True)
    forwarded = Hosts(direct.names)  # a client of the proxy may have sent any Host

    def guarded(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            allowed = forwarded if _is_forwarded(request) else direct
            return await handler(request) if allowed.allow(request) else _REFUSED

        return answer

    return [get(path, guarded(_text)), get(f"{path}.json", guarded(_json))]


def read(data: bytes) -> Snapshot:
    """Read the body of an answer of `path.json`. Raises ValueError if it is no snapshot."""
    try:
        return _converter.loads(data, Snapshot)
    except Exception as error:
        raise ValueError("the body is not a snapshot of processes as JSON") from error


def _is_forwarded(request: Request) -> bool:
    """Say whether a proxy has sent the request, whether the endpoint trusts it or not.

    A request of a trusted address is not, if it names no client: that is a program on the machine of the proxy.
    """
    by_peer = request.proxy is not None and request.proxy != request.peer
    return by_peer or any(request.header(name) is not None for name in _OF_PROXIES)


async def _text(_: Request) -> Response:
    return Response.text(tree(snapshot()) + "\n")


async def _json(_: Request) -> Response:
    body = _converter.dumps(snapshot())
    return Response(200, body, [("content-type", "application/json"), ("cache-control", "no-store")])
