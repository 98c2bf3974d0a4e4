"""The exceptions of the runtime: `Exit`, which ends a process, and the errors of wrong calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phxactor.runtime._reasons import Reason, format_reason
from phxactor.runtime._state import DEAD

if TYPE_CHECKING:
    from phxactor.runtime._pid import Pid


class Exit(BaseException):
    """Ends the process that raises it, with exactly `reason` (P4).

    Not an `Exception`, so that `except Exception` lets it pass; it may be caught like any other (P6).
    """

    def __init__(self, reason: Reason) -> None:
        """Keep the reason."""
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        """Show the reason as Elixir would."""
        return format_reason(self.reason)


class NoProcessError(LookupError):
    """The process is gone, or the name is not registered (X13, NM3)."""


class NameTakenError(ValueError):
    """A name cannot be registered: it or the process already has an owner, or the process is gone (NM1)."""


class NotLocalError(ValueError):
    """A process of another node was given, or asked, where only a process of this node can be (ND5, ND6)."""


class NotAProcessError(RuntimeError):
    """The call needs a current process and this task has none, or the runtime has ended and starts no process."""


class WrongThreadError(NotAProcessError):
    """The call is for a process of another thread. The call has changed nothing.

    A process belongs to the thread in which its runtime runs, and can act only there. A thread of `trio.to_thread`
    has a copy of the context of the process that waits for the thread, but it is not that process (TM34).
    """


def wrong_thread(whose: object) -> WrongThreadError:
    """Make the error, which names the right way to call; `whose` is the object that belongs to another thread."""
    return WrongThreadError(
        f"{whose!r} belongs to another thread: make the call by phxactor.from_thread, such as "
        "from_thread.send(pid, message), from_thread.call(server, request) or from_thread.run_sync(function, ...)"
    )


def not_here(pid: Pid) -> WrongThreadError:
    """Make the error for a caller that acts on a process from another thread."""
    if pid.runtime.main.state is DEAD:
        return WrongThreadError(f"{pid!r} is gone: its runtime, which ran in another thread, has ended")
    return wrong_thread(pid)
