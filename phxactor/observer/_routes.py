"""The routes and the socket by which people, `phxactor top` and the page look at a program."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final

from cattrs.preconf.orjson import make_converter

from phxactor.endpoint import Mount
from phxactor.http import Request, Response, Route, get
from phxactor.observer import _page as page
from phxactor.observer._guard import Authorize, Guard
from phxactor.observer._picture import Snapshot
from phxactor.observer._render import tree
from phxactor.observer._settings import Settings
from phxactor.observer._snapshot import snapshot
from phxactor.observer._socket import socket_of
from phxactor.observer._supervisor import ObserverSupervisor
from phxactor.observer._values import Redact
from phxactor.transport import WebSocketOptions

PATH: Final = "/observer"
"""The default path of the page, and of `phxactor top`."""

_converter = make_converter()


def observer_routes(
    path: str = PATH,
    *,
    hosts: Iterable[str] = (),
    authorize: Authorize | None = None,
    token: str | None = None,
    actions: bool = False,
    redact: Redact | None = None,
) -> list[Route | Mount]:
    """Return what shows the running program to people, for the `routes` of an endpoint.

    `path` is a page that shows processes, sockets, topics and more, live; to programs such as curl it is the tree as
    text, as is `path.txt`. `path.json` is the tree for programs. All of it shows names, labels and states of processes.

    By default it answers to every client that can reach the endpoint and sends a loopback `Host`: `localhost`,
    127.0.0.0/8 or `[::1]`, with any port. Any other `Host` is answered 403, since otherwise a web page could read all
    of it (DNS rebinding). A request that a proxy has forwarded needs one of `hosts`. Outside of one machine,
    give `authorize` or `token` too.

    Args:
        path: the path of the page.
        hosts: further names or addresses to answer to, without ports, such as `["tree.example.com"]`.
        authorize: an async function from a request to True, if its client may look; else the answer is 403.
        token: a text of at least 16 characters that a client must know: `phxactor observe URL --token TOKEN`.
        actions: whether the page may change something: end, suspend or trace a process, disconnect a client.
        redact: a function from a value to what is shown of it, for states and messages that hold secrets.

    Raises:
        TypeError: an option has a wrong type.
        ValueError: a host is neither a name nor an address without a port, the token is short, or `path` is not valid.

    """
    settings = Settings.made(path, Guard.made(hosts, authorize, token), actions, redact)
    guard, path = settings.guard, settings.path
    return [
        get(path, guard.open(partial(_page, settings))),
        get(f"{path}.txt", guard.closed(_text)),
        get(f"{path}.json", guard.closed(_json)),
        get(f"{path}/assets/{{version}}/{{name}}", guard.open(page.asset)),
        Mount(
            f"{path}/socket",
            socket_of(settings),
            WebSocketOptions(
                auth_token=True,
                connect_info=["request"],
                max_channels=20,
                max_messages_per_second=50,
                max_frame_size=65536,
            ),
            None,
            partial(ObserverSupervisor.spec_of, settings),
        ),
    ]


def read(data: bytes) -> Snapshot:
    """Read the body of an answer of `path.json`. Raises ValueError if it is no snapshot."""
    try:
        return _converter.loads(data, Snapshot)
    except Exception as error:
        raise ValueError("the body is not a snapshot of processes as JSON") from error


async def _page(settings: Settings, request: Request) -> Response:
    """Answer with the page, or with the tree as text unless the client takes HTML."""
    if "text/html" in (request.header("accept") or ""):
        return page.page(settings.path)
    return await settings.guard.closed(_text)(request)


async def _text(_: Request) -> Response:
    return Response.text(tree(snapshot()) + "\n")


async def _json(_: Request) -> Response:
    body = _converter.dumps(snapshot())
    return Response(200, body, [("content-type", "application/json"), ("cache-control", "no-store")])
