"""The process of a DynamicSupervisor: any number of children by pid (docs/otp-semantics.md, section 7)."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from phxactor.otp._call import Call, Cast, Name
from phxactor.otp._child_spec import BRUTAL_KILL, ChildSpec, Started
from phxactor.otp._gen_server import GenServer
from phxactor.otp._intensity import Intensity
from phxactor.otp._process import Handler
from phxactor.otp._restart import reported, restarts
from phxactor.otp._results import Error, Ok
from phxactor.otp._supervising import Retry, SupervisedChild, SupervisingProcess
from phxactor.otp._supervisor_flags import SuperviseDynamically
from phxactor.otp._supervisor_requests import (
    RESTARTING,
    ChildInfo,
    ChildStatistics,
    CountChildren,
    GetChildSpec,
    StartChild,
    SupervisorStatistics,
    TerminateChild,
    WhichChildren,
    count,
    statistics,
)
from phxactor.runtime import KILL, SHUTDOWN, Countdown, Down, Exited, Monitor, Pid, Reason, add_monitor, of_this_thread


class DynamicSupervisorProcess(SupervisingProcess[SuperviseDynamically]):
    """The loop of a DynamicSupervisor."""

    __slots__ = ("bare", "children", "extra_arguments", "max_children")
    flags = SuperviseDynamically

    def __init__(
        self, server: GenServer, args: tuple[object, ...], kwargs: dict[str, object], name: Name | None
    ) -> None:
        """Prepare the process; `run` is its body."""
        super().__init__(server, args, kwargs, name)
        self.children: dict[Pid, SupervisedChild] = {}
        """The children by pid; a child that is restarting by its last pid (D9)."""
        self.bare: ChildSpec | None = None
        """The specification of the last temporary child, without start arguments; equal children share it."""

    def statistics(self) -> SupervisorStatistics:
        """Return a snapshot, without a message to the supervisor."""
        children = [
            ChildStatistics(None, RESTARTING if child.restarting else pid, child.spec.type, child.restarts)
            for pid, child in self.children.items()
        ]
        return statistics("one_for_one", self.intensity, self.pid.runtime.now(), children)

    def records(self) -> Collection[SupervisedChild]:
        """Return the records of its children."""
        return self.children.values()

    def record_of(self, pid: Pid) -> SupervisedChild | None:
        """Return the record of the child that a process is; None for any other process."""
        return self.children.get(pid)

    def id_of(self, _: SupervisedChild) -> None:
        """Return None: it knows its children by pid."""
        return

    # ------------------------------------------------------------------------------------------- children

    async def supervise(self, flags: SuperviseDynamically) -> None:
        """Start with no children (D1)."""
        self.max_children, self.extra_arguments = flags.max_children, flags.extra_arguments
        self.intensity = Intensity(flags.max_restarts, flags.max_seconds)

    async def on_start_child(self, message: StartChild) -> None:
        """Start one more child; a child that does not start leaves no record (D3 to D6)."""
        spec: ChildSpec = message.request  # type: ignore[assignment]
        started: Started
        if len(self.children) >= self.max_children:
            started = Error("max_children")
        elif spec.significant:
            started = Error(("invalid_significant", True))
        else:
            started = await self.start_process(spec, self.extra_arguments, message.arguments)
            if type(started) is Ok:
                if spec.restart == "temporary" and not message.arguments:  # else the children share it already
                    spec = self.bare = spec.without_arguments(self.bare)
                self.children[started.value] = SupervisedChild(spec, started.value)
        self.answer_call(message, started)

    async def on_child_exited(self, message: Exited) -> None:
        """Restart a child that has ended, or forget it (D5)."""
        child = self.children.pop(message.pid, None)
        if child is None:
            return
        spec, reason = child.spec, message.reason
        if reported(spec.restart, reason):
            self.report_exit(spec, message.pid, reason)
        if restarts(spec.restart, reason):
            await self.restart(message.pid, child)

    async def restart(self, old: Pid, child: SupervisedChild) -> None:
        """Restart a child. If its start fails, it stays under its old pid, and is tried again (D9)."""
        began = self.begin_restart(child.spec)
        started = await self.start_process(child.spec, self.extra_arguments)
        if isinstance(started, Ok):
            child.pid, child.restarting = started.value, False
            self.children[started.value] = child
            self.report_restart(child, started.value)
        elif isinstance(started, Error):
            child.restarting = True
            self.children[old] = child
            self.pid.send(Retry(child))
        self.end_restart(child.spec, began, ok=not isinstance(started, Error))

    async def on_retry(self, message: Retry) -> None:
        """Retry the start of a child, unless it was terminated meanwhile."""
        child = message.child
        old = child.pid
        if old is not None and self.children.get(old) is child:
            del self.children[old]
            await self.restart(old, child)

    async def shut_all_down(self) -> None:
        """Tell all children at once to end, and wait until all have ended, each within its own grace time (D11)."""
        me = self.pid
        children, self.children = self.children, {}
        waiting: dict[Monitor, Pid] = {}
        graces: dict[float, list[Pid]] = {}
        for pid, child in children.items():
            if not child.restarting:
                waiting[add_monitor(me, of_this_thread(pid))] = pid
                if child.spec.shutdown == BRUTAL_KILL:
                    pid.exit(KILL)
                else:
                    pid.exit(SHUTDOWN)
                    graces.setdefault(child.spec.grace(), []).append(pid)
        countdowns = [Countdown(me.runtime.timers, seconds, _kill, pids) for seconds, pids in graces.items()]
        reasons: dict[Pid, Reason] = {}
        try:
            while waiting:
                message = await me.receive()
                if type(message) is Exited:  # comes before the `Down`, and has the reason of a child that had ended
                    reasons[message.pid] = message.reason
                elif type(message) is Down and message.ref in waiting:
                    pid = waiting.pop(message.ref)
                    self.report_shutdown(pid, children[pid].spec, reasons.get(pid, message.reason), dynamic=True)
        finally:
            for countdown in countdowns:
                countdown.stop()

    # -------------------------------------------------------------------------------------- admin calls

    async def on_terminate_child(self, message: Call) -> None:
        """Shut a child down and forget it (D8)."""
        pid = message.request
        child = self.children.pop(pid, None) if isinstance(pid, Pid) else None
        if child is None:
            self.answer_call(message, Error("not_found"))
            return
        if child.pid is not None and not child.restarting:
            await self.shut_down(child.pid, child.spec)
        self.answer_call(message, Ok())

    async def on_get_child_spec(self, message: Call) -> None:
        """Answer the specification of a child; of a temporary child, without the start arguments."""
        pid = message.request
        child = self.children.get(pid) if isinstance(pid, Pid) else None
        self.answer_call(message, Error("not_found") if child is None else Ok(child.spec.normalised()))

    async def on_which_children(self, message: Call) -> None:
        """List the children (D13)."""
        self.answer_call(
            message,
            [
                ChildInfo(
                    None,
                    RESTARTING if child.restarting else pid,
                    child.spec.type,
                    child.spec.callback_modules(),
                )
                for pid, child in self.children.items()
            ],
        )

    async def on_count_children(self, message: Call) -> None:
        """Count the children (D14)."""
        children = self.children.values()
        self.answer_call(
            message, count([child.spec for child in children], sum(not child.restarting for child in children))
        )

    async def on_cast(self, message: Cast) -> None:
        """Report a cast to `handle_info` as an unexpected message: the supervisor handles none (S70)."""
        await self.server.handle_info(message)

    handlers: ClassVar[dict[type | None, Handler]] = {
        **SupervisingProcess.handlers,
        Retry: on_retry,
        StartChild: on_start_child,
        TerminateChild: on_terminate_child,
        GetChildSpec: on_get_child_spec,
        WhichChildren: on_which_children,
        CountChildren: on_count_children,
        Cast: on_cast,
    }


def _kill(pids: list[Pid]) -> None:
    """Kill children that have not ended within their grace time."""
    for pid in pids:
        pid.exit(KILL)
