"""The runtime: the table of processes, and what starts, tells and ends them.

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
from threading import get_ident
from typing import Final

import attrs
import trio

from phxactor.runtime import events, signals
from phxactor.runtime.countdown import counted
from phxactor.runtime.errors import Exit, NotAProcessError, not_here
from phxactor.runtime.idle import IdleWatch
from phxactor.runtime.mailbox import Mailbox
from phxactor.runtime.names import Names
from phxactor.runtime.patience import Patience
from phxactor.runtime.pauses import Pauses
from phxactor.runtime.pid import Pid, current, of_this_thread, silenced
from phxactor.runtime.process import run_process, tell_of
from phxactor.runtime.reasons import KILL, NORMAL, SHUTDOWN, Reason
from phxactor.runtime.state import ALIVE, DEAD, EXITING
from phxactor.runtime.timers import Timer, Timers
from phxactor.runtime.zombies import Zombies

HEARING: Final = 4
"""Passes of the scheduler in which somebody must end, or those who are left when a runtime stops are killed."""


@attrs.frozen
class RuntimeStatistics:
    """A runtime at one moment."""

    processes: int
    """Processes that have not wholly ended, `main` included."""
    zombies: int
    """Processes that were given up, and whose tasks still run."""
    names: int
    """Registered names."""
    timers: int
    """Timers that are pending."""
    messages: int
    """Messages that wait in all mailboxes."""


class Runtime:
    """A world of processes; `open_runtime` makes one."""

    def __init__(self, nursery: trio.Nursery, kill_grace: float) -> None:
        """Prepare the tables; `nursery` is the shielded one in which every process will run."""
        self.thread = get_ident()
        """The thread that all of its processes live in; 0, which is none, once it has ended."""
        self.now: Final[Callable[[], float]] = trio.lowlevel.current_clock().current_time
        """Reads the clock that all timers and time-outs use, in seconds: as `trio.current_time`, in a quarter of it."""
        self.processes: dict[int, Pid] = {}
        self.names = Names()
        self.timers = Timers(self.now)
        self.zombies = Zombies(self, kill_grace)
        self.cleanups: dict[Pid, list[trio.CancelScope]] = {}
        """The shields of processes that clean up, which a kill breaks (see `cleanup`)."""
        self.port_depth = 0
        self._nursery = nursery
        # In an empty context: a process inherits nothing from the one that spawns it (P18).
        start_soon: Callable[..., None] = nursery.start_soon
        self._start_soon = partial(Context().run, start_soon, run_process, self)
        self._numbers = count(1)
        self._token = trio.lowlevel.current_trio_token()
        Context().run(partial(nursery.start_soon, self.timers.run, name="phxactor timers"))
        self.outside = Pid(self, next(self._numbers), "outside", None)
        """Stands for code that is no process, such as a signal handler: the sender of its signals. It takes none."""
        self.outside.state = DEAD
        self.abandon: Callable[[BaseException | None], None] | None = None
        """Ends the program though tasks of processes that were given up still run; else the runtime waits for them."""
        self.main = self.processes[2] = Pid(self, next(self._numbers), "main", self.outside)
        """The process of the task that opened the runtime."""

    def statistics(self) -> RuntimeStatistics:
        """Count what there is now; from any thread."""
        return RuntimeStatistics(
            processes=len(self.processes),
            zombies=len(self.zombies.undead),
            names=len(self.names.all()),
            timers=len(self.timers) + len(self.__dict__.get("patience", ())),
            messages=sum(len(pid.mailbox) for pid in list(self.processes.values())),
        )

    @cached_property
    def patience(self) -> Patience:
        """The timers by which others are judged; they have a task from the first use on."""
        patience = Patience(self.now)
        Context().run(partial(self._nursery.start_soon, patience.run, name="phxactor patience"))
        return patience

    @cached_property
    def pauses(self) -> Pauses:
        """What knows when the program last paused; it has a task from the first use on."""
        pauses = Pauses(self.now)
        Context().run(partial(self._nursery.start_soon, pauses.run, name="phxactor pauses"))
        return pauses

    @cached_property
    def idle(self) -> IdleWatch:
        """What tells when a process has nothing left to do."""
        return IdleWatch()

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

        With `link`, it is linked to the caller from its first moment (P20). Raises `Exit` in a process that is ending,
        WrongThreadError in another thread, NotAProcessError when the runtime has ended.
        """
        if get_ident() != self.thread:
            raise self._starts_none()
        parent = current.get(self.outside)
        if parent.thread != self.thread:  # it is not that process which calls: this thread was started by it
            parent = self.outside
        return self.start(parent, body, args, link, initial_call)

    def start(
        self,
        parent: Pid,
        body: Callable[..., Awaitable[object]],
        args: tuple[object, ...],
        link: bool = False,  # noqa: FBT001, FBT002 - by position, which costs less: each channel is started here
        initial_call: str | None = None,
    ) -> Pid:
        """Do as `spawn`, for the process `parent` that calls."""
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
            signals.bury(self, pid, NORMAL)
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
        """Let a process that is about to receive have the answers of monitors on the dead first (M9)."""
        signals.take_in(pid)

    def port_failed(self, pid: Pid, error: BaseException) -> None:
        """End a process whose port raised; never hurts whoever sent the message."""
        signals.fatal(pid, tell_of(pid, error))

    def run_soon(self, function: Callable[[], object]) -> None:
        """Call a synchronous function in the next pass of the scheduler; from any thread (TM34).

        It runs in no process: give it what it needs. The event `call_failed` tells what it raises. Raises
        trio.RunFinishedError when the whole program has ended.
        """
        self._token.run_sync_soon(Context().run, _call, function)

    async def ended(self, pid: Pid) -> Reason:
        """Wait, in a process or not, until a process has wholly ended, and return its reason."""
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

    # ------------------------------------------------------------------------------------------- the end

    @trio.lowlevel.enable_ki_protection
    async def stop(self, reason: Reason, timeout: float) -> None:
        """End every process: `main`'s children in order, last started first, then whoever is left, then `main`.

        Each child is told `SHUTDOWN` by its parent and is wholly gone before the next is told (S50). After
        `timeout` seconds, and for processes that are nobody's children, it is `KILL`, unless they watched one of
        those who have ended, and end by themselves.
        """
        main = self.main
        if main.state is ALIVE:
            main.state = EXITING
            main.sunk = None
            main.budget = 0
            main.exit_reason = reason
        with counted(self.timers, timeout):
            for pid in reversed(list(self.processes.values())):
                if pid.parent is main:
                    signals.exit_signal(pid, main, SHUTDOWN)
                    await self.ended(pid)
        await self._let_hear()
        if len(self.processes) > 1 and events.stray.handlers:
            events.stray.emit(pids=self.others())
        while left := self.others():
            self.kill()
            for pid in left:
                await self.ended(pid)
        self._end(reason)

    async def stop_without_host(self, reason: Reason, ended: trio.Event) -> None:
        """End every process whose tasks were cancelled from outside, when no timer runs any more (see `host`)."""
        self.kill()
        with trio.move_on_after(self.zombies.grace):
            await ended.wait()
        for pid in self.others():
            self.zombies.undead.add(pid)
            signals.bury(self, pid, pid.exit_reason)
        self._end(reason)

    def _end(self, reason: Reason) -> None:
        signals.bury(self, self.main, reason)
        self.thread = 0

    async def _let_hear(self) -> None:
        """Let processes run that have just been told of an end, until nobody has ended for a few passes."""
        fewest, passes = len(self.processes), 0
        while fewest > 1 and passes < HEARING:
            await trio.lowlevel.checkpoint()
            passes += 1
            if len(self.processes) < fewest:
                fewest, passes = len(self.processes), 0

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
    except BaseException as error:  # noqa: BLE001 - it is nobody's: the program goes on
        if events.call_failed.handlers:
            events.call_failed.emit(exception=error)


def own(pid: Pid, release: Callable[[Pid], None]) -> None:
    """Have `release(pid)` called when the process ends, before anybody hears of its end (P14).

    For tables that list processes, as Registry and PubSub do. It cannot wait. Of a process that has ended already, it
    is called at once.
    """
    if get_ident() != pid.thread:
        raise not_here(pid)
    if pid.state is DEAD:
        release(pid)
        return
    if pid.resources is None:
        pid.resources = {}
    pid.resources[release] = None


def disown(pid: Pid, release: Callable[[Pid], None]) -> None:
    """Take an `own` back; unknown ones are ignored."""
    of_this_thread(pid)
    if pid.resources is not None:
        pid.resources.pop(release, None)


def current_process() -> Pid:
    """Return the process that runs; raises NotAProcessError where there is none, as in any other thread."""
    try:
        pid = current.get()
    except LookupError:
        raise NotAProcessError(
            "only a process can do this: spawn one, or use phxactor.open_runtime(); another thread has it done by "
            "runtime.run_soon(function)"
        ) from None
    if get_ident() != pid.thread:
        raise not_here(pid)
    return pid
