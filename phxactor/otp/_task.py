"""Task: runs one function in its own process, and returns its value later (docs/otp-semantics.md, section 10).

    task = Task.async_(fetch, url)
    ...
    page = await task.await_(timeout=10)

The task is linked to its owner: if one of them fails, so does the other. `TaskSupervisor` starts tasks that may fail.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Generator, Iterable
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar, cast, overload

import attrs

from phxactor.otp._call import CALL_TIMEOUT, checked_timeout, forget
from phxactor.otp._called import Called
from phxactor.otp._child_spec import BRUTAL_KILL, ChildSpec
from phxactor.otp._results import Error, Ok
from phxactor.otp._task_process import Function, Work
from phxactor.runtime import (
    KILL,
    KILLED,
    NOPROC,
    SHUTDOWN,
    Answer,
    Down,
    Exit,
    Monitor,
    Pid,
    Ref,
    add_monitor,
    is_atom,
    ref_of,
    self_pid,
    unlink,
)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Outcome: TypeAlias = "Ok[T_co] | Error"
"""The result of a task: `Ok(value)`, or `Error(reason)` if it ended without a value."""
OnTimeout: TypeAlias = Literal["nothing", "ignore", "kill_task"]

SHUTDOWN_TIMEOUT: Final = 5.0
"""Seconds that a task has to end by default when it is told to (T9)."""


@attrs.frozen(eq=False)
class Task(Generic[T_co]):
    """The owner's handle of a task, typed by its value.

    If the owner does not await the task, it gets `Answer(ref, value)` and `Down(ref, ...)` as messages (T1). Only the
    owner may wait for the task; in other processes this raises ValueError (T7).
    """

    pid: Pid | None
    """The process of the task; None for a task that `completed` made."""
    ref: Monitor
    owner: Pid

    # ------------------------------------------------------------------------------------------- starting

    @overload
    @staticmethod
    def async_(function: Callable[..., Awaitable[T]], *args: object) -> Task[T]: ...
    @overload
    @staticmethod
    def async_(function: Callable[..., T], *args: object) -> Task[T]: ...
    @staticmethod
    def async_(function: Function[T], *args: object) -> Task[T]:
        """Run `function(*args)` in a new process that this process is linked to and monitors (T1)."""
        return cast("Task[T]", Task.for_work(Work.of(self_pid(), function, args)))

    @staticmethod
    def for_work(work: Work) -> Task[Any]:
        """Start a task for work that another process may have asked for."""
        me, pid = self_pid(), work.spawn(link=True)
        ref = work.answer = add_monitor(me, pid)
        return Task(pid, ref, me)

    @staticmethod
    def completed(value: T) -> Task[T]:
        """Make a task without a process, which has its value already (T16)."""
        me = self_pid()
        ref = Monitor(me, None)
        ref.reply(value)
        return Task(None, ref, me)

    @staticmethod
    def start(function: Function[object], *args: object) -> Ok[Pid]:
        """Run `function(*args)` in a new process; its value is dropped (T17)."""
        return Ok(Work.of(self_pid(), function, args).spawn(link=False))

    @staticmethod
    def start_link(function: Function[object], *args: object) -> Ok[Pid]:
        """Run `function(*args)` in a new process linked to this one; its value is dropped (T17)."""
        return Ok(Work.of(self_pid(), function, args).spawn(link=True))

    @staticmethod
    def child_spec(function: Function[object], *args: object) -> ChildSpec:
        """Make the child specification: unlike that of other behaviours it is temporary (T18)."""
        return ChildSpec(id="Task", start=(Task.start_link, (function, *args), {}), restart="temporary")

    # -------------------------------------------------------------------------------------------- waiting

    async def await_(self, timeout: float | None = CALL_TIMEOUT) -> T_co:
        """Wait for the value, for `timeout` seconds, or with None for ever (T2).

        Raises `Exit((reason, Called(...)))` if the task ends without a value, with its exit reason. If the task takes
        too long, the reason is `"timeout"`, the task goes on, and its value is dropped (T6).
        """
        me = self.mine()
        try:
            message = await me.receive_ref(self.ref, 0, _limit(timeout))
        except TimeoutError:
            forget(me, self.ref)
            raise Exit(("timeout", Called("Task.await_", self.pid, None, timeout))) from None
        outcome = self.outcome(message)
        if isinstance(outcome, Error):
            raise Exit((outcome.reason, Called("Task.await_", self.pid, None, timeout)))
        return outcome.value

    def __await__(self) -> Generator[Any, Any, T_co]:
        """Do as `await_` with its default timeout."""
        return self.await_().__await__()

    async def yield_(self, timeout: float | None = CALL_TIMEOUT) -> Outcome[T_co] | None:
        """Wait `timeout` seconds for the result; return None if it takes longer. It may be called again then (T8)."""
        me = self.mine()
        try:
            return self.outcome(await me.receive_ref(self.ref, 0, _limit(timeout)))
        except TimeoutError:
            return None

    async def shutdown(self, timeout: float | Literal["brutal_kill"] | None = SHUTDOWN_TIMEOUT) -> Outcome[T_co] | None:
        """Tell the task to end, and wait for its end; kill it after `timeout` seconds, or at once (T9, T10).

        Returns None if the task ended as told, `Ok(value)` if it had sent its value already, else `Error(reason)`.
        Raises ValueError for a task that `completed` made, which has no process (T16).
        """
        me, pid = self.mine(), self._process()
        brutal = timeout == BRUTAL_KILL
        limit = None if isinstance(timeout, str) else _limit(timeout)
        gone: object = NOPROC
        unlink(pid)
        seen = len(me.mailbox)
        watch = add_monitor(me, pid)
        pid.exit(KILL if brutal else SHUTDOWN)
        try:
            try:
                down = await me.receive_ref(watch, seen, limit)
            except TimeoutError:
                pid.exit(KILL)
                down = await me.receive_ref(watch, seen, None)
            gone = down.reason if type(down) is Down else NOPROC
        finally:
            forget(me, watch)
        message = self._waiting()
        forget(me, self.ref)
        if type(message) is Answer:
            return Ok(message.value)
        reason = message.reason if type(message) is Down else gone
        return None if is_atom(reason, KILLED if brutal else SHUTDOWN) else Error(reason)

    def ignore(self) -> Outcome[T_co] | None:
        """Let the task go on, without its owner; return the result if it has come already, else None (T12).

        Raises ValueError for a task that `completed` made, which has no process (T16).
        """
        me, pid = self.mine(), self._process()
        message = self._waiting()
        unlink(pid)
        forget(me, self.ref)
        return None if message is None else self.outcome(message)

    # ---------------------------------------------------------------------------------------- many of them

    @staticmethod
    async def await_many(tasks: Iterable[Task[T]], timeout: float | None = CALL_TIMEOUT) -> list[T]:
        """Return the values of all tasks, in the order of the tasks (T14); raises as `await_`, at the first failure."""
        wanted = _all_mine(tasks)
        failure: object = "timeout"
        try:
            outcomes, late = await _wait_for_all(wanted, timeout, until_error=True)
        finally:
            for task in wanted:
                forget(task.owner, task.ref)
        for outcome in outcomes.values():
            if isinstance(outcome, Error):
                failure, late = outcome.reason, True
        if late:
            raise Exit((failure, Called("Task.await_many", [task.pid for task in wanted], None, timeout)))
        return [outcomes[task].unwrap() for task in wanted]

    @staticmethod
    async def yield_many(
        tasks: Iterable[Task[T]], timeout: float | None = CALL_TIMEOUT, *, on_timeout: OnTimeout = "nothing"
    ) -> list[tuple[Task[T], Outcome[T] | None]]:
        """Wait for all tasks, and return the result of each, None for tasks that take too long (T15).

        `on_timeout` says what happens to these: with `"nothing"` they go on and this may be called again, with
        `"ignore"` they go on without their owner, with `"kill_task"` they are killed.
        """
        wanted = _all_mine(tasks)
        outcomes, _ = await _wait_for_all(wanted, timeout, until_error=False)
        results: list[tuple[Task[T], Outcome[T] | None]] = []
        for task in wanted:
            outcome: Outcome[T] | None = outcomes.get(task)
            if outcome is None and on_timeout == "ignore":
                outcome = task.ignore()
            elif outcome is None and on_timeout == "kill_task":
                outcome = await task.shutdown(BRUTAL_KILL)
            results.append((task, outcome))
        return results

    # ----------------------------------------------------------------------------------------------- inner

    def mine(self) -> Pid:
        """Return the owner; raises ValueError in any other process (T7)."""
        me = self_pid()
        if me is not self.owner:
            raise ValueError(f"the task {self.pid!r} belongs to {self.owner!r}: {me!r} cannot wait for it")
        return me

    def _process(self) -> Pid:
        if self.pid is None:
            raise ValueError(f"{self!r} has no process to end or ignore: Task.completed made it")
        return self.pid

    def _waiting(self) -> object:
        """Find the message that the task has sent already, or None."""
        return next((message for message in self.owner.mailbox if ref_of(message) is self.ref), None)

    def outcome(self, message: object) -> Outcome[T_co]:
        """Turn a message of the task into its result, and remove its other messages from the mailbox."""
        if type(message) is Answer:
            forget(self.owner, self.ref)
            return Ok(message.value)
        return Error(message.reason if type(message) is Down else NOPROC)


async def _wait_for_all(
    tasks: list[Task[T]], timeout: float | None, *, until_error: bool
) -> tuple[dict[Task[T], Outcome[T]], bool]:
    """Collect the results of tasks, up to the first failure if `until_error`; also return whether time ran out."""
    limit, me = _limit(timeout), self_pid()
    outcomes: dict[Task[T], Outcome[T]] = {}
    left: dict[Ref | None, Task[T]] = {task.ref: task for task in tasks}
    deadline = None if limit is None else me.runtime.now() + limit
    while left:
        seconds = None if deadline is None else max(0.0, deadline - me.runtime.now())
        try:
            message = await me.receive_refs(left, 0, seconds)
        except TimeoutError:
            return outcomes, True
        task = left.pop(ref_of(message))
        outcomes[task] = task.outcome(message)
        if until_error and isinstance(outcomes[task], Error):
            break
    return outcomes, False


def _all_mine(tasks: Iterable[Task[T]]) -> list[Task[T]]:
    wanted = list(tasks)
    for task in wanted:
        task.mine()
    return wanted


def _limit(timeout: float | None) -> float | None:
    checked_timeout(timeout)
    return None if timeout == math.inf else timeout
