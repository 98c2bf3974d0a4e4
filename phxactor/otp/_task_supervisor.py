"""TaskSupervisor: a DynamicSupervisor for tasks, whose owners may survive their failures.

await TaskSupervisor.start_link(name="fetchers")
task = await TaskSupervisor.async_nolink("fetchers", fetch, url)
match await task.yield_(10):
    case Ok(page): ...
    case Error(reason): ...
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, Literal, TypeVar, cast, overload

from phxactor.otp._async_stream import TaskStream, stream
from phxactor.otp._call import CALL_TIMEOUT, Server
from phxactor.otp._child_spec import ChildSpec, Restart, Started
from phxactor.otp._dynamic_supervisor import DynamicSupervisor
from phxactor.otp._results import IGNORE, Error, Ignore, Ok
from phxactor.otp._task import SHUTDOWN_TIMEOUT, Task
from phxactor.otp._task_process import Function, Work, wait_for_work
from phxactor.runtime import KILL, NoProcessError, Pid, add_link, add_monitor, of_this_thread, self_pid

T = TypeVar("T")


class TaskSupervisor(DynamicSupervisor):
    """Supervises tasks; it is started like a DynamicSupervisor (T19)."""

    @staticmethod
    async def start_child(  # type: ignore[override]
        supervisor: Server,
        function: Function[object],
        *args: object,
        restart: Restart = "temporary",
        shutdown: float | Literal["brutal_kill"] = SHUTDOWN_TIMEOUT,
    ) -> Started:
        """Run `function(*args)` as a child; its value is dropped. Returns `Error("max_children")` at the limit (T23).

        A task that is not temporary is restarted as `restart` says, with the same arguments. `shutdown` is in seconds.
        """
        work = Work.of(self_pid(), function, args)
        spec = ChildSpec(id="Task", start=(_start, (work,), {}), restart=restart, shutdown=shutdown)
        return await DynamicSupervisor.start_child(supervisor, spec)

    @overload
    @staticmethod
    async def async_(
        supervisor: Server,
        function: Callable[..., Awaitable[T]],
        *args: object,
        shutdown: float | Literal["brutal_kill"] = SHUTDOWN_TIMEOUT,
    ) -> Task[T]: ...
    @overload
    @staticmethod
    async def async_(
        supervisor: Server,
        function: Callable[..., T],
        *args: object,
        shutdown: float | Literal["brutal_kill"] = SHUTDOWN_TIMEOUT,
    ) -> Task[T]: ...
    @staticmethod
    async def async_(
        supervisor: Server,
        function: Function[T],
        *args: object,
        shutdown: float | Literal["brutal_kill"] = SHUTDOWN_TIMEOUT,
    ) -> Task[T]:
        """Start a task linked to the supervisor and to this process (T20); raises RuntimeError if it cannot start."""
        return cast(
            "Task[T]", await start_task(supervisor, Work.of(self_pid(), function, args), link=True, shutdown=shutdown)
        )

    @overload
    @staticmethod
    async def async_nolink(
        supervisor: Server,
        function: Callable[..., Awaitable[T]],
        *args: object,
        shutdown: float | Literal["brutal_kill"] = SHUTDOWN_TIMEOUT,
    ) -> Task[T]: ...
    @overload
    @staticmethod
    async def async_nolink(
        supervisor: Server,
        function: Callable[..., T],
        *args: object,
        shutdown: float | Literal["brutal_kill"] = SHUTDOWN_TIMEOUT,
    ) -> Task[T]: ...
    @staticmethod
    async def async_nolink(
        supervisor: Server,
        function: Function[T],
        *args: object,
        shutdown: float | Literal["brutal_kill"] = SHUTDOWN_TIMEOUT,
    ) -> Task[T]:
        """Start a task whose failure does not end this process (T21); raises RuntimeError if it cannot start."""
        return cast(
            "Task[T]", await start_task(supervisor, Work.of(self_pid(), function, args), link=False, shutdown=shutdown)
        )

    @staticmethod
    def async_stream(
        supervisor: Server,
        inputs: Iterable[object],
        function: Function[object],
        *args: object,
        link: bool = True,
        max_concurrency: int | None = None,
        ordered: bool = True,
        timeout: float | None = CALL_TIMEOUT,
        on_timeout: Literal["exit", "kill_task"] = "exit",
        zip_input_on_exit: bool = False,
    ) -> TaskStream[Any]:
        """Do as the function `async_stream`, under a supervisor; without `link`, failures are always results."""

        async def start(work: Work) -> Task[Any]:
            return await start_task(supervisor, work, link=link)

        return stream(
            inputs,
            function,
            args,
            start,
            linked=link,
            max_concurrency=max_concurrency,
            ordered=ordered,
            timeout=timeout,
            on_timeout=on_timeout,
            zip_input_on_exit=zip_input_on_exit,
        )

    @staticmethod
    async def children(supervisor: Server) -> list[Pid]:
        """List the running tasks."""
        children = await DynamicSupervisor.which_children(supervisor)
        return [child.pid for child in children if isinstance(child.pid, Pid)]


class _Offer:
    """The start of a supervised task; the owner can withdraw it even before it knows the pid."""

    __slots__ = ("owner", "pid", "withdrawn")

    def __init__(self, owner: Pid) -> None:
        self.owner = owner
        self.pid: Pid | None = None
        self.withdrawn = False

    def start(self) -> Started:
        """Spawn the process: the start function of the child, which runs in the supervisor."""
        if self.withdrawn:
            return IGNORE
        self.pid = self_pid().runtime.spawn(wait_for_work, self.owner, link=True)
        return Ok(self.pid)

    def withdraw(self) -> None:
        """Kill the process, or keep it from starting."""
        self.withdrawn = True
        if self.pid is not None:
            self.pid.exit(KILL)


async def start_task(
    supervisor: Server, work: Work, *, link: bool, shutdown: float | Literal["brutal_kill"] = SHUTDOWN_TIMEOUT
) -> Task[Any]:
    """Start a task of the current process under a supervisor, and send it the work (T22)."""
    me = self_pid()
    offer = _Offer(me)
    spec = ChildSpec(id="Task", start=(offer.start, (), {}), restart="temporary", shutdown=shutdown)
    try:
        started = await DynamicSupervisor.start_child(supervisor, spec)
    except BaseException:
        offer.withdraw()
        raise
    if isinstance(started, Error | Ignore):
        raise RuntimeError(f"the supervisor {supervisor!r} did not start the task: {started!r}")  # noqa: TRY004 - T23
    pid = started.value
    ref = work.answer = add_monitor(me, of_this_thread(pid))
    if link:
        with suppress(NoProcessError):  # if the task was killed meanwhile, the monitor reports it
            add_link(me, pid)
    pid.send(work)
    return Task(pid, ref, me)


def _start(work: Work) -> Ok[Pid]:
    return Ok(work.spawn(link=True))
