"""The command line: `phxactor demo` and `top`; the others are in modules of their own."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

import phxactor
from phxactor import Exit
from phxactor.cli import env_file, tokens
from phxactor.cli.broadcast import broadcast
from phxactor.cli.logs import log_to_stderr, say_stopped
from phxactor.cli.new import new
from phxactor.cli.serve import Port, serve
from phxactor.cli.workers import workers
from phxactor.cluster.carriers.workers import this_worker
from phxactor.demos import DEMOS
from phxactor.net import DEFAULT
from phxactor.observer import watch

app = App(
    name="phxactor",
    version=phxactor.__version__,
    help="Phoenix Sockets and Channels for Python, on supervised trio processes.",
)
app.command(new)
app.command(serve)
app.command(workers)
app.command(broadcast)
app.command(tokens.app)


def main() -> None:
    """Run the command line."""
    env_file.load_named(sys.argv[1:])
    try:
        app(sys.argv[1:])
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
        host: the address on which `chat` or `cluster` listens; by default 127.0.0.1.
        port: the port on which `chat` or `cluster` listens; by default 4000; 0 for any free port.
        show: list the demos.
    """
    if show:
        print(_demos())
        return
    chosen = DEMOS.get(name)
    if chosen is None:
        raise SystemExit(f"there is no demo {name!r}; there are:\n{_demos()}")
    if chosen.serves:
        log_to_stderr("info", this_worker())
        chosen.run(host or "127.0.0.1", DEFAULT.port if port is None else port)
        say_stopped()
    elif host is None and port is None:
        chosen.run()
    else:
        raise SystemExit(f"the demo {name!r} serves nothing: leave --host and --port out")


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


def _demos() -> str:
    width = max(map(len, DEMOS))
    return "\n".join(f"  {name.ljust(width)}  {one.summary}" for name, one in DEMOS.items())
