"""`phxactor top`."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from phxactor.net import DEFAULT
from phxactor.observer import watch


def top(
    target: str = str(DEFAULT.port),
    *,
    interval: Annotated[float, Parameter(validator=Number(gt=0))] = 1.0,
    once: Annotated[bool, Parameter(negative="")] = False,
    token: Annotated[str | None, Parameter(env_var="PHXACTOR_OBSERVER_TOKEN")] = None,
) -> None:
    """Show the processes of a running program as a tree, until Ctrl-C.

    Args:
        target: a port of this machine, or a URL, on which the program has mounted `observer_routes()`.
        interval: seconds between two refreshes.
        once: show the processes once and end; also done if the output is no terminal.
        token: the token that the program asks for.
    """
    watch(target, interval=interval, once=once or not sys.stdout.isatty(), token=token)
