"""`phxactor top`: the list of processes with keys in a terminal, and as text elsewhere."""

from __future__ import annotations

import shutil
import sys
from typing import Final

from phxactor.observer import Unreachable, locate
from phxactor.terminal._link import Link
from phxactor.terminal._once import fetch, picture

MISSING: Final = "phxactor top needs textual for its keys: pip install phxactor[top] (without it: phxactor top --once)"
FULL: Final = "the observer at {url} lets nobody else in: 32 pages and terminals look already"


def watch(target: str, *, once: bool, token: str | None = None) -> None:
    """Show the processes of another program until q, or print them once.

    If the program ends meanwhile, its last picture stays, with a line that says so, until the program answers again.

    Raises SystemExit with the reason if the program cannot be read, or if textual is not installed.
    """
    try:
        url = locate(target)
        if once:
            sys.stdout.write(picture(url, token, shutil.get_terminal_size((100, 0)).columns))
            return
        try:
            from phxactor.terminal._app import Top  # noqa: PLC0415 - an optional extra
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] != "textual":
                raise
            raise SystemExit(MISSING) from None
        link = Link(url, token)
        try:
            link.start()
        except Unreachable:
            fetch(url, token)  # which knows more of why
            raise Unreachable(FULL.format(url=url.geturl())) from None
    except Unreachable as error:
        raise SystemExit(str(error)) from None
    try:
        why = Top(link, url.netloc).run()
    finally:
        link.stop()
    if why:
        raise SystemExit(why)
