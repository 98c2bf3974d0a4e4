"""DynamicSupervisor: children that come and go, any number of them, each for itself.

    pool = (await DynamicSupervisor.start_link(max_children=1000)).unwrap()
    room = (await DynamicSupervisor.start_child(pool, (Room, "lobby"))).unwrap()

Starting a child is made to be cheap: it is paid once for each connection, and once for each channel that is joined.
"""

from __future__ import annotations

from typing import ClassVar, cast

from phxactor.otp._base_supervisor import BaseSupervisor, ask
from phxactor.otp._call import Server
from phxactor.otp._child_spec import Child, ChildSpec, Started, child_spec
from phxactor.otp._dynamic_supervisor_process import DynamicSupervisorProcess
from phxactor.otp._results import Error, Ok
from phxactor.otp._supervisor_requests import StartChild, TerminateChild
from phxactor.runtime import From, Pid, of_this_thread


class DynamicSupervisor(BaseSupervisor):
    """Supervises children that are started with `start_child`; subclass it for start arguments of its own."""

    process: ClassVar[type[DynamicSupervisorProcess]] = DynamicSupervisorProcess

    @staticmethod
    async def start_child(supervisor: Server, child: Child, *, timeout: float | None = None) -> Started:
        """Start a child, and wait until it has started; the caller is not linked to it (D15).

        Answers `Ok(pid)`, `IGNORE`, `Error("max_children")` or `Error(reason)` (D3, D4). The child's id is of no
        meaning: the same specification can be started many times (D2).
        """
        return cast("Started", await ask("start_child", supervisor, StartChild, child_spec(child), timeout))

    @staticmethod
    def request_child(supervisor: Pid, child: Child, from_: From, *arguments: object) -> None:
        """Ask for a child without waiting, for code that cannot, such as a port.

        `arguments` follow those of the specification's start function, so that many children can be started from one;
        it must be temporary then, or ValueError is raised: with what would one be started again?

        What `start_child` would have answered comes as `Answer(from_, result)` to `from_.owner`. Nothing comes if the
        supervisor is gone or ends before: have a `Monitor` of it as `from_`, and its `Down` tells.
        """
        spec = child if type(child) is ChildSpec else child_spec(child)
        if arguments and spec.restart != "temporary":
            raise ValueError(f"the child {spec.id!r} is {spec.restart}; only a temporary one has arguments of its own")
        of_this_thread(supervisor).deliver(StartChild(spec, from_, arguments))

    @staticmethod
    async def terminate_child(supervisor: Server, pid: Pid, *, timeout: float | None = None) -> Ok[None] | Error:
        """Shut a child down; `Error("not_found")` if it is none, or gone already (D8)."""
        return cast("Ok[None] | Error", await ask("terminate_child", supervisor, TerminateChild, pid, timeout))
