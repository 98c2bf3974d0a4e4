"""Supervisor: starts children in order, restarts them when they fail, and stops them in reverse order.

    supervisor = (await Supervisor.start_link([Store, (Cache, 1000)], strategy="rest_for_one")).unwrap()

or, with a subclass, whose `init` runs in the supervisor's process:

    class Tree(Supervisor):
        async def init(self, size):
            return Supervise([Store, (Cache, size)], strategy="rest_for_one")

A supervisor is a server that always traps exits; `supervisor_process` handles the exits of children.
"""

from __future__ import annotations

from typing import ClassVar, cast

from phxactor.otp._base_supervisor import BaseSupervisor, ask
from phxactor.otp._call import Server
from phxactor.otp._child_spec import Child, child_spec
from phxactor.otp._results import Error, Ok
from phxactor.otp._supervisor_process import SupervisorProcess
from phxactor.otp._supervisor_requests import DeleteChild, RestartChild, StartChild, TerminateChild
from phxactor.runtime import Pid


class Supervisor(BaseSupervisor):
    """Supervises a list of children; subclass it to give it an `init` with other arguments."""

    process: ClassVar[type[SupervisorProcess]] = SupervisorProcess

    @staticmethod
    async def start_child(supervisor: Server, child: Child, *, timeout: float | None = None) -> Ok[Pid | None] | Error:
        """Start one more child, the last in start order (S77 to S80).

        Returns `Ok(pid)`, `Ok(None)` if the start function returned `IGNORE`, `Error(("already_started", pid))` or
        `Error("already_present")` if the id is known, or `Error((reason, spec))` if the start failed.
        """
        answer = await ask("start_child", supervisor, StartChild, child_spec(child), timeout)
        return cast("Ok[Pid | None] | Error", answer)

    @staticmethod
    async def terminate_child(
        supervisor: Server, child_id: object, *, timeout: float | None = None
    ) -> Ok[None] | Error:
        """Shut a child down, and keep its specification unless it is temporary; else `Error("not_found")` (S81)."""
        return cast("Ok[None] | Error", await ask("terminate_child", supervisor, TerminateChild, child_id, timeout))

    @staticmethod
    async def restart_child(
        supervisor: Server, child_id: object, *, timeout: float | None = None
    ) -> Ok[Pid | None] | Error:
        """Start a child that is down; else `Error` with `"running"`, `"restarting"` or `"not_found"` (S82)."""
        return cast("Ok[Pid | None] | Error", await ask("restart_child", supervisor, RestartChild, child_id, timeout))

    @staticmethod
    async def delete_child(supervisor: Server, child_id: object, *, timeout: float | None = None) -> Ok[None] | Error:
        """Delete a child that is down; else `Error` with `"running"`, `"restarting"` or `"not_found"` (S83)."""
        return cast("Ok[None] | Error", await ask("delete_child", supervisor, DeleteChild, child_id, timeout))
