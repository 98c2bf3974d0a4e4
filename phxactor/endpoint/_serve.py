"""Run a program: an application or an endpoint under a root supervisor, until the program is told to stop."""

from __future__ import annotations

import logging
import os
import ssl
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import trio

from phxactor import runtime
from phxactor.cluster.carriers.workers import Ready, ThisWorker, Workers
from phxactor.cluster.events import back, node_down, node_left, node_up
from phxactor.endpoint._application import Application
from phxactor.endpoint._control_process import control
from phxactor.endpoint._endpoint import Endpoint
from phxactor.endpoint._service_manager import ALIVE, READY, STOPPING, ServiceManager
from phxactor.endpoint._worker import Worker, as_worker
from phxactor.net import Path
from phxactor.net.events import listening
from phxactor.otp import Child, Error, Ignore, Ok
from phxactor.runtime import (
    SHUTDOWN,
    STOP_TIMEOUT,
    STUCK_AFTER,
    Collector,
    Exit,
    Exited,
    Pid,
    Reason,
    format_reason,
    is_atom,
    receive,
    self_pid,
    spawn_link,
    trap_exit,
    whereis,
)
from phxactor.telemetry import Event


def run(
    main: Application | Endpoint | Callable[..., Awaitable[object]],
    *args: object,
    host: str | None = None,
    port: int | None = None,
    path: Path | None = None,
    tls: ssl.SSLContext | None = None,
    children: Sequence[Child] = (),
    stop_timeout: float | None = None,
    stuck_after: float = STUCK_AFTER,
    collector: Collector = "processes",
    worker: ThisWorker | None = None,
) -> None:
    """Serve an application or an endpoint, or run `await main(*args)`, until the program is told to stop.

    SIGTERM or SIGINT stops the process tree in order, and `run` returns. A second signal kills the processes that are
    left, and so does the end of `stop_timeout`.

    If the program has set up no logging, `run` prints where an endpoint listens to standard error, as a line. Else that
    line is a record at level INFO of the logger `phxactor.endpoint.listening`.

    Args:
        main: an application, an endpoint, or an async function, which is the first process.
        args: the arguments of the function.
        host: the address to listen on, instead of the endpoint's own.
        port: the port to listen on, instead of the endpoint's own.
        path: a Unix socket to listen on, instead of host and port.
        tls: an SSL context for a server, instead of the endpoint's own.
        children: with an endpoint, children that start before it: `run(endpoint, children=[...])` is the same as
            `run(Application(children=[...], endpoints=[endpoint]))`.
        stop_timeout: seconds that a stop may take; by default 60, plus the endpoints' notices and limits for draining.
        stuck_after: seconds after which a process that lets nothing else run is logged, with its stack; by default 1.
            `math.inf` for never.
        collector: "processes" tunes Python's garbage collector for many processes; "python" leaves it as it is.
        worker: this process as the worker of a parent, which has the sockets; `phxactor.run(..., workers=2)` gives it.

    Raises:
        SystemExit: a child or an endpoint cannot start; it says why, for example that the address is in use.
        Exit: the root supervisor gave up, or `main` exited with a reason.
        TypeError: `main` is none of the three, `children` are given without an endpoint, or `host`, `port`,
            `path` or `tls` with a function.
        ValueError: `host`, `port`, `path` or `tls` is given, and the application has not exactly one endpoint.

    """
    if isinstance(main, Endpoint):
        main = Application(children=children, endpoints=[main])
    elif children:
        raise TypeError("children go with an endpoint: give them to the Application, or start them in the function")
    if isinstance(main, Application):
        main.child_spec(
            host=host, port=port, path=path, tls=tls
        )  # raises for wrong options here, not in the first process
        given = None
        if worker is not None:
            given = Worker(worker, main, main.places(host=host, port=port, path=path, tls=tls))
            main = as_worker(main, given)
        start = partial(main.start_link, host=host, port=port, path=path, tls=tls)
        args, seconds = (main, start), STOP_TIMEOUT + main.drain_limit()
        function: Callable[..., Awaitable[object]] = serve if given is None else partial(work, given)
    elif not callable(main):
        raise TypeError(f"run takes an Application, an Endpoint or an async function, not {main!r:.200}")
    elif (host, port, path, tls) != (None, None, None, None):
        raise TypeError("host, port, path and tls go with an endpoint: a function gives them to start_link(...)")
    else:
        function, seconds = main, STOP_TIMEOUT
    if stop_timeout is not None:
        seconds = stop_timeout
    with announced() if worker is None else _as_parent_tells():
        runtime.run(
            function,
            *args,
            stop_timeout=seconds,
            stuck_after=stuck_after,
            collector=collector,
            parent=worker is not None,
        )


async def work(
    worker: Worker, application: Application, start: Callable[[], Awaitable[Ok[Pid] | Error | Ignore]]
) -> None:
    """Run the first process of a worker: say hello to the parent, then do as `serve`, and tell the parent."""
    trap_exit()
    main = self_pid()
    main.dictionary = {**(main.dictionary or {}), Worker: worker}
    spawn_link(control, worker)

    async def begin() -> Ok[Pid] | Error | Ignore:
        started = await start()
        if isinstance(started, Ok):
            await worker.greet(main.runtime)  # an application without endpoints has not done so yet
        return started

    await serve(application, begin, partial(worker.this.line.send, Ready()))


async def serve(
    application: Application,
    start: Callable[[], Awaitable[Ok[Pid] | Error | Ignore]],
    tell: Callable[[], object] = lambda: None,
    *,
    ready: bool = True,
) -> None:
    """Run the first process of a program that serves: `start` the application, `tell` so, and wait for its end.

    It tells systemd when it is ready, and so on; see `ServiceManager`. If the start alone does not make the program
    `ready`, the message `READY` to this process does.

    Raises SystemExit if it does not start, Exit if it ends by itself.
    """
    trap_exit()
    async with trio.open_nursery() as watching:
        told: list[Exited] = []
        watching.start_soon(_end_start, application.name, told)
        started = await start()
        watching.cancel_scope.cancel()
    if not isinstance(started, Ok):
        if told:  # it was to stop before it had started
            return
        raise SystemExit(_why(started.reason if isinstance(started, Error) else "ignored"))
    tell()
    manager = ServiceManager.of(os.environ)
    if ready:
        manager.tell(READY)
    while not told:
        try:
            message = await receive(timeout=manager.interval)
        except TimeoutError:
            manager.tell(ALIVE)
            continue
        if type(message) is Exited:
            if message.pid is started.value:
                raise Exit(("root_ended", message.reason))
            break
        if message is READY:
            manager.tell(READY)
    manager.tell(STOPPING)


async def _end_start(name: str, told: list[Exited]) -> None:
    """End the start of the application if the program is to stop meanwhile."""
    told.append(await receive(lambda message: type(message) is Exited and message.pid.name != name))
    root = whereis(name)
    if root is not None:
        root.exit(SHUTDOWN)


@contextmanager
def announced() -> Iterator[None]:
    """Print where an endpoint listens if the program has set up no logging: Python's own drops such a line."""

    def tell(_: Event, fields: Mapping[str, object]) -> None:
        if not logging.getLogger(listening.name).hasHandlers():
            print(f"listening on {fields['url']}", file=sys.stderr, flush=True)  # noqa: T201 - it is the log

    listening.attach(tell)
    try:
        yield
    finally:
        listening.detach(tell)


@contextmanager
def _as_parent_tells() -> Iterator[None]:
    """In a worker, log nothing that the parent says once for all: where it listens, and which workers come and go."""
    names = (node_up.name, node_left.name, node_down.name, back.name)
    loggers = [logging.getLogger(name) for name in names]
    logging.getLogger(listening.name).disabled = True
    for one in loggers:
        one.addFilter(_is_not_of_workers)
    try:
        yield
    finally:
        logging.getLogger(listening.name).disabled = False
        for one in loggers:
            one.removeFilter(_is_not_of_workers)


def _is_not_of_workers(record: logging.LogRecord) -> bool:
    fields: Mapping[str, object] = getattr(record, "telemetry", {})
    return fields.get("carrier") != Workers.name or fields.get("reason") == "silent"


def _why(reason: Reason, child: object = None) -> str:
    """Return the text in nested reasons, each of which wraps that of a child (S12); name the child if it has no text.

    A text of several words, such as that of an endpoint whose address is in use, says enough.
    """
    if type(reason) is runtime.Shutdown:
        return _why(reason.detail, child)
    if type(reason) is tuple and len(reason) == 3 and is_atom(reason[0], "failed_to_start_child"):  # noqa: PLR2004 - S12
        return _why(reason[2], reason[1])
    text = reason if type(reason) is str else format_reason(reason)
    says_enough = child is None or (type(reason) is str and " " in text)
    return text if says_enough else f"the child {child!r} did not start: {text}"
