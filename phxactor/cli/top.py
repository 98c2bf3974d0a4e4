"""`phxactor top`."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from phxactor.net import DEFAULT
from phxactor.terminal import watch


def top(
    target: str = str(DEFAULT.port),
    *,
    once: Annotated[bool, Parameter(negative="")] = False,
    token: Annotated[str | None, Parameter(env_var="PHXACTOR_OBSERVER_TOKEN")] = None,
) -> None:
    """Show the processes of a running program as a tree, once a second, with keys for the rest; q ends it.

    This needs textual: `pip install phxactor[top]`.

    Args:
        target: a port of this machine, or a URL, on which the program has mounted `observer_routes()`.
        once: print the processes once and end; also done if the output is no terminal. This needs nothing.
        token: the token that the program asks for.
    """
    watch(target, once=once or not sys.stdout.isatty(), token=token)
