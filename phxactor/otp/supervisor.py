"""Supervisor: starts children in order, starts them again when they fail, stops them in the reverse order.

    supervisor = (await Supervisor.start_link([Store, (Cache, 1000)], strategy="rest_for_one")).unwrap()

or, with a class of its own, whose `init` runs in the supervisor's process:

    class Tree(Supervisor):
        async def init(self, size):
            return Supervise([Store, (Cache, size)], strategy="rest_for_one")

A supervisor is a server that always traps exits; what it does with whose end stands in `supervisor_process`.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

from phxactor.otp.call import Call, Called, Name, Server, locate, request_reply
from phxactor.otp.child_spec import Child, ChildSpec, child_spec
from phxactor.otp.gen_server import GenServer
from phxactor.otp.process import ServerProcess
from phxactor.otp.results import Error, Ignore, Ok
from phxactor.otp.start import start
from phxactor.otp.supervising import SupervisingProcess
from phxactor.otp.supervisor_flags import Supervise
from phxactor.otp.supervisor_process import SupervisorProcess
from phxactor.otp.supervisor_requests import (
    ChildCount,
    ChildInfo,
    CountChildren,
    DeleteChild,
    GetChildSpec,
    RestartChild,
    StartChild,
    SupervisorStatistics,
    TerminateChild,
    WhichChildren,
)
from phxactor.runtime import NOPROC, Exit, Pid


class Supervisor(GenServer):
    """Supervises children; subclass it to have a supervisor with a name and start arguments of its own.

    All calls wait as long as the supervisor is busy with starting or stopping a child (S85), unless they are given a
    `timeout` in seconds: then they raise `Exit(("timeout", Called(...)))`.
    """

    process: ClassVar[type[ServerProcess]] = SupervisorProcess

    async def init(self, *args: Any, **kwargs: Any) -> Supervise | Ignore:  # noqa: ANN401
        """Return the children and the rules for them, or `IGNORE` (S7)."""
        return cast("Supervise", args[0])

    @classmethod
    async def start_link(
        cls,
        *args: Any,  # noqa: ANN401
        name: Name | None = None,
        timeout: float | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> Ok[Pid] | Error | Ignore:
        """Start one, linked to the caller, and wait until all its children have started.

        `Supervisor` itself takes what `Supervise` takes, and raises as that does; a subclass what its `init` takes.
        If a child fails, the answer is `Error(Shutdown(("failed_to_start_child", id, reason)))` (S12).
        """
        if cls.init is Supervisor.init:
            args, kwargs = (Supervise(*args, **kwargs),), {}
        return await start(cls.process(cls(), args, kwargs, name), link=True, timeout=timeout)

    @classmethod
    def child_spec(cls, *args: object, **kwargs: object) -> ChildSpec:
        """Say how a supervisor above starts one: it is a supervisor, with all the time it needs to end (S1)."""
        return ChildSpec(id=cls.__name__, start=(cls.start_link, args, kwargs), type="supervisor")

    # ---------------------------------------------------------------------------------------- admin calls

    @staticmethod
    async def start_child(supervisor: Server, child: Child, *, timeout: float | None = None) -> Ok[Pid | None] | Error:
        """Start one more child, the last in start order (S77 to S80).

        Answers `Ok(pid)`, `Ok(None)` if it does not want to start, `Error(("already_started", pid))`,
        `Error("already_present")` or `Error((reason, spec))`.
        """
        answer = await _ask("start_child", supervisor, StartChild, child_spec(child), timeout)
        return cast("Ok[Pid | None] | Error", answer)

    @staticmethod
    async def terminate_child(supervisor: Server, id: object, *, timeout: float | None = None) -> Ok[None] | Error:  # noqa: A002
        """Shut a child down; its specification stays, unless it is temporary (S81)."""
        return cast("Ok[None] | Error", await _ask("terminate_child", supervisor, TerminateChild, id, timeout))

    @staticmethod
    async def restart_child(
        supervisor: Server,
        id: object,  # noqa: A002
        *,
        timeout: float | None = None,
    ) -> Ok[Pid | None] | Error:
        """Start a child again that is down; else `Error` with running, restarting or not_found (S82)."""
        return cast("Ok[Pid | None] | Error", await _ask("restart_child", supervisor, RestartChild, id, timeout))

    @staticmethod
    async def delete_child(supervisor: Server, id: object, *, timeout: float | None = None) -> Ok[None] | Error:  # noqa: A002
        """Forget a child that is down; else `Error` with running, restarting or not_found (S83)."""
        return cast("Ok[None] | Error", await _ask("delete_child", supervisor, DeleteChild, id, timeout))

    @staticmethod
    async def get_childspec(
        supervisor: Server, id_or_pid: object, *, timeout: float | None = None
    ) -> Ok[ChildSpec] | Error:
        """Return the specification of a child with all defaults filled in (S84)."""
        return cast("Ok[ChildSpec] | Error", await _ask("get_childspec", supervisor, GetChildSpec, id_or_pid, timeout))

    @staticmethod
    async def which_children(supervisor: Server, *, timeout: float | None = None) -> list[ChildInfo]:
        """List the children, last started first (S75)."""
        return cast("list[ChildInfo]", await _ask("which_children", supervisor, WhichChildren, None, timeout))

    @staticmethod
    async def count_children(supervisor: Server, *, timeout: float | None = None) -> ChildCount:
        """Count the children (S76)."""
        return cast("ChildCount", await _ask("count_children", supervisor, CountChildren, None, timeout))

    @staticmethod
    def statistics(supervisor: Server) -> SupervisorStatistics:
        """Look at a supervisor of any kind, without a message: at once, even if it is busy.

        Raises `Exit(("noproc", Called(...)))` if it is no supervisor that runs.
        """
        pid = locate(supervisor)
        process = (pid.dictionary or {}).get(SupervisingProcess) if pid is not None else None
        if not isinstance(process, SupervisingProcess):
            raise Exit((NOPROC, Called("Supervisor.statistics", supervisor)))
        return process.statistics()


async def _ask(function: str, supervisor: Server, make: type[Call], request: object, timeout: float | None) -> object:
    return await request_reply(f"Supervisor.{function}", supervisor, request, make, timeout)
