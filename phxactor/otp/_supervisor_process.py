"""The process of a Supervisor: its children in start order, and the strategies (docs/otp-semantics.md, section 6)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import ClassVar

import trio

from phxactor.otp._call import Call, Name
from phxactor.otp._child_spec import ChildSpec
from phxactor.otp._gen_server import GenServer
from phxactor.otp._intensity import Intensity
from phxactor.otp._process import Handler
from phxactor.otp._restart import AutoShutdown, Strategy, affected, reported, restarts, shuts_down
from phxactor.otp._results import Error, Ignore, Ok
from phxactor.otp._supervising import Retry, SupervisedChild, SupervisingProcess
from phxactor.otp._supervisor_flags import Supervise
from phxactor.otp._supervisor_requests import (
    RESTARTING,
    ChildInfo,
    ChildState,
    ChildStatistics,
    CountChildren,
    DeleteChild,
    GetChildSpec,
    RestartChild,
    StartChild,
    SupervisorStatistics,
    TerminateChild,
    WhichChildren,
    count,
    statistics,
)
from phxactor.runtime import KILL, SHUTDOWN, Exit, Exited, Pid, Reason, Shutdown, note_report


class SupervisorProcess(SupervisingProcess[Supervise]):
    """The loop of a Supervisor."""

    __slots__ = ("auto_shutdown", "children", "pids", "strategy")
    flags = Supervise

    def __init__(
        self, server: GenServer, args: tuple[object, ...], kwargs: dict[str, object], name: Name | None
    ) -> None:
        """Prepare the process; `run` is its body."""
        super().__init__(server, args, kwargs, name)
        self.children: dict[object, SupervisedChild] = {}
        """The children by id, in start order."""
        self.pids: dict[Pid, SupervisedChild] = {}
        self.strategy: Strategy
        self.auto_shutdown: AutoShutdown

    def statistics(self) -> SupervisorStatistics:
        """Return a snapshot, without a message to the supervisor."""
        children = [
            ChildStatistics(child.spec.id, state(child), child.spec.type, child.restarts)
            for child in self.children.values()
        ]
        return statistics(self.strategy, self.intensity, self.pid.runtime.now(), children)

    def records(self) -> Collection[SupervisedChild]:
        """Return the records of its children, in start order."""
        return self.children.values()

    def record_of(self, pid: Pid) -> SupervisedChild | None:
        """Return the record of the child that a process is; None for any other process."""
        return self.pids.get(pid)

    # ------------------------------------------------------------------------------------------- life

    async def supervise(self, flags: Supervise) -> None:
        """Start the children one by one; if one fails, shut the others down and raise `Exit` (S10, S12)."""
        self.strategy, self.auto_shutdown = flags.strategy, flags.auto_shutdown
        self.intensity = Intensity(flags.max_restarts, flags.max_seconds)
        for spec in flags.children:
            error = self.refused(spec) or (("duplicate_child_name", spec.id) if spec.id in self.children else None)
            if error is not None:
                self.failure = Error(("start_spec", error))
                raise Exit(("start_spec", error))
            self.children[spec.id] = SupervisedChild(spec)
        failed = await self.start_children(list(self.children.values()))
        if failed is not None:
            await self.shut_all_down()
            child, reason = failed
            end = Shutdown(("failed_to_start_child", child.spec.id, reason))
            note_report(self.pid, end)  # by `start_error`, so that the supervisor above does not log it as an error too
            raise Exit(end)

    def refused(self, spec: ChildSpec) -> Reason:
        """Return the error of a specification under these flags, or None (S90). Checked before its id (S4, S78)."""
        if spec.significant and self.auto_shutdown == "never":
            return ("bad_combination", (("auto_shutdown", "never"), ("significant", True)))
        if spec.significant and spec.restart == "permanent":
            return ("bad_combination", (("restart", "permanent"), ("significant", True)))
        return None

    async def shut_all_down(self) -> None:
        """Shut the children down one by one, last started first (S50)."""
        await self.stop_children(self.children.values())

    # ---------------------------------------------------------------------------------------- children

    async def start_child(self, child: SupervisedChild) -> Ok[Pid] | Error | Ignore:
        """Start a child; a temporary child whose start function returns `IGNORE` is forgotten (S14)."""
        child.restarting = False
        async with trio.open_nursery() as watching:
            watching.start_soon(self.end_start, child.spec, watching.cancel_scope)
            started = await self.start_process(child.spec)
            watching.cancel_scope.cancel()
        if isinstance(started, Ok):
            child.pid = started.value
            self.pids[started.value] = child
        elif isinstance(started, Ignore) and child.spec.restart == "temporary":
            self.children.pop(child.spec.id, None)
        return started

    async def end_start(self, spec: ChildSpec, scope: trio.CancelScope) -> None:
        """End the start of a child if the parent ends meanwhile: the supervisor could not end before it.

        The process that starts gets `SHUTDOWN`, and `KILL` after the seconds of its specification. A start function
        that has started no process yet is cancelled.
        """
        me = self.pid
        message = await me.receive_matching(self.is_end_of_parent)
        me.send(message)  # the loop takes it once the start is over
        starting = [pid for pid in me.links or () if pid.parent is me and pid not in self.pids]
        if not starting:
            scope.cancel()
        for pid in starting:
            pid.exit(SHUTDOWN)
        await trio.sleep(spec.grace())
        for pid in starting:
            pid.exit(KILL)

    def is_end_of_parent(self, message: object) -> bool:
        """Return whether a message is the exit signal of the parent."""
        return type(message) is Exited and message.pid is self.parent

    async def start_children(self, children: list[SupervisedChild]) -> tuple[SupervisedChild, Reason] | None:
        """Start children one by one, up to the first that fails; return that child and its reason, or None."""
        for child in children:
            started = await self.start_child(child)
            if isinstance(started, Error):
                return child, started.reason
        return None

    async def stop_child(self, child: SupervisedChild) -> None:
        """Shut a child down if it runs, and forget it if it is temporary."""
        pid, child.pid, child.restarting = child.pid, None, False
        if pid is not None:
            await self.shut_down(pid, child.spec)
            self.pids.pop(pid, None)
        if child.spec.restart == "temporary":
            self.children.pop(child.spec.id, None)

    async def stop_children(self, children: Iterable[SupervisedChild]) -> None:
        """Shut children down one by one, in reverse order."""
        for child in reversed(list(children)):
            await self.stop_child(child)

    async def on_child_exited(self, message: Exited) -> None:
        """Restart a child that has ended, and the children that its end affects, or leave it down (S20 to S31)."""
        child = self.pids.pop(message.pid, None)
        if child is None:
            return
        spec, child.pid = child.spec, None
        if reported(spec.restart, message.reason):
            self.report_exit(spec, message.pid, message.reason)
        if restarts(spec.restart, message.reason):
            await self.restart(child)
            return
        if spec.restart == "temporary":
            del self.children[spec.id]
        left = any(
            other.spec.significant and (other.pid is not None or other.restarting) for other in self.children.values()
        )
        if shuts_down(self.auto_shutdown, significant=spec.significant, others_left=left):
            raise Exit(SHUTDOWN)

    async def restart(self, failed: SupervisedChild) -> None:
        """Shut down the children that the strategy selects, and start them again; this counts as one restart (S43)."""
        failed.restarting = False
        began = self.begin_restart(failed.spec)
        group = affected(self.strategy, list(self.children.values()), failed)
        await self.stop_children(group)
        again = [child for child in group if child.spec.restart != "temporary"]
        unable = await self.start_children(again)
        for child in again:
            if child.pid is not None:
                self.report_restart(child, child.pid)
        if unable is not None:
            unable[0].restarting = True
            self.pid.send(Retry(unable[0]))
        self.end_restart(failed.spec, began, ok=unable is None)

    async def on_retry(self, message: Retry) -> None:
        """Retry the restart of the child whose start failed (S32, S33)."""
        if message.child.restarting:
            await self.restart(message.child)

    # -------------------------------------------------------------------------------------- admin calls

    async def on_start_child(self, message: Call) -> None:
        """Start one more child, as the last in start order (S77 to S80)."""
        spec: ChildSpec = message.request  # type: ignore[assignment]
        self.answer_call(message, await self.add_child(spec))

    async def add_child(self, spec: ChildSpec) -> Ok[Pid | None] | Error:
        """Start one more child, and keep its record unless the start fails."""
        error = self.refused(spec)
        if error is not None:
            return Error(error)
        known = self.children.get(spec.id)
        if known is not None:
            return Error("already_present" if known.pid is None else ("already_started", known.pid))
        child = SupervisedChild(spec)
        started = await self.start_child(child)
        if isinstance(started, Error):
            return Error((started.reason, spec))
        if isinstance(started, Ignore):
            if spec.restart != "temporary":
                self.children[spec.id] = child
            return Ok(None)
        self.children[spec.id] = child
        return started

    async def on_terminate_child(self, message: Call) -> None:
        """Shut a child down and keep its specification, unless it is temporary (S81)."""
        child = self.children.get(message.request)
        if child is not None:
            await self.stop_child(child)
        self.answer_call(message, Error("not_found") if child is None else Ok())

    async def on_restart_child(self, message: Call) -> None:
        """Start a child that is down (S82)."""
        child = self.children.get(message.request)
        if child is None or child.pid is not None or child.restarting:
            self.answer_call(message, not_down(child))
            return
        started = await self.start_child(child)
        self.answer_call(message, Ok(None) if isinstance(started, Ignore) else started)

    async def on_delete_child(self, message: Call) -> None:
        """Delete a child that is down (S83)."""
        child = self.children.get(message.request)
        if child is None or child.pid is not None or child.restarting:
            self.answer_call(message, not_down(child))
            return
        del self.children[child.spec.id]
        self.answer_call(message, Ok())

    async def on_get_child_spec(self, message: Call) -> None:
        """Answer a specification, by id or by pid (S84)."""
        key = message.request
        child = self.pids.get(key) if isinstance(key, Pid) else None
        child = child or self.children.get(key)
        self.answer_call(message, Error("not_found") if child is None else Ok(child.spec.normalised()))

    async def on_which_children(self, message: Call) -> None:
        """List the children, last started first (S75)."""
        self.answer_call(
            message,
            [
                ChildInfo(child.spec.id, state(child), child.spec.type, child.spec.callback_modules())
                for child in reversed(self.children.values())
            ],
        )

    async def on_count_children(self, message: Call) -> None:
        """Count the children; a dead child whose end the supervisor has not noticed (S15) is not active (S76)."""
        children = self.children.values()
        active = sum(child.pid is not None and child.pid.alive for child in children)
        self.answer_call(message, count([child.spec for child in children], active))

    handlers: ClassVar[dict[type | None, Handler]] = {
        **SupervisingProcess.handlers,
        Retry: on_retry,
        StartChild: on_start_child,
        TerminateChild: on_terminate_child,
        RestartChild: on_restart_child,
        DeleteChild: on_delete_child,
        GetChildSpec: on_get_child_spec,
        WhichChildren: on_which_children,
        CountChildren: on_count_children,
    }


def state(child: SupervisedChild) -> ChildState:
    """Return what `which_children` shows as the child's pid."""
    return RESTARTING if child.restarting else child.pid


def not_down(child: SupervisedChild | None) -> Error:
    """Return the error for a child that cannot be restarted or deleted by hand, since it is not down."""
    if child is None:
        return Error("not_found")
    return Error("restarting" if child.restarting else "running")
