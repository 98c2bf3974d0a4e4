"""The process between an `async_stream` and its tasks (T29): starts them, watches them, and tells what they come to."""

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
    """What holds for all tasks of a stream."""

    function: Function[object]
    args: tuple[object, ...]
    start: Starter
    linked: bool
    """Whether the caller ends with a task that fails, unless it traps exits."""
    timeout: float | None
    """Seconds for each task."""
    kill_late: bool
    """Whether a task that takes longer is killed, instead of the caller being told to exit."""
    zip_input: bool


@attrs.frozen
class Input:
    """Caller to conductor: start a task."""

    position: int
    value: object


@final
class Stop:
    """The type of `STOP`."""


STOP: Final = Stop()
"""Caller to conductor: kill what runs, and end."""


@attrs.frozen
class Finished:
    """Conductor to caller: what a task came to."""

    position: int
    outcome: Outcome[Any]


@attrs.frozen
class StartFailed:
    """Conductor to caller: a task could not be started."""

    error: Exception


@attrs.frozen
class TimedOut:
    """Conductor to caller: exit, as a task takes too long."""


@attrs.frozen(eq=False)
class Running:
    """A task that runs."""

    input: Input
    task: Task[object]
    deadline: float


class Conductor:
    """One stream's."""

    def __init__(self, caller: Pid, options: Options) -> None:
        """Prepare; `run` is the body of the process."""
        self.caller = caller
        self.options = options
        self.tell: From
        self.running: dict[Ref, Running] = {}
        """In start order, which is that of their deadlines."""
        self.timed_out = False

    async def run(self) -> None:
        """Be the process. The first message is the address for results."""
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
        except Exception as error:  # noqa: BLE001 - the caller gets it
            self.tell.reply(StartFailed(error))
            return
        deadline = math.inf if options.timeout is None else self.caller.runtime.now() + options.timeout
        self.running[task.ref] = Running(given, task, deadline)

    def finish(self, ref: Ref, outcome: Outcome[Any]) -> None:
        """Tell the caller what a task came to, the first time that it is known."""
        done = self.running.pop(ref, None)
        if done is None:
            return
        forget(done.task.owner, done.task.ref)
        if isinstance(outcome, Error) and self.options.zip_input:
            outcome = Error((done.input.value, outcome.reason))
        self.tell.reply(Finished(done.input.position, outcome))

    def fail(self, ref: Ref, reason: Reason) -> None:
        """Tell of a failure, or end with it and so end the caller (T25)."""
        if self.options.linked and ref in self.running and not self.caller.trapping:
            raise Exit(reason)
        self.finish(ref, Error(reason))

    def seconds_left(self) -> float | None:
        """Return how long the oldest task may still take; None for any time."""
        oldest = next(iter(self.running.values()), None)
        if oldest is None or oldest.deadline == math.inf or self.timed_out:
            return None
        return max(0.0, oldest.deadline - self.caller.runtime.now())

    async def late(self) -> None:
        """Do what is to be done about a task that takes too long (T26)."""
        ref, oldest = next(iter(self.running.items()))
        if self.options.kill_late:
            await self.kill(oldest)
            self.finish(ref, Error("timeout"))
        else:
            self.timed_out = True
            self.tell.reply(TimedOut())

    async def kill_all(self) -> None:
        """Kill every task, and wait until they are gone."""
        for running in list(self.running.values()):
            if running.task.pid is not None:
                running.task.pid.exit(KILL)
        for running in list(self.running.values()):
            await self.kill(running)

    async def kill(self, running: Running) -> None:
        """Kill a task, and wait until it is gone."""
        await running.task.shutdown("brutal_kill")
