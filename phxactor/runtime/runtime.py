"""The runtime: the table of processes, the shielded nursery they run in, and the way it all ends.

    open_runtime()                   the caller becomes the first process, `main`
      host task, shielded            an outer cancellation does not reach the processes (TM30)
        nursery                      flat: one task for each process, one for the timers (TM20)

The tree of processes is made of links, never of nested nurseries.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import Context
from itertools import count

import attrs
import trio

from phxactor.runtime import events, signals
from phxactor.runtime.errors import Exit, NotAProcessError
from phxactor.runtime.messages import Monitor
from phxactor.runtime.names import Names
from phxactor.runtime.pid import Pid, State
from phxactor.runtime.process import current, run_process
from phxactor.runtime.reasons import KILL, NORMAL, SHUTDOWN, Crash, Reason
from phxactor.runtime.timers import Timers

STOP_TIMEOUT = 60.0
"""Seconds that `main`'s children have, together, for an orderly stop before they are killed."""


@attrs.frozen
class RuntimeStatistics:
    """A runtime at one moment."""

    processes: int
    """Processes that have not wholly ended, `main` included."""
    names: int
    """Registered names."""
    timers: int
    """Timers that are pending."""
    messages: int
    """Messages that wait in all mailboxes."""


class Runtime:
    """A world of processes; `open_runtime` makes one."""

    def __init__(self, nursery: trio.Nursery) -> None:
        """Prepare the tables; `nursery` is the shielded one in which every process will run."""
        self.processes: dict[int, Pid] = {}
        self.names = Names()
        self.timers = Timers()
        self.port_depth = 0
        self._nursery = nursery
        self._numbers = count(1)
        self._context = Context()  # empty: a process inherits nothing from the one that spawns it (P18)
        self._token = trio.lowlevel.current_trio_token()
        nursery.start_soon(self.timers.run, name="phxactor timers")
        self.outside = self._make("outside", None)
        """Stands for code that is no process, such as a signal handler: the sender of its signals."""
        self.outside.trapping = True
        self.outside.port = _ignore
        del self.processes[self.outside.number]
        self.main = self._make("main", self.outside)
        """The process of the task that opened the runtime."""

    def statistics(self) -> RuntimeStatistics:
        """Count what there is now."""
        return RuntimeStatistics(
            processes=len(self.processes),
            names=len(self.names.all()),
            timers=len(self.timers),
            messages=sum(len(pid.mailbox) for pid in self.processes.values()),
        )

    def now(self) -> float:
        """Read the clock that all timers and time-outs use, in seconds."""
        return trio.current_time()

    # ------------------------------------------------------------------------------------------ processes

    def spawn(
        self,
        body: Callable[..., Awaitable[object]],
        *args: object,
        link: bool = False,
        initial_call: str | None = None,
    ) -> Pid:
        """Start a process that runs `await body(*args)`, and return at once (P19).

        With `link`, it is linked to the caller from its first moment (P20). Raises `Exit` in a process that is ending.
        """
        parent = current.get(self.outside)
        if parent.state is not State.ALIVE:
            raise Exit(parent.exit_reason)
        pid = self._make(initial_call or str(getattr(body, "__qualname__", body)), parent)
        if link:
            signals.link(parent, pid)
        if events.spawned.handlers:
            events.spawned.emit(pid=pid, parent=parent, linked=link)
        self._context.run(self._start, pid, body, args)
        return pid

    def _start(self, pid: Pid, body: Callable[..., Awaitable[object]], args: tuple[object, ...]) -> None:
        self._nursery.start_soon(run_process, self, pid, body, args, name="phxactor process")

    def _make(self, initial_call: str, parent: Pid | None) -> Pid:
        pid = Pid(self, next(self._numbers), initial_call, parent)
        self.processes[pid.number] = pid
        return pid

    def forget(self, pid: Pid) -> None:
        """Remove a process that has ended from the table, and its name."""
        self.names.release(pid)
        self.processes.pop(pid.number, None)

    def exit(self, target: Pid, reason: Reason) -> None:
        """Send an exit signal from the current process, or from outside; see `Pid.exit`."""
        source = current.get(self.outside)
        signals.exit_signal(target, source, reason)
        if source is target and target.state is not State.ALIVE:
            raise Exit(target.exit_reason)

    def monitor(self, target: Pid | str) -> Monitor:
        """Watch a process or the owner of a name, for the current process (M1 to M6)."""
        if isinstance(target, str):
            return signals.monitor(current_process(), self.names.whereis(target), target)
        return signals.monitor(current_process(), target)

    def take_in(self, pid: Pid) -> None:
        """Let a process that is about to receive have the answers of monitors on the dead first (M9)."""
        signals.take_in(pid)

    def port_failed(self, pid: Pid, error: BaseException) -> None:
        """End a process whose port raised; never hurts whoever sent the message."""
        if isinstance(error, Exit):
            signals.fatal(pid, error.reason)
            return
        if events.crashed.handlers:
            events.crashed.emit(pid=pid, exception=error)
        signals.fatal(pid, Crash(error))

    def run_soon(self, function: Callable[[], object]) -> None:
        """Call a synchronous function in the next pass of the scheduler; from any thread (TM34)."""
        self._token.run_sync_soon(function)

    async def ended(self, pid: Pid) -> Reason:
        """Wait, from anywhere, until a process has wholly ended, and return its reason."""
        if pid.state is not State.DEAD:
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

    async def stop(self, reason: Reason, timeout: float) -> None:
        """End every process: `main`'s children in order, last started first, then whoever is left, then `main`.

        Each child is told `SHUTDOWN` by its parent and is wholly gone before the next is told (S50). After
        `timeout` seconds, and for processes that are nobody's children, it is `KILL`.
        """
        with trio.move_on_after(timeout):
            for pid in reversed(list(self.processes.values())):
                if pid.parent is self.main:
                    signals.exit_signal(pid, self.main, SHUTDOWN)
                    await self.ended(pid)
        left = [pid for pid in reversed(self.processes.values()) if pid is not self.main]
        for pid in left:
            signals.exit_signal(pid, self.outside, KILL)
        for pid in left:
            await self.ended(pid)
        signals.bury(self, self.main, reason)


def _ignore(_: object) -> None:
    """Take a message that is for nobody."""


def own(pid: Pid, release: Callable[[Pid], None]) -> None:
    """Have `release(pid)` called when the process ends, before anybody hears of its end (P14).

    For tables that list processes, as Registry and PubSub do. It must not raise and cannot wait.
    """
    if pid.resources is None:
        pid.resources = {}
    pid.resources[release] = None


def disown(pid: Pid, release: Callable[[Pid], None]) -> None:
    """Take an `own` back; unknown ones are ignored."""
    if pid.resources is not None:
        pid.resources.pop(release, None)


def current_process() -> Pid:
    """Return the process that runs; raises NotAProcessError where there is none."""
    pid = current.get(None)
    if pid is None:
        raise NotAProcessError("only a process can do this: spawn one, or use phxactor.open_runtime()")
    return pid


@asynccontextmanager
async def open_runtime(*, stop_timeout: float = STOP_TIMEOUT) -> AsyncIterator[Runtime]:
    """Open a runtime, and make the calling task its first process, `main`, until the block is left.

    On the way out, whatever the way, `main`'s children are stopped in order. When `main` is ended by a signal, the
    block is cancelled and `Exit` with the reason comes out of it, unless the reason is `NORMAL` or `SHUTDOWN`.
    """
    reason: Reason = NORMAL
    failure: BaseException | None = None
    async with trio.open_nursery() as around:
        nursery: trio.Nursery = await around.start(_host)
        runtime = Runtime(nursery)
        main = runtime.main
        before = current.set(main)
        try:
            with trio.CancelScope() as main.scope:
                yield runtime
        except Exit as error:
            reason = error.reason
        except BaseException as error:  # noqa: BLE001 - raised again below, outside of the nursery's group
            reason, failure = Crash(error), error
        finally:
            current.reset(before)
        if main.state is State.EXITING:
            reason = main.exit_reason
        with trio.CancelScope(shield=True):
            await runtime.stop(reason, stop_timeout)
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if reason not in (NORMAL, SHUTDOWN):
        raise Exit(reason)


async def _host(task_status: trio.TaskStatus[trio.Nursery]) -> None:
    with trio.CancelScope(shield=True):
        async with trio.open_nursery() as nursery:
            task_status.started(nursery)
            await trio.sleep_forever()
