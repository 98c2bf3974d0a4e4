"""`phxactor serve`: each option may come from the command line, or from an environment variable."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from cyclopts import Parameter, Token
from cyclopts.validators import Number

import phxactor
from phxactor.cli.certificate import server_context
from phxactor.cli.env_file import VARIABLE, load, set_by_file
from phxactor.cli.logs import LogFormat, LogLevel, log_to_stderr, say_stopped
from phxactor.cli.target import find_application
from phxactor.cluster.carriers.workers import this_worker
from phxactor.endpoint import log_requests
from phxactor.http import MAX_PORT
from phxactor.runtime import STUCK_AFTER, Collector
from phxactor.workers import Count, check_count, check_watchfiles, run_parent, with_redis

Port: TypeAlias = Annotated[int, Parameter(validator=Number(gte=0, lte=MAX_PORT))]


def _option(name: str, **options: Any) -> Parameter:  # noqa: ANN401 - cyclopts'
    return Parameter(env_var=f"PHXACTOR_{name}", **options)


def _count(_: object, tokens: Sequence[Token]) -> Count:
    """Return a number of workers, or "auto". Raises ValueError for other words, whose text the command line shows."""
    given = tokens[0].value
    if given == "auto":
        return "auto"
    try:
        return int(given)
    except ValueError:
        raise ValueError(f'a number of workers, or "auto" for one per processor, is needed, not {given!r}') from None


def serve(
    target: Annotated[str, _option("TARGET")],
    *,
    host: Annotated[str | None, _option("HOST")] = None,
    port: Annotated[Port | None, _option("PORT")] = None,
    unix: Annotated[Path | None, _option("UNIX")] = None,
    tls: Annotated[tuple[Path, Path] | None, _option("TLS", negative="")] = None,
    factory: Annotated[bool, _option("FACTORY", negative="")] = False,
    env_file: Annotated[Path | None, Parameter(env_var=VARIABLE)] = None,
    access_log: Annotated[bool, _option("ACCESS_LOG", negative="")] = False,
    log_level: Annotated[LogLevel, _option("LOG_LEVEL")] = "info",
    log_format: Annotated[LogFormat, _option("LOG_FORMAT")] = "text",
    stuck_after: Annotated[float, _option("STUCK_AFTER", validator=Number(gt=0))] = STUCK_AFTER,
    collector: Annotated[Collector, _option("COLLECTOR")] = "processes",
    workers: Annotated[Count | None, _option("WORKERS", converter=_count)] = None,
    reload: Annotated[bool, _option("RELOAD", negative="")] = False,
    redis: Annotated[str | None, _option("REDIS")] = None,
) -> None:
    """Serve an application or an endpoint until Ctrl-C or SIGTERM.

    An option of the command line counts before its environment variable, and that before the env file.

    Args:
        target: `module:name` of an Application or an Endpoint, such as `chat:endpoint` for the one in chat.py.
        host: the address to listen on; by default the endpoint's. 0.0.0.0 for all of this machine.
        port: the port to listen on; by default that of the environment variable PORT, else the endpoint's; 0 for any
            free port.
        unix: the path of a Unix socket to listen on, instead of host and port.
        tls: the files of a certificate (with its chain) and of its private key, both PEM; connections are encrypted
            then. In the environment variable a colon separates them.
        factory: the target is a function that returns the Application or the Endpoint.
        env_file: a file of environment variables for the program, `NAME=value` in each line; those that are set
            already stay.
        access_log: log each request in a line, with address, path, status, bytes and seconds; of a query the names
            only.
        log_level: the lowest level that is logged.
        log_format: each record as lines of text, or as one line of JSON.
        stuck_after: seconds after which a process that lets nothing else run is logged; `inf` for never.
        collector: how the garbage collector is set: by phxactor, for many processes, or as Python sets it.
        workers: how many worker processes serve; `auto` for one per processor. Without it, this process serves itself.
        reload: for development: start a new worker when a file of the program changes. If it cannot start, the old one
            stays, and the error is shown. By default one worker.
        redis: the URL of a Redis server, for nodes on several machines. One with a password stands better in the
            environment variable, since `ps` shows arguments.
    """
    if reload and workers is None:
        workers = 1
    if workers is not None and this_worker() is None:
        _run_parent(workers, target, log_level, log_format, reload=reload)
        return
    if env_file is not None:
        load(env_file)  # `main` has done so already, for the other options
    context = None if tls is None else server_context(*tls)
    if port is None and unix is None:
        port = _platforms_port()
    application = find_application(target, factory=factory)
    try:
        if redis is not None:
            application = with_redis(application, redis)
        application.child_spec(host=host, port=port, path=unix, tls=context)
    except (ValueError, ImportError) as error:
        raise SystemExit(str(error)) from None
    log_to_stderr(log_level, this_worker(), log_format)
    if access_log:
        log_requests()
    phxactor.run(
        application,
        workers=workers,
        host=host,
        port=port,
        path=unix,
        tls=context,
        stuck_after=stuck_after,
        collector=collector,
    )
    if workers is None:
        say_stopped()


def _run_parent(workers: Count, target: str, log_level: LogLevel, log_format: LogFormat, *, reload: bool) -> None:
    """Run this process as the parent of workers: it never imports the target."""
    try:
        check_count(workers)
    except ValueError as error:
        raise SystemExit(str(error)) from None
    if reload:
        check_watchfiles()
    log_to_stderr(log_level, form=log_format)
    environment = {name: value for name, value in os.environ.items() if name not in set_by_file()}
    run_parent(workers, environment, target, watched=[Path.cwd()] if reload else ())
    say_stopped()


def _platforms_port() -> int | None:
    """Return the port that a platform (Heroku, Cloud Run, Railway) gives its programs; None if there is none."""
    given = os.environ.get("PORT")
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and int(given) <= MAX_PORT):
        raise SystemExit(f"the environment variable PORT must be a port, 0 to {MAX_PORT}; it is {given!r:.20}")
    return int(given)
