"""Which runtime code runs in. Code that is no process has one too, if its trio program has just one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, Final

from trio.lowlevel import RunVar

from phxactor.runtime.errors import NotAProcessError, not_here, wrong_thread
from phxactor.runtime.pid import current

if TYPE_CHECKING:
    from phxactor.runtime.runtime import Runtime

_open: Final[RunVar[tuple[Runtime, ...]]] = RunVar("phxactor.runtimes", ())
"""The runtimes that are open in a trio program."""
_everywhere: Final[dict[Runtime, None]] = {}
"""Those of all threads, for the error that says so."""


@contextmanager
def opened(runtime: Runtime) -> Iterator[None]:
    """Let a runtime be found as long as the block lasts."""
    _open.set((*_open.get(), runtime))
    _everywhere[runtime] = None
    try:
        yield
    finally:
        del _everywhere[runtime]
        _open.set(tuple(one for one in _open.get() if one is not runtime))


def current_runtime(*, look_only: bool = False) -> Runtime:
    """Return the runtime of the current process; where there is no process, the only runtime of this trio program.

    Raises NotAProcessError where there is none, and outside of a process where there are several; WrongThreadError in
    another thread. A thread of `trio.to_thread`, which has the context of a process, may look only.
    """
    pid = current.get(None)
    if pid is not None:
        if get_ident() != pid.thread and not look_only:
            raise not_here(pid)
        return pid.runtime
    try:
        found = _open.get()
    except RuntimeError:  # not within trio
        found = ()
    if len(found) == 1:
        return found[0]
    if found:
        raise NotAProcessError(f"{len(found)} runtimes are open here: do this in a process of one of them")
    for runtime in list(_everywhere):
        raise wrong_thread(runtime)
    raise NotAProcessError(
        "no runtime is open here: use phxactor.run(...) or phxactor.open_runtime(); another thread has it done by "
        "runtime.run_soon(function)"
    )
