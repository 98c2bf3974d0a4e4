"""Watches the files of a program in development, and asks for a reload when one changes (`--reload`)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from phxactor.otp import ChildSpec, Ok
from phxactor.runtime import Pid, own, receive, self_pid, send
from phxactor.workers._plan import Reload

if TYPE_CHECKING:
    from watchfiles import Change

NAMED: Final = 3
"""Changed files that the log names."""
SUFFIXES: Final = (".py", ".env")
"""The ends of names of files that count. Virtual environments, caches and hidden folders do not."""
MISSING: Final = "--reload needs watchfiles: pip install phxactor[reload]"


def check_watchfiles() -> None:
    """Raise SystemExit if the library is not installed."""
    try:
        import watchfiles  # noqa: F401, PLC0415 - an optional extra
    except ImportError:
        raise SystemExit(MISSING) from None


def watcher_spec(folders: Sequence[Path], parent: str) -> ChildSpec:
    """Return the child spec of the watcher: it sends `Reload` to the process registered as `parent`."""
    return ChildSpec(id="files", start=(_start, (folders, parent), {}))


def _start(folders: Sequence[Path], parent: str) -> Ok[Pid]:
    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # the reload has a line of its own
    stop = threading.Event()
    token = trio.lowlevel.current_trio_token()
    pid = self_pid().runtime.spawn(_tell, parent, link=True, initial_call="Files")

    def watch() -> None:
        """Run the thread."""
        from watchfiles import DefaultFilter, watch  # noqa: PLC0415 - an optional extra

        class Filter(DefaultFilter):
            def __call__(self, change: Change, path: str) -> bool:
                return path.endswith(SUFFIXES) and super().__call__(change, path)

        for changes in watch(*folders, watch_filter=Filter(), stop_event=stop, raise_interrupt=False):
            names = sorted({Path(path).name for _, path in changes})
            token.run_sync_soon(pid.send, ", ".join(names[:NAMED]) + (" and others" if len(names) > NAMED else ""))

    thread = threading.Thread(target=watch, name="phxactor files", daemon=True)
    thread.start()
    own(pid, lambda _: stop.set())
    return Ok(pid)


async def _tell(parent: str) -> None:
    """Run the process: a message for each change."""
    while True:
        send(parent, Reload(f"{await receive()} changed"))
