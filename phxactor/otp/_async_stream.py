"""async_stream: runs a function over many inputs, each in a task, a bounded number at a time (T24 to T29).

    async with async_stream(urls, fetch, max_concurrency=10) as pages:
        async for page in pages:
            ...

Tasks start only while the caller waits for a result. One process, the conductor, starts and watches the tasks. So they
end when the caller ends, and the caller's mailbox gets nothing but results:

    the caller ──link, monitor── conductor ──link, monitor── tasks
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeAlias, TypeVar, overload

from phxactor import _checks as check
from phxactor.otp._call import CALL_TIMEOUT, checked_timeout, forget
from phxactor.otp._called import Called
from phxactor.otp._stream_conductor import STOP, Conductor, Finished, Input, Options, Starter, StartFailed, TimedOut
from phxactor.otp._task import Outcome, Task
from phxactor.otp._task_process import Function, Work
from phxactor.runtime import Answer, Down, Exit, Monitor, Pid, add_monitor, self_pid, unlink

OnTimeout: TypeAlias = Literal["exit", "kill_task"]
T = TypeVar("T")


@overload
def async_stream(
    inputs: Iterable[object],
    function: Callable[..., Awaitable[T]],
    *args: object,
    max_concurrency: int | None = None,
    ordered: bool = True,
    timeout: float | None = CALL_TIMEOUT,
    on_timeout: OnTimeout = "exit",
    zip_input_on_exit: bool = False,
) -> TaskStream[T]: ...
@overload
def async_stream(
    inputs: Iterable[object],
    function: Callable[..., T],
    *args: object,
    max_concurrency: int | None = None,
    ordered: bool = True,
    timeout: float | None = CALL_TIMEOUT,
    on_timeout: OnTimeout = "exit",
    zip_input_on_exit: bool = False,
) -> TaskStream[T]: ...
def async_stream(
    inputs: Iterable[object],
    function: Function[T],
    *args: object,
    max_concurrency: int | None = None,
    ordered: bool = True,
    timeout: float | None = CALL_TIMEOUT,
    on_timeout: OnTimeout = "exit",
    zip_input_on_exit: bool = False,
) -> TaskStream[T]:
    """Run `function(input, *args)` in a task for each input; iterate over the results in an `async with`.

    A result is `Ok(value)`, or `Error(reason)` of a failed task; with `zip_input_on_exit` it is
    `Error((input, reason))` (T27). If a task fails and this process does not trap exits, this process ends with that
    reason instead (T25). At most `max_concurrency` tasks run at once, by default one for each core. Results come in the
    order of the inputs, or, if not `ordered`, in the order in which tasks end. If a task takes more than `timeout`
    seconds, the iteration raises `Exit(("timeout", Called(...)))`; or, if `on_timeout` is `"kill_task"`, the task is
    killed and its result is `Error("timeout")` (T26). Raises ValueError for a wrong option.
    """
    return stream(
        inputs,
        function,
        args,
        _start_linked,
        linked=True,
        max_concurrency=max_concurrency,
        ordered=ordered,
        timeout=timeout,
        on_timeout=on_timeout,
        zip_input_on_exit=zip_input_on_exit,
    )


async def _start_linked(work: Work) -> Task[Any]:
    return Task.for_work(work)


def stream(
    inputs: Iterable[object],
    function: Function[T],
    args: tuple[object, ...],
    start: Starter,
    *,
    linked: bool,
    max_concurrency: int | None,
    ordered: bool,
    timeout: float | None,
    on_timeout: OnTimeout,
    zip_input_on_exit: bool,
) -> TaskStream[T]:
    """Check the options and make the stream; `start` starts one task."""
    most = (os.cpu_count() or 1) if max_concurrency is None else max_concurrency
    concurrency = check.whole("max_concurrency", most)
    check.choice("on_timeout", on_timeout, ("exit", "kill_task"))
    checked_timeout(timeout)
    options = Options(function, args, start, linked, timeout, on_timeout == "kill_task", zip_input_on_exit)
    return TaskStream(iter(inputs), options, concurrency, ordered=ordered)


class TaskStream(Generic[T]):
    """The results of an `async_stream`."""

    def __init__(self, inputs: Iterator[object], options: Options, concurrency: int, *, ordered: bool) -> None:
        """Make the stream for `async_stream`; starts nothing."""
        self._inputs = inputs
        self._options = options
        self._concurrency = concurrency
        self._ordered = ordered
        self._exhausted = False
        self._running = 0
        self._given = 0
        """Number of inputs that have been given to the conductor."""
        self._taken = 0
        """Number of results that have been returned in order."""
        self._results: dict[int, Outcome[T]] = {}
        self._arrived: deque[int] = deque()
        self._owner: Pid | None = None
        self._conductor: Pid | None = None
        self._ref: Monitor

    async def __aenter__(self) -> Self:
        """Make the current process the owner of the stream."""
        self._owner = self_pid()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kill the tasks that still run, and remove their messages from the mailbox (T28)."""
        me, conductor = self._owner, self._conductor
        self._owner = None
        if me is None or conductor is None:
            return
        conductor.send(STOP)
        try:
            if me.alive:
                while type(await me.receive_ref(self._ref, 0, None)) is not Down:
                    pass
        finally:
            if me.alive:
                unlink(conductor, flush=True)
            forget(me, self._ref)

    def __aiter__(self) -> Self:
        """Return the stream itself; it can be iterated once."""
        return self

    async def __anext__(self) -> Outcome[T]:
        """Start tasks while fewer than `max_concurrency` run, and wait for the next result."""
        me = self._owner
        if me is None or me is not self_pid():
            raise RuntimeError("iterate over an async_stream within `async with`, in the same process")
        if self._conductor is None:
            self._conductor = me.runtime.spawn(Conductor(me, self._options).run, link=True)
            self._ref = add_monitor(me, self._conductor)
            self._conductor.send(self._ref)
        while True:
            self._give(self._conductor)
            result = self._next()
            if result is not None:
                return result
            if not self._running:
                raise StopAsyncIteration
            self._take(await me.receive_ref(self._ref, 0, None))

    def _give(self, conductor: Pid) -> None:
        while self._running < self._concurrency and not self._exhausted:
            try:
                value = next(self._inputs)
            except StopIteration:
                self._exhausted = True
                return
            conductor.send(Input(self._given, value))
            self._given += 1
            self._running += 1

    def _next(self) -> Outcome[T] | None:
        if not self._ordered:
            return self._results.pop(self._arrived.popleft()) if self._arrived else None
        result = self._results.pop(self._taken, None)
        self._taken += result is not None
        return result

    def _take(self, message: object) -> None:
        if type(message) is Down:
            called = self._called()
            if self._conductor is not None:
                unlink(self._conductor, flush=True)
            self._conductor = None
            raise Exit((message.reason, called))
        said = message.value if type(message) is Answer else None
        match said:
            case Finished(position=position, outcome=outcome):
                self._running -= 1
                self._results[position] = outcome
                if not self._ordered:
                    self._arrived.append(position)
            case StartFailed(error=error):
                try:
                    raise error
                finally:
                    del message, said, error  # the traceback of the error keeps this frame
            case TimedOut():
                raise Exit(("timeout", self._called()))

    def _called(self) -> Called:
        return Called("async_stream", self._conductor, None, self._options.timeout)
