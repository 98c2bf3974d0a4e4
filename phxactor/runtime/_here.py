"""Finds the runtime of the calling code. Code outside of processes has one if its trio run has exactly one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, Final

from trio.lowlevel import RunVar

from phxactor.runtime._errors import NotAProcessError, not_here, wrong_thread
from phxactor.runtime._pid import current

if TYPE_CHECKING:
    from phxactor.runtime._runtime import Runtime

_open: Final[RunVar[tuple[Runtime, ...]]] = RunVar("phxactor.runtimes", ())
"""The runtimes that are open in this trio run."""
_everywhere: Final[dict[Runtime, None]] = {}
"""The open runtimes of all threads, for the error that names one of another thread."""


@contextmanager
def opened(runtime: Runtime) -> Iterator[None]:
    """Make a runtime known to `current_runtime` during the block."""
    _open.set((*_open.get(), runtime))
    _everywhere[runtime] = None
    try:
        yield
    finally:
        del _everywhere[runtime]
        _open.set(tuple(one for one in _open.get() if one is not runtime))


def current_runtime(*, look_only: bool = False) -> Runtime:
    """Return the runtime of the current process, or outside of processes the only runtime of this trio run.

    Raises NotAProcessError if there is no runtime, or if there are several outside of a process. Raises
    WrongThreadError in another thread; but with `look_only` a thread of `trio.to_thread`, which has a copy of a
    process's context, gets that process's runtime, to read from it.
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
        raise NotAProcessError(f"{len(found)} runtimes are open here: make the call in a process of one of them")
    for runtime in list(_everywhere):
        raise wrong_thread(runtime)
    raise NotAProcessError(
        "no runtime is open here: use phxactor.run(...) or phxactor.open_runtime(); from another thread use "
        "phxactor.from_thread"
    )


def hosted_runtime() -> Runtime | None:
    """Return the runtime that asyncio's loop hosts in this thread, for code of asyncio; None if there is none."""
    try:
        found = _open.get()
    except RuntimeError:  # no trio in this thread
        return None
    return found[0] if len(found) == 1 and found[0].hosted else None


def runtime_of_thread(given: Runtime | None) -> Runtime:
    """Return the runtime that a call from another thread is for, by default that of the thread's context.

    A thread without a context of a process gets the only open runtime of the program. Raises NotAProcessError if there
    is none or if there are several, TypeError if `given` is no runtime.
    """
    if given is not None:
        if not hasattr(given, "processes"):
            raise TypeError(f"runtime must be a Runtime, such as self_pid().runtime, not {given!r:.200}")
        return given
    pid = current.get(None)
    if pid is not None:
        return pid.runtime
    found = list(_everywhere)
    if len(found) == 1:
        return found[0]
    if found:
        raise NotAProcessError(
            f"{len(found)} runtimes are open: say which one is meant, by runtime=..., which a process knows as "
            "self_pid().runtime"
        )
    raise NotAProcessError(
        "no runtime is open: use phxactor.run(...) or phxactor.open_runtime() in another thread first"
    )
