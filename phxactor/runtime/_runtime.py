"""The runtime: the table of processes, and the functions that start, signal and end them.

    open_runtime()                   the caller becomes the first process, `main`
      host task, shielded            an outer cancellation does not reach the processes (TM30)
        nursery                      flat: one task for each process, one for the timers (TM20)

The tree of processes is made of links, never of nested nurseries.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import Context
from functools import cached_property, partial
from itertools import count
from operator import attrgetter
from threading import get_ident
from typing import TYPE_CHECKING, Final, cast

import trio

from phxactor.runtime import _arriving, _stopping, events
from phxactor.runtime import _signals as signals
from phxactor.runtime._ended_runtime import EndedRuntime
from phxactor.runtime._errors import Exit, NotAProcessError, NotLocalError, not_here
from phxactor.runtime._hints import explain
from phxactor.runtime._idle import IdleWatch
from phxactor.runtime._mailbox import Mailbox
from phxactor.runtime._names import Names
from phxactor.runtime._patience import Patience
from phxactor.runtime._pauses import Pauses
from phxactor.runtime._pid import Pid, current, of_this_thread, silenced
from phxactor.runtime._process import report_failure, run_process
from phxactor.runtime._reasons import KILL, NORMAL, Reason
from phxactor.runtime._state import ALIVE, DEAD, EXITING, REMOTE
from phxactor.runtime._statistics import RuntimeStatistics
from phxactor.runtime._timers import Timer, Timers
from phxactor.runtime._trio_internals import private
from phxactor.runtime._zombies import Zombies

if TYPE_CHECKING:
    from phxactor.runtime._remote import Remote

_mailbox_of: Final = attrgetter("mailbox")
_context: Final = private("_run", "GLOBAL_RUN_CONTEXT", "Runner.is_guest").GLOBAL_RUN_CONTEXT


class Runtime:
    """The processes of one program, and their names and timers; `open_runtime` makes one."""

    def __init__(self, nursery: trio.Nursery, kill_grace: float) -> None:
        """Prepare the tables; `nursery` is the shielded nursery in which every process will run."""
        self.thread = get_ident()
        """The id of the thread in which all its processes live; 0, which is no thread, once the runtime has ended."""
        self.now: Final[Callable[[], float]] = trio.lowlevel.current_clock().current_time
        """Reads the clock of all timers and time-outs, in seconds; the same as `trio.current_time`, but faster."""
        self.processes: dict[int, Pid] = {}
        self.names = Names()
        self.timers = Timers(self.now)
        self.zombies = Zombies(kill_grace)
        self.cleanups: dict[Pid, list[trio.CancelScope]] = {}
        """The shields of processes that clean up; a kill cancels them (see `cleanup`)."""
        self.remote: Remote | None = None
        """What knows the processes of other nodes; None if the runtime takes part in no cluster."""
        self.port_depth = 0
        self.hosted: Final[bool] = _context.runner.is_guest
        """Whether another loop, such as asyncio's, hosts the trio run: its code runs between two passes."""
        self._nursery = nursery
        # In an empty context: a process inherits nothing from its parent (P18).
        start_soon: Callable[..., None] = nursery.start_soon
        self._start_soon = partial(Context().run, start_soon, run_process, self)
        self._numbers = count(1)
        self.token = trio.lowlevel.current_trio_token()
        """The token of its trio run, by which other threads reach it (see `from_thread`)."""
        self.start_task(self.timers.run, name="phxactor timers")
        self.outside = Pid(self, next(self._numbers), "outside", None)
        """The sender of exit signals from code outside of processes, such as a signal handler. It takes no messages."""
        self.outside.state = DEAD
        self.abandon: Callable[[BaseException | None], None] | None = None
        """Ends the program while tasks of zombies still run. If it is None, the runtime waits for those tasks."""
        self.main = self.processes[2] = Pid(self, next(self._numbers), "main", self.outside)
        """The process of the task that opened the runtime."""

    def statistics(self) -> RuntimeStatistics:
        """Return a snapshot of the counts; from any thread."""
        return RuntimeStatistics(
            processes=len(self.processes),
            zombies=len(self.zombies.given_up),
            names=len(self.names.all()),
            timers=len(self.timers) + len(self.__dict__.get("patience", ())),
            messages=sum(map(len, map(_mailbox_of, list(self.processes.values())))),
        )

    @cached_property
    def patience(self) -> Patience:
        """The time-outs on other parties, such as clients; their task starts at the first use."""
        patience = Patience(self.now)
        self.start_task(patience.run, name="phxactor patience")
        return patience

    @cached_property
    def pauses(self) -> Pauses:
        """What knows when the program last paused; it has a task from the first use on."""
        pauses = Pauses(self.now)
        self.start_task(pauses.run, name="phxactor pauses")
        return pauses

    @cached_property
    def idle(self) -> IdleWatch:
        """The watch that reports when a process becomes idle."""
        return IdleWatch()

    def start_task(self, body: Callable[..., Awaitable[object]], *args: object, name: str) -> None:
        """Start a task of the runtime itself, which is no process and lasts at most as long as the runtime."""
        Context().run(partial(self._nursery.start_soon, body, *args, name=name))

    def tasks(self) -> frozenset[trio.lowlevel.Task]:
        """Return the tasks of all processes, and those of the runtime itself."""
        return self._nursery.child_tasks

    def pending_timers(self) -> list[Timer]:
        """List all timers that are pending, in no particular order."""
        patient = self.patience.pending() if "patience" in self.__dict__ else []
        return self.timers.pending() + patient

    # ------------------------------------------------------------------------------------------ processes

    def spawn(
        self,
        body: Callable[..., Awaitable[object]],
        *args: object,
        link: bool = False,
        initial_call: str | None = None,
    ) -> Pid:
        """Start a process that runs `await body(*args)`, and return at once (P19).

        With `link`, the process is linked to the caller from its first moment (P20). Raises `Exit` in a process that
        is ending, WrongThreadError in another thread, NotAProcessError if the runtime has ended.
        """
        if get_ident() != self.thread:
            raise self._starts_none()
        parent = current.get(self.outside)
        if parent.thread != self.thread:  # that process does not call: this thread has a copy of its context
            parent = self.outside
        return self.start(parent, body, args, link, initial_call)

    def start(
        self,
        parent: Pid,
        body: Callable[..., Awaitable[object]],
        args: tuple[object, ...],
        link: bool = False,  # noqa: FBT001, FBT002 - by position, which is faster: each channel starts here
        initial_call: str | None = None,
    ) -> Pid:
        """Do as `spawn`, for the calling process `parent`."""
        if parent.state is not ALIVE and parent is not self.outside:
            raise Exit(parent.exit_reason)
        call = initial_call or getattr(body, "__qualname__", None) or str(body)
        number = next(self._numbers)
        pid = self.processes[number] = Pid(self, number, call, parent)
        if link:
            signals.link_child(parent, pid)
        if events.spawned.handlers:
            events.spawned.emit(pid=pid, parent=parent, linked=link)
        try:
            self._start_soon(pid, body, args, name=call)
        except BaseException:  # the nursery is lost: a process without a task would never end
            signals.finish(self, pid, NORMAL)
            raise
        return pid

    def _starts_none(self) -> NotAProcessError:
        if self.thread:
            return not_here(self.main)
        return NotAProcessError("no process can be started: the runtime has ended")

    def exit(self, target: Pid, reason: Reason) -> None:
        """Send an exit signal from the current process, or from outside; see `Pid.exit`."""
        of_this_thread(target)
        source = current.get(self.outside)
        if source.thread != self.thread:
            source = self.outside
        if source in silenced and source is not target:
            return
        signals.exit_signal(target, source, reason)
        if source is target and target.state is not ALIVE and target is not self.outside:
            if target.state is EXITING:
                silenced.add(target)
            raise Exit(target.exit_reason)

    def take_in(self, pid: Mailbox) -> None:
        """Deliver the `Down`s of monitors on dead processes to a process that is about to receive (M9)."""
        _arriving.take_in(pid)

    def port_failed(self, pid: Pid, error: BaseException) -> None:
        """End a process whose port raised; the sender of the message does not see the exception."""
        signals.fatal(pid, report_failure(pid, error))

    def run_soon(self, function: Callable[[], object]) -> None:
        """Call a synchronous function in the next pass of the scheduler; from any thread (TM34).

        The function runs outside of processes, in an empty context. The event `call_failed` reports an exception from
        it. Raises trio.RunFinishedError if the trio run has ended.
        """
        self.token.run_sync_soon(Context().run, _call, function)

    async def ended(self, pid: Pid) -> Reason:
        """Wait, in a process or outside, until `pid` has wholly ended, and return its exit reason."""
        if pid.state is not DEAD:
            gone = trio.Event()

            def release(_: Pid) -> None:
                gone.set()

            own(pid, release)
            try:
                await gone.wait()
            finally:
                disown(pid, release)
        return pid.exit_reason

    async def stop(self, reason: Reason, timeout: float) -> None:
        """End every process, `main` last with `reason`; children have `timeout` seconds (`_stopping`)."""
        await _stopping.stop(self, reason, timeout)

    def let_go(self) -> None:
        """Break the reference cycles with the nursery, the timers, `main` and `outside`, after the end."""
        del self._nursery, self._start_soon
        self.outside.lineage = None
        self.timers.end()
        self.main.runtime = self.outside.runtime = cast("Runtime", EndedRuntime(self))

    def kill(self) -> None:
        """Send `KILL` to every process but `main`, the youngest first."""
        of_this_thread(self.main)
        for pid in self.others():
            signals.exit_signal(pid, self.outside, KILL)

    def others(self) -> list[Pid]:
        """List all processes but `main`, the youngest first."""
        return [pid for pid in reversed(self.processes.values()) if pid is not self.main]


def _call(function: Callable[[], object]) -> None:
    try:
        function()
    except BaseException as error:  # noqa: BLE001 - it belongs to no process: report it, and go on
        explain(error)
        if events.call_failed.handlers:
            events.call_failed.emit(exception=error)


def own(pid: Pid, release: Callable[[Pid], None]) -> None:
    """Call `release(pid)` when the process ends, before any other process hears of its end (P14).

    For tables that list processes, as those of Registry and PubSub do. `release` is synchronous. If the process has
    already ended, `release` is called at once. Raises WrongThreadError in another thread, NotLocalError for a
    process of another node.
    """
    if get_ident() != pid.thread:
        raise not_here(pid)
    if pid.state is not ALIVE:
        if pid.state is DEAD:
            release(pid)
            return
        if pid.state is REMOTE:
            raise NotLocalError(f"{pid!r} is a process of another node, and tables list local ones only")
    if pid.resources is None:
        pid.resources = {}
    pid.resources[release] = None


def disown(pid: Pid, release: Callable[[Pid], None]) -> None:
    """Undo `own`; an unknown `release` is ignored. Raises WrongThreadError in another thread."""
    of_this_thread(pid)
    if pid.resources is not None:
        pid.resources.pop(release, None)


def current_process() -> Pid:
    """Return the process that runs.

    Raises NotAProcessError outside of processes, and its subclass WrongThreadError in a thread that only has a copy of
    the process's context (TM34).
    """
    try:
        pid = current.get()
    except LookupError:
        raise NotAProcessError(
            "only a process can do this: spawn one, or use phxactor.open_runtime(); from another thread use "
            "phxactor.from_thread"
        ) from None
    if get_ident() != pid.thread:
        raise not_here(pid)
    return pid
