"""Run a program: an endpoint under a root supervisor, until the program is told to stop."""

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
    """Serve an endpoint, or run `await main(*args)` as the first process, until the program is told to stop.

    SIGTERM or SIGINT stops the process tree in order, and `run` returns. A second signal kills the processes that are
    left, and so does the end of `stop_timeout`.

    Args:
        main: an endpoint, or an async function.
        args: the arguments of the function.
        host: the address to listen on, instead of the endpoint's own.
        port: the port to listen on, instead of the endpoint's own.
        path: a Unix socket to listen on, instead of host and port.
        children: children that start before the endpoint, under the same root supervisor (one_for_one).
        stop_timeout: seconds that a stop may take; by default 60, plus the endpoint's limit for draining.
        collector: "processes" tunes Python's garbage collector for many processes; "python" leaves it as it is.

    Raises:
        SystemExit: the endpoint cannot start; it says why, for example that the address is in use.
        Exit: the root supervisor gave up, or `main` exited with a reason.

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
    """Run the first process of a program that serves an endpoint: start the root supervisor, and wait for its end."""
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
    """Return the text in nested reasons: each supervisor wraps the reason of its child (S12)."""
    if type(reason) is tuple and reason:
        return _why(reason[-1])
    if type(reason) is runtime.Shutdown:
        return _why(reason.detail)
    return reason if type(reason) is str else format_reason(reason)
