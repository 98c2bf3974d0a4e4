"""`phxactor observe`: opens the page of a running program in the browser."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from phxactor.cli.output import say
from phxactor.net import DEFAULT
from phxactor.observer import open_page


def observe(
    target: str = str(DEFAULT.port),
    *,
    token: Annotated[str | None, Parameter(env_var="PHXACTOR_OBSERVER_TOKEN")] = None,
) -> None:
    """Open the observer's page of a running program in the browser; where there is none, print its address.

    Args:
        target: a port of this machine, or a URL, on which the program has mounted `observer_routes()`.
        token: the token that the program asks for. It goes behind the `#` of the address, which is never sent.
    """
    say(open_page(target, token))
