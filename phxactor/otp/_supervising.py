"""The common part of all supervisor processes: trap exits, start and shut down a child, count restarts.

    started ── init: children, in order ──▶ loop: ends of children, retries, admin calls ──▶ end: children, then itself

The loop is that of a server (`ServerProcess`), so supervisors follow its rules too (docs/otp-semantics.md, section 6).
"""

from __future__ import annotations

from collections.abc import Collection
from inspect import isawaitable
from typing import ClassVar, Generic, TypeVar, cast

from phxactor.otp import supervisor_events as events
from phxactor.otp._call import Call
from phxactor.otp._child_spec import BRUTAL_KILL, ChildSpec, Started
from phxactor.otp._intensity import Intensity
from phxactor.otp._interposing import own_handlers
from phxactor.otp._process import Handler, Outcome, ServerProcess
from phxactor.otp._restart import obeyed
from phxactor.otp._results import Error, Flags, Ignore, Ok
from phxactor.otp._supervisor_requests import SupervisorStatistics
from phxactor.runtime import (
    KILL,
    NOPROC,
    NORMAL,
    SHUTDOWN,
    Countdown,
    Crash,
    Down,
    Exit,
    Exited,
    Pid,
    Reason,
    RemotePid,
    State,
    add_monitor,
    child_has_reported,
    drop_link,
    exception_of,
    forget_frames,
    has_reported,
    is_atom,
    note_report,
    of_this_thread,
    reason_of_failure,
    without_our_frame,
)

F = TypeVar("F", bound=Flags)


class SupervisedChild:
    """A supervisor's record of a child."""

    __slots__ = ("pid", "restarting", "restarts", "spec")

    def __init__(self, spec: ChildSpec, pid: Pid | None = None) -> None:
        """Make the record; `pid` is None for a child that does not run."""
        self.spec = spec
        self.pid = pid
        self.restarting = False
        """Whether the child's restart failed, and is retried until it succeeds (S32)."""
        self.restarts = 0


class Retry:
    """A supervisor's message to itself: retry the start of a child, after the messages in the mailbox (S32)."""

    __slots__ = ("child",)

    def __init__(self, child: SupervisedChild) -> None:
        """Store the child."""
        self.child = child


class SupervisingProcess(ServerProcess, Generic[F]):
    """The loop of a supervisor; the `init` of its class returns its flags."""

    __slots__ = ("intensity",)

    intensity: Intensity
    flags: ClassVar[type[Flags]]
    """The class of the flags that the `init` of its class must return."""

    # -------------------------------------------------------------------------------------- differs by kind

    def statistics(self) -> SupervisorStatistics:
        """Return a snapshot, without a message to the supervisor."""
        raise NotImplementedError

    def records(self) -> Collection[SupervisedChild]:
        """Return the records of its children, in order: for viewers, who read them and change none."""
        raise NotImplementedError

    def record_of(self, pid: Pid) -> SupervisedChild | None:
        """Return the record of the child that a process is; None for any other process."""
        raise NotImplementedError

    def id_of(self, child: SupervisedChild) -> object:
        """Return the id by which it knows a child; None if it knows it by pid."""
        return child.spec.id

    async def supervise(self, flags: F) -> None:
        """Apply the flags, and start the first children."""
        raise NotImplementedError

    async def on_child_exited(self, message: Exited) -> None:
        """Handle the exit of a child; ignore the exit of any other process (S66, S67)."""
        raise NotImplementedError

    async def on_retry(self, message: Retry) -> Outcome:
        """Retry the start of a child whose last start failed, unless it was terminated meanwhile."""
        raise NotImplementedError

    async def shut_all_down(self) -> None:
        """Shut all children down, before the supervisor itself ends."""
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------------- life

    async def init(self) -> None:
        """Trap exits, register the name, get the flags from the class's `init` (S7), and start the children."""
        self.pid.trapping = True
        self.register()
        flags = await self.server.init(*self.args, **self.kwargs)
        self.args, self.kwargs = (), {}
        if isinstance(flags, Ignore):
            self.failure = flags
            raise Exit(NORMAL)
        if not isinstance(flags, self.flags):
            raise Exit(("bad_return", (type(self.server), "init", flags)))
        self.pid.dictionary = {**(self.pid.dictionary or {}), SupervisingProcess: self}
        await self.supervise(cast("F", flags))

    async def on_exited(self, message: Exited) -> Outcome:
        """End in order with the parent (S65); handle the exit of a child."""
        if message.pid is self.parent:
            raise Exit(message.reason)
        await self.on_child_exited(message)
        return None

    async def end(self, error: BaseException, message: object) -> None:
        """Shut all children down (S50), then end as any server does."""
        await self.shut_all_down()
        await super().end(error, message)

    def answer_call(self, message: Call, value: object) -> None:
        """Answer an admin call."""
        if self.debug is not None:
            self.debug.answers(value, message.from_.owner)
        message.from_.reply(value)

    # ------------------------------------------------------------------------------------------- single children

    async def start_process(
        self, spec: ChildSpec, prepended: tuple[object, ...] = (), appended: tuple[object, ...] = ()
    ) -> Started:
        """Run the start function of a child, and turn its result or exception into a `Started` (S11, D4).

        It awaits only the result of an asynchronous start function.
        """
        function, args, kwargs = spec.start
        try:
            started = function(*prepended, *args, *appended, **kwargs)
            if type(started) is not Ok and isawaitable(started):
                started = await started
        except BaseException as error:  # the start function's: the child counts as not started
            if self.pid.state is not State.ALIVE:
                raise
            started = Error(reason_of_failure(without_our_frame(error))[0])
        if type(started) is Ok and issubclass(type(started.value), RemotePid):
            started = Error(("remote_child", repr(started.value)))  # its end would not be ours to wait for (NO15)
        if type(started) is Ok and issubclass(type(started.value), Pid):
            if events.child_started.handlers:
                events.child_started.emit(supervisor=self.pid, spec=spec, pid=started.value)
        elif not issubclass(type(started), Ignore):  # `isinstance` may run code of the value, which may be anything
            if type(started) is not Error:
                started = Error(started)
            if events.start_error.handlers and not _runs_already(started.reason):
                told = child_has_reported(self.pid, started.reason)
                exception = None if told else exception_of(started.reason)
                events.start_error.emit(
                    supervisor=self.pid, spec=spec, reason=started.reason, told=told, exception=exception
                )
            forget_frames(started.reason)
        return started

    async def shut_down(self, pid: Pid, spec: ChildSpec) -> None:
        """Tell a process to end, and wait until it has wholly ended; kill it if it takes too long (S51 to S55).

        This waits on a monitor, since the child may have unlinked itself (S58), and removes the child's exit signal
        from the mailbox (S59).
        """
        me = self.pid
        gone: Reason = NOPROC
        if pid.state is not State.DEAD:
            seen, grace = len(me.mailbox), spec.grace()
            ref = add_monitor(me, of_this_thread(pid))
            if spec.shutdown == BRUTAL_KILL:
                pid.exit(KILL)
                down = await me.receive_ref(ref, seen, None)
            else:
                pid.exit(SHUTDOWN)
                countdown = Countdown(me.runtime.timers, grace, lambda late: late.exit(KILL), pid)
                try:
                    down = await me.receive_ref(ref, seen, None)
                finally:
                    countdown.stop()
            gone = down.reason if type(down) is Down else NOPROC
        self.report_shutdown(pid, spec, self.forget(pid, gone), dynamic=False)

    def forget(self, pid: Pid, reason: Reason) -> Reason:
        """Unlink a child that has ended; return the reason of its exit signal in the mailbox, else `reason`."""
        me = self.pid
        drop_link(me, pid)
        left = me.flush(lambda message: type(message) is Exited and message.pid is pid)
        return left.reason if type(left) is Exited else reason

    def report_exit(self, spec: ChildSpec, pid: Pid, reason: Reason) -> None:
        """Report a child that ended by itself, abnormally or although it is permanent."""
        if events.child_terminated.handlers:
            told = type(reason) is Crash or has_reported(pid)
            events.child_terminated.emit(supervisor=self.pid, spec=spec, pid=pid, reason=reason, told=told)

    def report_shutdown(self, pid: Pid, spec: ChildSpec, reason: Reason, *, dynamic: bool) -> None:
        """Report a child that was shut down, but ended in an unexpected way (S56, S57)."""
        if not obeyed(spec, reason, dynamic=dynamic) and events.shutdown_error.handlers:
            events.shutdown_error.emit(supervisor=self.pid, spec=spec, pid=pid, reason=reason)

    def count_restart(self, spec: ChildSpec) -> None:
        """Count one restart; raises `Exit`, which ends the supervisor, if it is one too many (S40)."""
        if not self.intensity.restart(self.pid.runtime.now()):
            if events.gave_up.handlers:
                events.gave_up.emit(supervisor=self.pid, spec=spec)
                note_report(self.pid, SHUTDOWN)
            raise Exit(SHUTDOWN)

    def begin_restart(self, spec: ChildSpec) -> float:
        """Count a restart, as `count_restart`; report its beginning, and return its time."""
        self.count_restart(spec)
        if events.restart_started.handlers:
            events.restart_started.emit(supervisor=self.pid, spec=spec)
        return self.pid.runtime.now()

    def end_restart(self, spec: ChildSpec, began: float, *, ok: bool) -> None:
        """Report the end of a restart."""
        if events.restart_stopped.handlers:
            seconds, outcome = self.pid.runtime.now() - began, "ok" if ok else "failed"
            events.restart_stopped.emit(supervisor=self.pid, spec=spec, seconds=seconds, outcome=outcome)

    def report_restart(self, child: SupervisedChild, pid: Pid) -> None:
        """Count the restart of a child, and report it."""
        child.restarts += 1
        if events.restarted.handlers:
            events.restarted.emit(supervisor=self.pid, spec=child.spec, pid=pid, restarts=child.restarts)

    handlers: ClassVar[dict[type | None, Handler]] = {**own_handlers(ServerProcess), Exited: on_exited}


def _runs_already(reason: Reason) -> bool:
    """Return whether a child did not start since its name is taken, which is a result for the caller, but no event."""
    return type(reason) is tuple and len(reason) == 2 and is_atom(reason[0], "already_started")  # noqa: PLR2004 - and the pid
