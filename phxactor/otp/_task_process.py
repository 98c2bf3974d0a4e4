"""The process of a task: it runs one function, hands the value to who wants it, and reports a failure (L6)."""

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
"""What a task runs: an `async def`, or a function that answers at once."""


@attrs.define(eq=False)
class Work:
    """What a task has to do, and for whom; as a message it hands that over to a supervised task."""

    function: Function[object]
    args: tuple[object, ...]
    owner: Pid
    """Who started it."""
    callers: tuple[Pid, ...]
    """Who asked for it, who asked for that, and so on (L10)."""
    answer: From | None = None
    """What takes the value; whoever spawns the process has time to enter it, as it does not run at once."""

    @classmethod
    def of(cls, owner: Pid, function: Function[object], args: tuple[object, ...]) -> Work:
        """Make the work that a process asks for."""
        return cls(function, args, owner, (owner, *owner.callers))

    def spawn(self, *, link: bool) -> Pid:
        """Start the process that does it."""
        return self_pid().runtime.spawn(self.run, link=link, initial_call=name_of(self.function))

    async def run(self) -> None:
        """Do it; an abnormal end is reported, and is the end of the process."""
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
        """Tell of an abnormal end by the task's own code."""
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
    """Be a supervised task: do what the owner hands over, or end with an owner that ends before that (T22)."""
    watch = monitor(owner)
    message = await receive(lambda m: type(m) is Work or (type(m) is Down and m.ref is watch))
    if type(message) is Down:
        raise Exit(Shutdown(message.reason))
    demonitor(watch, flush=True)
    if type(message) is Work:
        await message.run()


def name_of(function: Function[object]) -> str:
    """Name a function, for humans."""
    return str(getattr(function, "__qualname__", function))
