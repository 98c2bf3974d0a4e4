"""DynamicSupervisor: children that come and go, any number of them, each for itself.

    pool = (await DynamicSupervisor.start_link(max_children=1000)).unwrap()
    room = (await DynamicSupervisor.start_child(pool, (Room, "lobby"))).unwrap()

Starting a child is made to be cheap: it is paid once for each connection, and once for each channel that is joined.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

from phxactor.otp.call import Name, Server, request_reply
from phxactor.otp.child_spec import Child, ChildSpec, Started, child_spec
from phxactor.otp.dynamic_supervisor_process import DynamicSupervisorProcess
from phxactor.otp.gen_server import GenServer
from phxactor.otp.process import ServerProcess
from phxactor.otp.results import Error, Ignore, Ok
from phxactor.otp.start import start
from phxactor.otp.supervisor import Supervisor
from phxactor.otp.supervisor_flags import SuperviseDynamically
from phxactor.otp.supervisor_requests import StartChild, TerminateChild
from phxactor.runtime import From, Pid


class DynamicSupervisor(GenServer):
    """Supervises children that are started with `start_child`; subclass it for start arguments of its own."""

    process: ClassVar[type[ServerProcess]] = DynamicSupervisorProcess

    async def init(self, *args: Any, **kwargs: Any) -> SuperviseDynamically | Ignore:  # noqa: ANN401
        """Return the rules for the children, or `IGNORE`."""
        return cast("SuperviseDynamically", args[0])

    @classmethod
    async def start_link(
        cls,
        *args: Any,  # noqa: ANN401
        name: Name | None = None,
        timeout: float | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> Ok[Pid] | Error | Ignore:
        """Start one, linked to the caller.

        `DynamicSupervisor` itself takes what `SuperviseDynamically` takes, and raises as that does; a subclass what its
        `init` takes.
        """
        if cls.init is DynamicSupervisor.init:
            args, kwargs = (SuperviseDynamically(*args, **kwargs),), {}
        return await start(cls.process(cls(), args, kwargs, name), link=True, timeout=timeout)

    @classmethod
    def child_spec(cls, *args: object, **kwargs: object) -> ChildSpec:
        """Say how a supervisor above starts one: it is a supervisor, with all the time it needs to end (S1)."""
        return ChildSpec(id=cls.__name__, start=(cls.start_link, args, kwargs), type="supervisor")

    # ---------------------------------------------------------------------------------------- children

    @staticmethod
    async def start_child(supervisor: Server, child: Child, *, timeout: float | None = None) -> Started:
        """Start a child, and wait until it has started; the caller is not linked to it (D15).

        Answers `Ok(pid)`, `IGNORE`, `Error("max_children")` or `Error(reason)` (D3, D4). The child's id is of no
        meaning: the same specification can be started many times (D2).
        """
        spec = child_spec(child)
        answer = await request_reply("DynamicSupervisor.start_child", supervisor, spec, StartChild, timeout)
        return cast("Started", answer)

    @staticmethod
    def request_child(supervisor: Pid, child: Child, from_: From) -> None:
        """Ask for a child without waiting, for code that cannot, such as a port.

        What `start_child` would have answered comes as `Answer(from_, result)` to `from_.owner`. Nothing comes if the
        supervisor is gone or ends before: have a `Monitor` of it as `from_`, and its `Down` tells.
        """
        supervisor.send(StartChild(child_spec(child), from_))

    @staticmethod
    async def terminate_child(supervisor: Server, pid: Pid, *, timeout: float | None = None) -> Ok[None] | Error:
        """Shut a child down; `Error("not_found")` if it is none, or gone already (D8)."""
        answer = await request_reply("DynamicSupervisor.terminate_child", supervisor, pid, TerminateChild, timeout)
        return cast("Ok[None] | Error", answer)

    which_children = staticmethod(Supervisor.which_children)
    count_children = staticmethod(Supervisor.count_children)
    get_childspec = staticmethod(Supervisor.get_childspec)
    statistics = staticmethod(Supervisor.statistics)
