"""Runs a program: in this process, as the parent of workers, or as one of the workers."""

from __future__ import annotations

import math
import os
import secrets
import signal
import ssl
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Literal, TypeAlias

import attrs
import trio

from phxactor import _checks as check
from phxactor import endpoint, runtime, systemd
from phxactor.cluster.carriers.redis import Redis
from phxactor.cluster.carriers.workers import this_worker
from phxactor.endpoint import STOPPING, Application, Endpoint, ServiceManager
from phxactor.net import Path, create_counts
from phxactor.otp import Child, DynamicSupervisor, Supervise, Supervisor
from phxactor.runtime import STUCK_AFTER, Collector, Exit, Exited, Pid, receive, self_pid, trap_exit
from phxactor.workers._admin import admin_spec
from phxactor.workers._files import watcher_spec
from phxactor.workers._parent import NAME, Workers
from phxactor.workers._plan import Failure, Plan, Reload
from phxactor.workers._program import Program
from phxactor.workers._stack import write_stack_to

KEEPERS = "keepers"
"""The registered name of the keepers' supervisor."""
MAX_WORKERS = 256
_PR_SET_PDEATHSIG = 1

Count: TypeAlias = int | Literal["auto"]
"""A number of workers, or one for each processor that this program may use."""


def run(
    main: Application | Endpoint | Callable[..., Awaitable[object]],
    *args: object,
    workers: Count | None = None,
    redis: str | None = None,
    host: str | None = None,
    port: int | None = None,
    path: Path | None = None,
    tls: ssl.SSLContext | None = None,
    children: Sequence[Child] = (),
    stop_timeout: float | None = None,
    stuck_after: float = STUCK_AFTER,
    collector: Collector = "processes",
) -> None:
    """Serve an application or an endpoint, or run `await main(*args)`, until the program is told to stop.

    SIGTERM or SIGINT stops the process tree in order, and `run` returns. A second signal kills the processes that are
    left, and so does the end of `stop_timeout`.

    With `workers`, this program starts as many worker processes, each by its own command once more, and only watches
    them: each worker runs the program up to this call, and serves. SIGHUP then starts new workers with new code, and
    lets the old ones drain. See docs/workers.md.

    If the program has set up no logging, `run` prints where an endpoint listens to standard error, as a line. Else that
    line is a record at level INFO of the logger `phxactor.endpoint.listening`.

    Args:
        main: an application, an endpoint, or an async function, which is the first process.
        args: the arguments of the function.
        workers: how many worker processes serve; "auto" for one per processor. By default this process serves itself.
        redis: the URL of a Redis server, by which nodes on several machines hear of one another; the same as
            `Application(cluster=Redis(url))`.
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

    Raises:
        SystemExit: a child or an endpoint cannot start; it says why, for example that the address is in use. Or
            workers cannot start, or have ended too often.
        Exit: the root supervisor gave up, or `main` exited with a reason.
        TypeError: `main` is none of the three, `children` or `workers` are given without an endpoint, or `host`,
            `port`, `path` or `tls` with a function.
        ValueError: `host`, `port`, `path` or `tls` is given, and the application has not exactly one endpoint; or
            `workers` is no number from 1 to 256; or `redis` is no URL, or the application has a `cluster` already.
        ImportError: `redis` is given, and the extra of this name is not installed.

    """
    if redis is not None:
        main = with_redis(main, redis, children)
        children = ()
    if workers is not None:
        check_count(workers)
        if not isinstance(main, Application | Endpoint):
            raise TypeError("workers go with an application or an endpoint: a function runs in this process only")
        worker = this_worker()
        if worker is None:
            application = main if isinstance(main, Application) else Application(children=children, endpoints=[main])
            application.child_spec(host=host, port=port, path=path, tls=tls)  # raises for wrong options, once
            environment = dict(os.environ)
            systemd.hand_on(environment)
            run_parent(workers, environment, FilePath(sys.argv[0]).stem)
            return
        write_stack_to(worker.stack)
        _stop_with_parent()
    else:
        worker = None
    endpoint.run(
        main,
        *args,
        host=host,
        port=port,
        path=path,
        tls=tls,
        children=children,
        stop_timeout=stop_timeout,
        stuck_after=stuck_after,
        collector=collector,
        worker=worker,
    )


def with_redis(
    main: Application | Endpoint | Callable[..., Awaitable[object]], url: str, children: Sequence[Child] = ()
) -> Application:
    """Return an application that is a node of a cluster by a Redis server. Raises as `run` does."""
    if isinstance(main, Endpoint):
        main = Application(children=children, endpoints=[main])
    if not isinstance(main, Application):
        raise TypeError("redis goes with an application or an endpoint")
    if main.cluster is not None:
        raise ValueError("the application has a cluster already: say there which Redis server it uses")
    return attrs.evolve(main, cluster=Redis(url))


def check_count(workers: object) -> None:
    """Raise ValueError or TypeError unless this is a number of workers, or "auto"."""
    if workers != "auto":
        check.whole("workers", workers, also=', or "auto" for one per processor')
        if int(str(workers)) > MAX_WORKERS:
            raise ValueError(f"workers must be at most {MAX_WORKERS}; got {workers}")


def run_parent(workers: Count, environment: Mapping[str, str], name: str, *, watched: Sequence[FilePath] = ()) -> None:
    """Run this process as the parent of workers, until it is told to stop.

    Args:
        workers: how many, or "auto".
        environment: the variables that they are started with.
        name: what they serve, for people.
        watched: folders, for development: when a file in one of them changes, new workers start. After a start that
            failed, the parent waits for such a change.

    Raises:
        SystemExit: they cannot start, or have ended too often.

    """
    if sys.platform != "linux":
        raise SystemExit("workers need Linux")
    number = len(os.sched_getaffinity(0)) if workers == "auto" else workers
    slots = 4 * number + 4
    counts = create_counts(slots)
    plan = Plan(
        program=Program.of_this(environment, name),
        workers=number,
        slots=slots,
        counts=counts,
        secret=secrets.token_urlsafe(48),
        watched=watched,
    )
    try:
        with endpoint.announced():
            runtime.run(_parent, plan, stop_timeout=math.inf, collector="python")
    finally:
        os.close(counts)


class Root(Supervisor):
    """The root of the parent's tree."""

    async def init(self, plan: Plan, first: Pid) -> Supervise:
        """Return the children: the process that holds the workers lives longer than their keepers."""
        keepers = DynamicSupervisor.child_spec(name=KEEPERS)
        children = [Workers.child_spec(plan, KEEPERS, first, name=NAME), keepers, admin_spec(NAME)]
        if plan.watched:
            children.append(watcher_spec(plan.watched, NAME))
        return Supervise(children, strategy="one_for_all", max_restarts=0)


async def _parent(plan: Plan) -> None:
    """Run the first process of a parent."""
    trap_exit()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_hear_sighup, self_pid(), _has_terminal())
        failure = await _watch(plan)
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise SystemExit(failure.why or failure.status)


async def _watch(plan: Plan) -> Failure | None:
    """Run the tree until it is to stop; return why it must, None if it was told to."""
    root = (await Root.start_link(plan, self_pid())).unwrap()
    runtime.send(NAME, "begin")
    failure: Failure | None = None
    while True:
        message = await receive()
        if message == "reload":
            runtime.send(NAME, Reload("SIGHUP"))
        elif isinstance(message, Failure):
            failure = message
            break
        elif isinstance(message, Exited):
            if message.pid is root:
                raise Exit(("root_ended", message.reason))
            break
    ServiceManager.of(os.environ).tell(STOPPING)
    runtime.send(NAME, "stop")
    return failure


async def _hear_sighup(first: Pid, had_terminal: bool) -> None:  # noqa: FBT001 - start_soon passes positions on
    """Reload at SIGHUP. But if the terminal is gone, that is what the signal says, and the program stops."""
    with trio.open_signal_receiver(signal.SIGHUP) as signals:
        async for _ in signals:
            if had_terminal and not _has_terminal():
                os.kill(os.getpid(), signal.SIGTERM)
            else:
                first.send("reload")


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _stop_with_parent() -> None:
    """In a worker: get SIGTERM when the parent ends (prctl(2)), also while nothing reads the control line."""
    import ctypes  # noqa: PLC0415 - takes memory that few programs need to spend

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
