"""The functions that Supervisor and DynamicSupervisor share: starting one, and asking it about its children."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from phxactor.otp._call import Call, Name, Server, locate, request_reply
from phxactor.otp._called import Called
from phxactor.otp._child_spec import ChildSpec
from phxactor.otp._gen_server import GenServer
from phxactor.otp._results import Error, Flags, Ignore, Ok
from phxactor.otp._supervising import SupervisingProcess
from phxactor.otp._supervisor_requests import (
    ChildCount,
    ChildInfo,
    CountChildren,
    GetChildSpec,
    SupervisorStatistics,
    WhichChildren,
)
from phxactor.runtime import NOPROC, Exit, Pid, self_pid


class BaseSupervisor(GenServer):
    """A server whose process supervises children.

    Each call waits while the supervisor is busy with starting or stopping a child (S85). If a call has a `timeout` in
    seconds, it raises `Exit(("timeout", Called(...)))` after that time.
    """

    process: ClassVar[type[SupervisingProcess[Any]]]

    async def init(self, *args: Any, **kwargs: Any) -> Flags | Ignore:  # noqa: ANN401
        """Return the children and the rules for them (`Flags`), or `IGNORE` (S7)."""
        return cast("Flags", args[0])

    @classmethod
    async def start_link(
        cls,
        *args: Any,  # noqa: ANN401
        name: Name | None = None,
        timeout: float | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> Ok[Pid] | Error | Ignore:
        """Start a supervisor linked to the caller, and wait until its children have started.

        A class with its own `init` takes the arguments of that `init`. Any other class takes the arguments of its flags
        (`Supervise`, `SuperviseDynamically`), and raises as they do. If a child does not start, this returns
        `Error(Shutdown(("failed_to_start_child", id, reason)))` (S12).
        """
        if cls.init is BaseSupervisor.init:
            args, kwargs = (cls.process.flags(*args, **kwargs),), {}
        return await super().start_link(*args, name=name, timeout=timeout, **kwargs)

    @classmethod
    def child_spec(cls, *args: object, **kwargs: object) -> ChildSpec:
        """Make the child specification: of type supervisor, so with no time limit for its end (S1)."""
        return ChildSpec(id=cls.__name__, start=(cls.start_link, args, kwargs), type="supervisor")

    # ---------------------------------------------------------------------------------------- for the system

    def system_get_state(self) -> object:
        """Return what `statistics` returns (Y9)."""
        return self.statistics(self_pid())

    def system_replace_state(self, state: object) -> None:
        """Raise TypeError: the state of a supervisor consists of its children."""
        raise TypeError("the state of a supervisor cannot be replaced: start and terminate its children instead")

    # -------------------------------------------------------------------------------------------- admin calls

    @staticmethod
    async def get_childspec(
        supervisor: Server, id_or_pid: object, *, timeout: float | None = None
    ) -> Ok[ChildSpec] | Error:
        """Return the specification of a child with all defaults filled in (S84), by id or pid."""
        return cast("Ok[ChildSpec] | Error", await ask("get_childspec", supervisor, GetChildSpec, id_or_pid, timeout))

    @staticmethod
    async def which_children(supervisor: Server, *, timeout: float | None = None) -> list[ChildInfo]:
        """List the children: of a Supervisor, last started first (S75); of others, in no particular order (D13)."""
        return cast("list[ChildInfo]", await ask("which_children", supervisor, WhichChildren, None, timeout))

    @staticmethod
    async def count_children(supervisor: Server, *, timeout: float | None = None) -> ChildCount:
        """Count the children (S76, D14)."""
        return cast("ChildCount", await ask("count_children", supervisor, CountChildren, None, timeout))

    @staticmethod
    def statistics(supervisor: Server) -> SupervisorStatistics:
        """Return a snapshot of a supervisor of any kind, at once and without a message, even if it is busy (Y11, Y12).

        Raises `Exit(("noproc", Called(...)))` if `supervisor` is no running supervisor.
        """
        pid = locate(supervisor)
        process = (pid.dictionary or {}).get(SupervisingProcess) if pid is not None else None
        if not isinstance(process, SupervisingProcess):
            raise Exit((NOPROC, Called("Supervisor.statistics", supervisor)))
        return process.statistics()


async def ask(function: str, supervisor: Server, make: type[Call], request: object, timeout: float | None) -> object:
    """Send a request of class `make` to a supervisor, and wait for the answer."""
    return await request_reply(f"Supervisor.{function}", supervisor, request, make, timeout)
