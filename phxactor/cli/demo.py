"""`phxactor demo`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from phxactor.cli.logs import log_to_stderr, say_stopped
from phxactor.cli.output import say
from phxactor.cli.serve import Port
from phxactor.cluster.carriers.workers import this_worker
from phxactor.demos import DEMOS
from phxactor.demos.story import Page
from phxactor.net import DEFAULT


def demo(
    name: str = "chat",
    *,
    host: str | None = None,
    port: Port | None = None,
    page: Annotated[bool, Parameter(negative="")] = False,
    show: Annotated[bool, Parameter(name="--list", negative="")] = False,
) -> None:
    """Run a demo until it ends, or until Ctrl-C.

    Args:
        name: the demo; `--list` shows all names.
        host: the address on which `chat`, `cluster` or `rooms` listens; by default 127.0.0.1.
        port: the port on which `chat`, `cluster` or `rooms` listens; by default 4000; 0 for any free port.
        page: show the processes of the demo in the observer's page, and open it. Those that end stay for it.
        show: list the demos.
    """
    if show:
        say(_demos())
        return
    chosen = DEMOS.get(name)
    if chosen is None:
        raise SystemExit(f"there is no demo {name!r}; there are:\n{_demos()}")
    where = host or "127.0.0.1", DEFAULT.port if port is None else port
    if chosen.serves:
        log_to_stderr("info", this_worker())
        chosen.run(*where, page=page)
        say_stopped()
    elif page:
        chosen.run(Page(*where))
    elif host is None and port is None:
        chosen.run()
    else:
        raise SystemExit(f"the demo {name!r} serves nothing: leave --host and --port out, or add --page")


def _demos() -> str:
    width = max(map(len, DEMOS))
    return "\n".join(f"  {name.ljust(width)}  {one.summary}" for name, one in DEMOS.items())
