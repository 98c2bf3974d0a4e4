"""Running a program: an endpoint under a root supervisor, until it is told to stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from phxactor import runtime
from phxactor.endpoint._endpoint import Endpoint
from phxactor.net import Path
from phxactor.otp import Child, Error, Ok, Supervisor
from phxactor.runtime import STOP_TIMEOUT, Collector, Exit, Exited, Reason, format_reason, receive, trap_exit


def run(
    main: Endpoint | Callable[..., Awaitable[object]],
    *args: object,
    host: str | None = None,
    port: int | None = None,
    path: Path | None = None,
    children: Sequence[Child] = (),
    stop_timeout: float | None = None,
    collector: Collector = "processes",
) -> None:
    """Serve an endpoint, or run `await main(*args)` as the first process, until told to stop.

    SIGTERM and SIGINT stop the tree in order, and this returns; a second one kills, and so does the end of
    `stop_timeout`: 60 seconds, and as many more as the endpoint has for draining, unless given. `host` and `port`, or
    `path`, go before those of the endpoint; `children` are started before it, under the same root supervisor
    (one_for_one). `collector` says who sets Python's garbage collector: "processes", as is best for many of them, or
    "python", so that it stays as it is.

    Raises SystemExit, which says why, when the endpoint cannot be started (a port in use); `Exit` when the root
    supervisor gives up, or with what `main` exits.
    """
    if isinstance(main, Endpoint):
        seconds = STOP_TIMEOUT + main.drain.limit if stop_timeout is None else stop_timeout
        runtime.run(serve, main, host, port, path, children, stop_timeout=seconds, collector=collector)
    else:
        seconds = STOP_TIMEOUT if stop_timeout is None else stop_timeout
        runtime.run(main, *args, stop_timeout=seconds, collector=collector)


async def serve(
    endpoint: Endpoint,
    host: str | None = None,
    port: int | None = None,
    path: Path | None = None,
    children: Sequence[Child] = (),
) -> None:
    """Be the first process of a program that serves an endpoint: start the root supervisor, and stay."""
    trap_exit()
    started = await Supervisor.start_link(
        [*children, endpoint.child_spec(host=host, port=port, path=path)], name="root"
    )
    if not isinstance(started, Ok):
        raise SystemExit(_why(started.reason if isinstance(started, Error) else "ignored"))
    while True:
        message = await receive()
        if type(message) is Exited:
            if message.pid is started.value:
                raise Exit(("root_ended", message.reason))
            return


def _why(reason: Reason) -> str:
    """Find the words in the reasons that supervisors wrap around one another (S12)."""
    if type(reason) is tuple and reason:
        return _why(reason[-1])
    if type(reason) is runtime.Shutdown:
        return _why(reason.detail)
    return reason if type(reason) is str else format_reason(reason)
