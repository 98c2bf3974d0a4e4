"""The command line: `phxactor demo`, `phxactor serve`, `phxactor top`; and `phxactor token`, from `tokens`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from cyclopts import App, Parameter
from cyclopts.validators import Number

import phxactor
from phxactor import Exit
from phxactor.cli import tokens
from phxactor.cli.target import find_application
from phxactor.demos import DEMOS
from phxactor.net import DEFAULT
from phxactor.net.events import listening
from phxactor.observer import watch
from phxactor.otp.supervisor_events import start_error
from phxactor.runtime import STUCK_AFTER, Collector
from phxactor.telemetry import Event, NonBlockingHandler

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]
Port: TypeAlias = Annotated[int, Parameter(validator=Number(gte=0, lte=65535))]

app = App(
    name="phxactor",
    version=phxactor.__version__,
    help="Phoenix Sockets and Channels for Python, on supervised trio processes.",
)
app.command(tokens.app)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except Exit as end:  # the supervision tree has ended; its reports are in the log
        raise SystemExit(f"the program ended: {end}") from None


@app.command
def demo(
    name: str = "chat",
    *,
    host: str | None = None,
    port: Port | None = None,
    show: Annotated[bool, Parameter(name="--list", negative="")] = False,
) -> None:
    """Run a demo until it ends, or until Ctrl-C.

    Args:
        name: the demo; `--list` shows all names.
        host: the address on which the chat listens; by default 127.0.0.1.
        port: the port on which the chat listens; by default 4000; 0 for any free port.
        show: list the demos.
    """
    if show:
        print(_demos())
        return
    chosen = DEMOS.get(name)
    if chosen is None:
        raise SystemExit(f"there is no demo {name!r}; there are:\n{_demos()}")
    if chosen.serves:
        log_to_stderr("info")
        chosen.run(host or "127.0.0.1", DEFAULT.port if port is None else port)
        print("stopped")
    elif host is None and port is None:
        chosen.run()
    else:
        raise SystemExit(f"the demo {name!r} serves nothing: leave --host and --port out")


@app.command
def serve(
    target: str,
    *,
    host: str | None = None,
    port: Port | None = None,
    log_level: LogLevel = "info",
    stuck_after: Annotated[float, Parameter(validator=Number(gt=0))] = STUCK_AFTER,
    collector: Collector = "processes",
) -> None:
    """Serve an application or an endpoint until Ctrl-C or SIGTERM.

    Args:
        target: `module:name` of an Application or an Endpoint, such as `chat:endpoint` for the one in chat.py.
        host: the address to listen on; by default the endpoint's.
        port: the port to listen on; by default the endpoint's; 0 for any free port.
        stuck_after: seconds after which a process that lets nothing else run is logged; `inf` for never.
        log_level: the lowest level that is logged.
        collector: how the garbage collector is set: by phxactor, for many processes, or as Python sets it.
    """
    application = find_application(target)
    try:
        application.child_spec(host=host, port=port)
    except ValueError as error:
        raise SystemExit(str(error)) from None
    log_to_stderr(log_level)
    phxactor.run(application, host=host, port=port, stuck_after=stuck_after, collector=collector)
    print("stopped")


@app.command
def top(
    target: str = str(DEFAULT.port),
    *,
    interval: Annotated[float, Parameter(validator=Number(gt=0))] = 1.0,
    once: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Show the processes of a running program as a tree, until Ctrl-C.

    Args:
        target: a port of this machine, or a URL, on which the program has mounted `observer_routes()`.
        interval: seconds between two refreshes.
        once: show the processes once and end; also done if the output is no terminal.
    """
    watch(target, interval=interval, once=once or not sys.stdout.isatty())


def log_to_stderr(level: LogLevel) -> None:
    """Log to standard error with time and level.

    Until the endpoint listens, start errors are not logged: the program's last line says why it could not start.
    """
    logging.basicConfig(
        level=level.upper(),
        format="%(asctime)s %(levelname)-7s %(message)s",
        datefmt="%H:%M:%S",
        handlers=[NonBlockingHandler(logging.StreamHandler(sys.stderr))],
    )
    reports = logging.getLogger(start_error.name)
    reports.disabled = True

    def enable(_: Event, __: Mapping[str, object]) -> None:
        reports.disabled = False

    listening.attach(enable)


def _demos() -> str:
    width = max(map(len, DEMOS))
    return "\n".join(f"  {name.ljust(width)}  {one.summary}" for name, one in DEMOS.items())
