"""DynamicSupervisor: any number of independent children that start and end at any time.

    pool = (await DynamicSupervisor.start_link(max_children=1000)).unwrap()
    room = (await DynamicSupervisor.start_child(pool, (Room, "lobby"))).unwrap()

Starting a child must be cheap, since each connection and each joined channel starts one.
"""

from __future__ import annotations

from typing import ClassVar, cast

from phxactor.otp._base_supervisor import BaseSupervisor, ask
from phxactor.otp._call import Server
from phxactor.otp._child_spec import Child, ChildSpec, Started, child_spec
from phxactor.otp._dynamic_supervisor_process import DynamicSupervisorProcess
from phxactor.otp._results import Error, Ok
from phxactor.otp._supervising import SupervisingProcess
from phxactor.otp._supervisor_requests import StartChild, TerminateChild
from phxactor.runtime import From, Pid, of_this_thread


class DynamicSupervisor(BaseSupervisor):
    """Supervises children that `start_child` starts; subclass it to give it an `init` with other arguments."""

    process: ClassVar[type[DynamicSupervisorProcess]] = DynamicSupervisorProcess

    @staticmethod
    async def start_child(supervisor: Server, child: Child, *, timeout: float | None = None) -> Started:
        """Start a child, and wait until it has started; the caller is not linked to it (D15).

        Returns `Ok(pid)`, `IGNORE`, `Error("max_children")` or `Error(reason)` (D3, D4). The child's id has no
        meaning: the same specification can be started many times (D2). Raises as `call`; by default without a timeout.
        """
        return cast("Started", await ask("start_child", supervisor, StartChild, child_spec(child), timeout))

    @staticmethod
    def request_child(supervisor: Pid, child: Child, from_: From, *arguments: object) -> None:
        """Ask for a child without waiting, for code that cannot wait, such as a port.

        `arguments` follow the specification's own arguments of the start function, so that many children can share one
        specification. It must be temporary then, since the arguments are not kept for a restart; else ValueError.

        `from_.owner` gets `Answer(from_, result)`, with the result of `start_child`. No answer comes if the supervisor
        has ended or ends before that: give a `Monitor` of the supervisor as `from_` to get a `Down` then. Raises
        WrongThreadError in another thread.
        """
        spec = child if type(child) is ChildSpec else child_spec(child)
        if arguments and spec.restart != "temporary":
            raise ValueError(f"the child {spec.id!r} is {spec.restart}; only a temporary child takes extra arguments")
        of_this_thread(supervisor).deliver(StartChild(spec, from_, arguments))

    @staticmethod
    async def terminate_child(supervisor: Server, pid: Pid, *, timeout: float | None = None) -> Ok[None] | Error:
        """Shut a child down; `Error("not_found")` if `pid` is no child, or has already ended (D8)."""
        return cast("Ok[None] | Error", await ask("terminate_child", supervisor, TerminateChild, pid, timeout))

    @staticmethod
    def pids(supervisor: Pid) -> list[Pid]:
        """Return the processes of the children at once, without a message; none if the supervisor has ended."""
        process = (supervisor.dictionary or {}).get(SupervisingProcess)
        return [*process.children] if isinstance(process, DynamicSupervisorProcess) else []

    @staticmethod
    def count(supervisor: Pid) -> int:
        """Return the number of children at once, without a message; 0 if the supervisor has ended."""
        process = (supervisor.dictionary or {}).get(SupervisingProcess)
        return len(process.children) if isinstance(process, DynamicSupervisorProcess) else 0
