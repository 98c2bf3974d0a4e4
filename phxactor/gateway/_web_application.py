"""A web application of another framework, at a path of an endpoint: its options, checked when they are given."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

import attrs

from phxactor import _checks as check
from phxactor.gateway._types import ASGIApp, WSGIApp
from phxactor.gateway._wsgi import WSGIAdapter

LifespanUse: TypeAlias = Literal["auto", "on", "off"]
"""Whether an application gets the lifespan events; see `asgi`."""

MAX_REQUESTS: Final = 1000
"""Default limit for the requests of an application that run at once."""
MAX_MESSAGE: Final = 1024 * 1024
"""Default limit for a message of a WebSocket, in bytes."""
PING_INTERVAL: Final = 20.0
"""Default seconds of silence after which a WebSocket's client is pinged."""
THREADS: Final = 40
"""Default number of threads of a WSGI application; trio's default limit is the same."""


@attrs.frozen(eq=False, kw_only=True)
class WebApplication:
    """An ASGI or WSGI application at a path; `asgi` and `wsgi` make one."""

    path: str
    """The path that the application has as its root; requests below it go there."""
    app: ASGIApp = attrs.field(repr=False)
    timeout: float | None
    max_body_bytes: int | None
    max_requests: int
    websockets: bool = True
    """Whether it takes WebSockets: an ASGI application does."""
    lifespan: LifespanUse
    startup_timeout: float
    shutdown_timeout: float
    max_message_bytes: int
    ping_interval: float

    @property
    def root_path(self) -> str:
        """The path as ASGI's `root_path`: empty for an application at `/`."""
        return "" if self.path == "/" else self.path

    def takes(self, path: str) -> bool:
        """Say whether a request's path is at or below the application's."""
        root = self.root_path
        return path.startswith(root) and (len(path) == len(root) or not root or path[len(root)] == "/")


def asgi(
    path: str,
    app: ASGIApp,
    *,
    timeout: float | None = None,
    max_body_bytes: int | None = None,
    max_requests: int = MAX_REQUESTS,
    lifespan: LifespanUse = "auto",
    startup_timeout: float = 60.0,
    shutdown_timeout: float = 60.0,
    max_message_bytes: int = MAX_MESSAGE,
    ping_interval: float = PING_INTERVAL,
) -> WebApplication:
    """Return an ASGI application as a route: `Endpoint(routes=[asgi("/", app)])`. It runs on trio.

    It answers each request and each WebSocket below `path` that no mounted socket and no other route of the endpoint
    answers. Each request is a process of its own. A client that leaves is told to the application, as ASGI says:
    `receive` returns `http.disconnect`, `send` raises an `OSError`; the process ends when the application does.

    Args:
        path: the path of the application's root, without a slash at its end: `/` or `/api`.
        app: the application, such as a `FastAPI()`, `Starlette()` or `Litestar()`.
        timeout: seconds that the application may take to begin an answer, and to end once its client has left. Then
            the server answers 503 and cancels the request's process. An answer that has begun has no limit. None for
            the endpoint's `request_timeout`, `math.inf` for no limit.
        max_body_bytes: limit for a request's body in bytes; a request with a longer body is answered 413. The body is
            never held as a whole: the server reads on when the application has taken what came. None for the
            endpoint's `max_body_bytes`.
        max_requests: limit for requests that run at once, those included whose clients have left or been answered
            (background tasks); a request over the limit is answered 503. WebSockets do not count.
        lifespan: `auto` sends the lifespan events, and takes an application that raises before it has received the
            first one for an application without them. `on` takes each exception for a failed start. `off` sends none.
        startup_timeout: seconds that the start may take; then the endpoint does not start. `math.inf` for no limit.
        shutdown_timeout: seconds that the end may take; then its process is ended.
        max_message_bytes: limit for a message of a WebSocket; a longer one closes with 1009.
        ping_interval: seconds of silence after which a WebSocket's client is pinged; a client that stays silent for as
            long again is disconnected. `math.inf` for never.

    Raises:
        TypeError: `app` cannot be called, or an option has a wrong type.
        ValueError: `path` or an option has a value that is not allowed.

    """
    check.choice("lifespan", lifespan, get_args(LifespanUse))
    return WebApplication(
        path=_path(path),
        app=check.function("the application", app),
        timeout=None if timeout is None else check.seconds("timeout", timeout),
        max_body_bytes=None if max_body_bytes is None else check.whole("max_body_bytes", max_body_bytes),
        max_requests=check.whole("max_requests", max_requests),
        lifespan=lifespan,
        startup_timeout=check.seconds("startup_timeout", startup_timeout),
        shutdown_timeout=check.seconds("shutdown_timeout", shutdown_timeout),
        max_message_bytes=check.whole("max_message_bytes", max_message_bytes),
        ping_interval=check.seconds("ping_interval", ping_interval),
    )


def wsgi(
    path: str,
    app: WSGIApp,
    *,
    threads: int = THREADS,
    timeout: float | None = None,
    max_body_bytes: int | None = None,
    max_requests: int = MAX_REQUESTS,
) -> WebApplication:
    """Return a WSGI application as a route: `Endpoint(routes=[wsgi("/", app)])`. Each request runs in a thread.

    It answers as `asgi` says, except WebSockets, and has the same limits. A request's body is received before a thread
    is taken, in memory up to 64 KiB, the rest in a temporary file.

    Args:
        path: the path of the application's root, without a slash at its end: `/` or `/shop`.
        app: the application, such as Django's `get_wsgi_application()` or a `Flask()`.
        threads: limit for the threads of this application. A thread that is given up counts until it ends.
        timeout: seconds that the application may take to begin an answer, the wait for a thread included. Then the
            server answers 503 and gives up the thread. None for the endpoint's `request_timeout`.
        max_body_bytes: limit for a request's body in bytes. None for the endpoint's `max_body_bytes`.
        max_requests: limit for requests that run at once or wait for a thread; over it the answer is 503.

    Raises:
        TypeError: `app` cannot be called, or an option has a wrong type.
        ValueError: `path` or an option has a value that is not allowed.

    """
    adapter = WSGIAdapter(check.function("the application", app), check.whole("threads", threads))
    application = asgi(
        path,
        adapter,
        timeout=timeout,
        max_body_bytes=max_body_bytes,
        max_requests=max_requests,
        lifespan="off",
    )
    return attrs.evolve(application, websockets=False)


def _path(path: str) -> str:
    check.path("the path of an application", path)
    if (path != "/" and path.endswith("/")) or "{" in path or "%" in path:
        raise ValueError(f"the path of an application must be like '/' or '/api', without a last slash; got {path!r}")
    return path
