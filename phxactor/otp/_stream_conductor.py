"""The process between an `async_stream` and its tasks (T29): it starts and watches them, and reports their results."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias, final

import attrs

from phxactor.otp._call import forget
from phxactor.otp._results import Error, Ok
from phxactor.otp._task import Outcome, Task
from phxactor.otp._task_process import Function, Work
from phxactor.runtime import KILL, Answer, Down, Exit, Exited, From, Monitor, Pid, Reason, Ref, receive, trap_exit

Starter: TypeAlias = Callable[[Work], Awaitable[Task[object]]]


@attrs.frozen
class Options:
    """The options of all tasks of a stream."""

    function: Function[object]
    args: tuple[object, ...]
    start: Starter
    linked: bool
    """Whether the caller ends when a task fails, unless the caller traps exits."""
    timeout: float | None
    """Seconds that each task may take; None for no limit."""
    kill_late: bool
    """Whether a task that takes longer is killed; else the caller exits."""
    zip_input: bool


@attrs.frozen
class Input:
    """Caller to conductor: start a task for this input."""

    position: int
    value: object


@final
class Stop:
    """The type of `STOP`."""


STOP: Final = Stop()
"""Caller to conductor: kill the running tasks, and end."""


@attrs.frozen
class Finished:
    """Conductor to caller: the result of a task."""

    position: int
    outcome: Outcome[Any]


@attrs.frozen
class StartFailed:
    """Conductor to caller: a task could not be started."""

    error: Exception


@attrs.frozen
class TimedOut:
    """Conductor to caller: exit, since a task takes too long."""


@attrs.frozen(eq=False)
class Running:
    """A running task; `deadline` is in seconds of the runtime's clock."""

    input: Input
    task: Task[object]
    deadline: float


class Conductor:
    """The conductor of one stream."""

    def __init__(self, caller: Pid, options: Options) -> None:
        """Prepare the process; `run` is its body."""
        self.caller = caller
        self.options = options
        self.tell: From
        self.running: dict[Ref, Running] = {}
        """The running tasks in start order, which is the order of their deadlines."""
        self.timed_out = False

    async def run(self) -> None:
        """Serve the stream until it ends: the body of the process. The first message is the address for results."""
        trap_exit()
        first = await receive(lambda message: type(message) is Monitor)
        assert type(first) is Monitor  # noqa: S101 - for mypy
        self.tell = first
        while True:
            try:
                message = await receive(timeout=self.seconds_left())
            except TimeoutError:
                await self.late()
                continue
            if type(message) is Input:
                await self.start(message)
            elif type(message) is Answer:
                self.finish(message.ref, Ok(message.value))
            elif type(message) is Down:
                self.fail(message.ref, message.reason)
            elif type(message) is Exited and message.pid is self.caller:
                await self.kill_all()
                raise Exit(message.reason)
            elif message is STOP:
                await self.kill_all()
                return

    async def start(self, given: Input) -> None:
        """Start the task of an input."""
        options, caller = self.options, self.caller
        work = Work.of(caller, options.function, (given.value, *options.args))
        try:
            task = await options.start(work)
        except Exception as error:  # noqa: BLE001 - raised in the caller
            self.tell.reply(StartFailed(error))
            return
        deadline = math.inf if options.timeout is None else self.caller.runtime.now() + options.timeout
        self.running[task.ref] = Running(given, task, deadline)

    def finish(self, ref: Ref, outcome: Outcome[Any]) -> None:
        """Send the caller the result of a task, unless it has been sent already."""
        done = self.running.pop(ref, None)
        if done is None:
            return
        forget(done.task.owner, done.task.ref)
        if isinstance(outcome, Error) and self.options.zip_input:
            outcome = Error((done.input.value, outcome.reason))
        self.tell.reply(Finished(done.input.position, outcome))

    def fail(self, ref: Ref, reason: Reason) -> None:
        """Send the caller a failure; or end with its reason, which ends a linked caller (T25)."""
        if self.options.linked and ref in self.running and not self.caller.trapping:
            raise Exit(reason)
        self.finish(ref, Error(reason))

    def seconds_left(self) -> float | None:
        """Return the seconds that the oldest task may still take; None for no limit."""
        oldest = next(iter(self.running.values()), None)
        if oldest is None or oldest.deadline == math.inf or self.timed_out:
            return None
        return max(0.0, oldest.deadline - self.caller.runtime.now())

    async def late(self) -> None:
        """Kill a task that takes too long, or tell the caller to exit (T26)."""
        ref, oldest = next(iter(self.running.items()))
        if self.options.kill_late:
            await self.kill(oldest)
            self.finish(ref, Error("timeout"))
        else:
            self.timed_out = True
            self.tell.reply(TimedOut())

    async def kill_all(self) -> None:
        """Kill every task, and wait until all have ended."""
        for running in list(self.running.values()):
            if running.task.pid is not None:
                running.task.pid.exit(KILL)
        for running in list(self.running.values()):
            await self.kill(running)

    async def kill(self, running: Running) -> None:
        """Kill a task, and wait until it has ended."""
        await running.task.shutdown("brutal_kill")
