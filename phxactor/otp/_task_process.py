"""The process of a task: it runs one function, sends the value to its owner, and reports a failure (L6)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TypeAlias, TypeVar

import attrs

from phxactor.otp import events
from phxactor.otp._reports import crash_report
from phxactor.runtime import (
    Down,
    Exit,
    From,
    Pid,
    Reason,
    Shutdown,
    demonitor,
    exception_of,
    is_benign,
    monitor,
    reason_of_failure,
    receive,
    self_pid,
)

T = TypeVar("T")

Function: TypeAlias = "Callable[..., Awaitable[T] | T]"
"""The function of a task: an `async def`, or a function that returns the value."""


@attrs.define(eq=False)
class Work:
    """The function that a task runs, and the processes that it runs for; a supervised task gets it as a message."""

    function: Function[object]
    args: tuple[object, ...]
    owner: Pid
    """The process that started the task."""
    callers: tuple[Pid, ...]
    """The processes that asked for it: the owner, the process that asked for the owner, and so on (L10)."""
    answer: From | None = None
    """The return address for the value; set after the spawn, before the process first runs."""

    @classmethod
    def of(cls, owner: Pid, function: Function[object], args: tuple[object, ...]) -> Work:
        """Make the work for an owner."""
        return cls(function, args, owner, (owner, *owner.callers))

    def spawn(self, *, link: bool) -> Pid:
        """Start a process that does the work."""
        return self_pid().runtime.spawn(self.run, link=link, initial_call=name_of(self.function))

    async def run(self) -> None:
        """Run the function and send its value; report a failure, and raise `Exit`."""
        me = self_pid()
        me.callers = self.callers
        me.initial_call = name_of(self.function)
        try:
            value = self.function(*self.args)
            if isawaitable(value):
                value = await value
        except BaseException as error:
            if not me.alive:
                raise
            reason, _ = reason_of_failure(error)
            if not is_benign(reason):
                self.report(me, reason)
            raise Exit(reason) from None
        if self.answer is not None:
            self.answer.reply(value)

    def report(self, pid: Pid, reason: Reason) -> None:
        """Report an abnormal end by the task's own code."""
        if events.task_terminated.handlers:
            events.task_terminated.emit(
                pid=pid,
                name=pid.name,
                label=pid.label,
                owner=self.owner,
                callers=self.callers,
                function=name_of(self.function),
                args=self.args,
                reason=reason,
                exception=exception_of(reason),
            )
        crash_report(pid, reason, told=True)


async def wait_for_work(owner: Pid) -> None:
    """Wait for the work that the owner sends, and do it; end if the owner ends before that (T22)."""
    watch = monitor(owner)
    message = await receive(lambda m: type(m) is Work or (type(m) is Down and m.ref is watch))
    if type(message) is Down:
        raise Exit(Shutdown(message.reason))
    demonitor(watch, flush=True)
    if type(message) is Work:
        await message.run()


def name_of(function: Function[object]) -> str:
    """Return the name of a function, for humans."""
    return str(getattr(function, "__qualname__", function))
