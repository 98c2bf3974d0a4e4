"""The process of a resource: it enters a context, waits in it, and leaves it.

    started ── enter ──▶ loop: it is held ── the parent ends, or stop() ──▶ leave, without an exception ──▶ Exit(reason)
                               │ ── another exit signal ──▶ leave, cancelled, by Exit(reason) ──────▶ Exit(reason)
                               └── a task of the context has failed ──▶ trio cancels it ────────────▶ Exit(Crash(...))

Only the first may wait: the supervisor waits for it. After a crash, the others would otherwise look for a value that is
not there, and crash too, until the supervisor gives up.

The loop is that of a server, so `system` works on it. A message that is none of its own is reported, and dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from inspect import iscoroutine
from typing import ClassVar, Final

import attrs
import trio

from phxactor.otp._gen_server import GenServer
from phxactor.otp._interposing import own_handlers
from phxactor.otp._process import Handler, Outcome, ServerProcess
from phxactor.otp._reports import Status, crash_report
from phxactor.otp._results import Ok
from phxactor.runtime import NORMAL, Exit, Exited, Pid, Reason, State, is_atom, is_benign, reason_of_failure, self_pid

CLOSED: Final = "closed"
"""The exit reason of a resource whose context has ended by itself, without an exception."""


class Absent:
    """The type of `ABSENT`."""


ABSENT: Final = Absent()
"""Stands for the value of a process that holds none."""


class ResourceServer(GenServer):
    """The callbacks of a resource."""

    def __init__(self, function: Callable[..., AbstractAsyncContextManager[object]]) -> None:
        """Store the function that returns the context manager."""
        self.function = function
        self.kind = "not entered"
        """The type of the value, for reports."""

    def format_status(self, status: Status) -> Status:
        """Show the type of the value only, since its attributes may be secret."""
        return attrs.evolve(status, state=self.kind)

    def system_get_state(self) -> object:
        """Return the value itself."""
        return held_by(self_pid())

    def system_replace_state(self, state: object) -> None:
        """Raise TypeError: the context has made the value."""
        raise TypeError("the value of a resource cannot be replaced: restart its process instead")


class ResourceProcess(ServerProcess):
    """The life of a resource."""

    __slots__ = ("last", "scope")

    server: ResourceServer
    last: object
    """The message that the process took last, for the report of a failure."""
    scope: trio.CancelScope
    """The scope around the context."""

    async def run(self) -> None:
        """Hold the context: the body of the process."""
        self.pid = pid = self_pid()
        self.parent = pid.parent if pid.links and pid.parent in pid.links else pid
        self.last = None
        try:
            self.register()
            await self.hold(self.context())
        except BaseException as error:
            if pid.state is not State.ALIVE:
                raise
            reason, failure = reason_of_failure(error)
            if not is_benign(reason):
                if self.started is None:
                    self.report_end(reason, self.last, failure)
                else:
                    crash_report(pid, reason, told=False)
            raise Exit(reason) from None

    def context(self) -> AbstractAsyncContextManager[object]:
        """Call the function; raises TypeError if it returns no asynchronous context manager."""
        args, kwargs = self.args, self.kwargs
        self.args, self.kwargs = (), {}
        context: object = self.server.function(*args, **kwargs)
        if not isinstance(context, AbstractAsyncContextManager):
            if iscoroutine(context):
                context.close()
            raise TypeError(
                f"the function of the resource {self.name!r} returned a {type(context).__qualname__}, and no "
                "asynchronous context manager: is @asynccontextmanager missing?"
            )
        return context

    async def hold(self, context: AbstractAsyncContextManager[object]) -> None:
        """Enter the context, hold it until the process is to end, and leave it. Always raises."""
        pid = self.pid
        reason: Reason = CLOSED
        with trio.CancelScope() as self.scope:
            async with context as value:
                pid.trapping = True
                pid.dictionary = {**(pid.dictionary or {}), ResourceProcess: value}
                self.server.kind = type(value).__qualname__
                del value
                if self.started is not None:
                    self.started.reply(Ok(pid))
                    self.started = None
                try:
                    await self.loop(None)
                except Exit as error:
                    reason = error.reason
                    if pid.state is not State.ALIVE or self.scope.cancel_called or not is_benign(reason):
                        raise
                finally:
                    if pid.dictionary is not None:
                        del pid.dictionary[ResourceProcess]
        raise Exit(reason)

    async def on_exited(self, message: Exited) -> Outcome:
        """End with the parent, in order unless it has crashed; end at once by the exit signal of another process."""
        if message.pid is not self.parent:
            if is_atom(message.reason, NORMAL):
                return None
            self.scope.cancel()
        elif not is_benign(message.reason):
            self.scope.cancel()
        raise Exit(message.reason)

    async def end(self, error: BaseException, message: object) -> None:
        """Leave the loop, and so the context; `run` reports the end once the context has been left."""
        self.last = message
        try:
            raise error
        finally:
            del error  # the traceback keeps this frame

    handlers: ClassVar[dict[type | None, Handler]] = {**own_handlers(ServerProcess), Exited: on_exited}


def held_by(pid: Pid) -> object:
    """Return the value that a process holds, or `ABSENT`."""
    return ABSENT if pid.dictionary is None else pid.dictionary.get(ResourceProcess, ABSENT)
