"""GenServer: a process that keeps state and answers calls (docs/otp-semantics.md, section 5).

    class Stack(GenServer):
        async def init(self, items):
            self.items = list(items)

        async def handle_call(self, request, from_):
            match request:
                case "pop":
                    return Reply(self.items.pop())

        async def handle_cast(self, request):
            match request:
                case ("push", item):
                    self.items.append(item)

    stack = (await Stack.start_link([1, 2])).unwrap()
    await call(stack, "pop")

The state of a server is in `self`. `ServerProcess` runs its life:

    started ── init ──▶ loop: continue, then one message after the other ── stop, exception, parent's exit ──▶ terminate
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, overload

from phxactor.otp import events
from phxactor.otp._call import CALL_TIMEOUT, cast
from phxactor.otp._call import call as call_server
from phxactor.otp._callbacks import ANY, check_async, check_sync
from phxactor.otp._child_spec import ChildSpec
from phxactor.otp._process import ServerProcess
from phxactor.otp._reports import Status
from phxactor.otp._results import Continue, Error, Flags, Hibernate, Ignore, NoReply, Ok, Reply, Stop, Timeout
from phxactor.otp._start import start, stop
from phxactor.runtime import From, Pid, Reason, self_pid
from phxactor.telemetry import brief

if TYPE_CHECKING:
    from phxactor.otp._call import Name, Server, TypedRequest

A = TypeVar("A")

_CALLBACKS: Final = {
    "init": ANY,
    "handle_call": ("request", "from_"),
    "handle_cast": ("request",),
    "handle_info": ("message",),
    "handle_continue": ("argument",),
    "terminate": ("reason",),
}
"""The callbacks that are awaited, and the arguments of their calls."""


class GenServer:
    """The base class of servers: a subclass writes the callbacks that it needs.

    Every callback runs in the server's process. A callback that raises ends the server: `terminate` is called with a
    `Crash` of the exception, or with the reason of an `Exit` (G51, G52).
    """

    process: ClassVar[type[ServerProcess]] = ServerProcess
    """The class of the loop that runs the server."""

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Raise TypeError for callbacks that could not be called."""
        super().__init_subclass__(**kwargs)
        check_async(cls, _CALLBACKS)
        check_sync(cls, "format_status", "system_get_state", "system_replace_state")

    # ------------------------------------------------------------------------------------------ callbacks

    async def init(
        self,
        *args: Any,  # noqa: ANN401 - each server has its own start arguments
        **kwargs: Any,  # noqa: ANN401 - the same
    ) -> Continue | Timeout | Hibernate | Stop | Error | Ignore | Flags | None:
        """Set up the state, while `start_link` waits. `Stop`, `Error` and `IGNORE` mean "not started" (G1 to G9)."""

    async def handle_call(self, request: Any, from_: From) -> Reply | NoReply | Stop | None:  # noqa: ANN401 - a server knows its own messages, and may say their types
        """Answer a `call` with `Reply(value)`, or return `NoReply()` and answer with `from_.reply(value)` (G27, G28).

        A result of None is an error, so that a `match` without a matching case ends the server, as in Elixir.
        """
        raise NotImplementedError(f"{type(self).__qualname__} does not handle the call {brief(request)}")

    async def handle_cast(self, request: Any) -> NoReply | Stop | None:  # noqa: ANN401 - a server knows its own messages, and may say their types
        """Handle the request of a `cast`."""
        raise NotImplementedError(f"{type(self).__qualname__} does not handle the cast {brief(request)}")

    async def handle_info(self, message: Any) -> NoReply | Stop | None:  # noqa: ANN401 - a server knows its own messages, and may say their types
        """Handle any other message; by default, emit `phxactor.server.unexpected` and drop the message (G37)."""
        if events.unexpected.handlers:
            events.unexpected.emit(pid=self_pid(), server=type(self).__qualname__, message=message)
        return None

    async def handle_continue(self, argument: Any) -> NoReply | Stop | None:  # noqa: ANN401 - a server knows its own messages, and may say their types
        """Continue after a callback that returned `then=Continue(argument)` (G15, G16)."""
        raise NotImplementedError(f"{type(self).__qualname__} does not handle the continue {brief(argument)}")

    async def terminate(self, reason: Reason) -> None:
        """Clean up before the server ends (docs/otp-semantics.md, section 5.4).

        It is called if the server ends by its own callbacks or by `stop`, or with its parent if it traps exits. It is
        not called after an exit signal to a server that does not trap exits, nor after a kill.
        """

    # ------------------------------------------------------------------------------------- for the system

    def format_status(self, status: Status) -> Status:
        """Hide secrets from reports and `system.get_status`, by returning `attrs.evolve(status, state=...)` (L13)."""
        return status

    def system_get_state(self) -> object:
        """Return the answer of `system.get_state`: by default a dict of the attributes."""
        return dict(vars(self))

    def system_replace_state(self, state: object) -> None:
        """Take a new state from `system.replace_state`; raises TypeError if it is no dict."""
        if not isinstance(state, dict):
            raise TypeError(
                f"the state of {type(self).__qualname__} must be a dict of its attributes, not {state!r:.200}"
            )
        vars(self).clear()
        vars(self).update(state)

    # -------------------------------------------------------------------------------------------- starting

    @classmethod
    async def start_link(
        cls, *args: object, name: Name | None = None, timeout: float | None = None, **kwargs: object
    ) -> Ok[Pid] | Error | Ignore:
        """Start a server linked to the caller, and wait for its `init`.

        Returns `Ok(pid)`, or what `init` returned if it did not start. If `init` takes longer than `timeout` seconds,
        the process is killed, and this returns `Error("timeout")` (G10). Returns `Error(("already_started", pid))` if
        the name is taken (G12).
        """
        return await start(cls.process(cls(), args, kwargs, name), link=True, timeout=timeout)

    @classmethod
    async def start(
        cls, *args: object, name: Name | None = None, timeout: float | None = None, **kwargs: object
    ) -> Ok[Pid] | Error | Ignore:
        """Start a server without a link, which is its own parent (G18)."""
        return await start(cls.process(cls(), args, kwargs, name), link=False, timeout=timeout)

    @classmethod
    def child_spec(cls, *args: object, **kwargs: object) -> ChildSpec:
        """Make the child specification for a supervisor; `attrs.evolve` changes it (G75)."""
        return ChildSpec(id=cls.__name__, start=(cls.start_link, args, kwargs))

    # ----------------------------------------------------------------------------------------- from others

    if TYPE_CHECKING:  # the type of `staticmethod(call)` would have only the first overload

        @overload
        @staticmethod
        async def call(server: Server, request: TypedRequest[A], timeout: float | None = CALL_TIMEOUT) -> A: ...
        @overload
        @staticmethod
        async def call(server: Server, request: object, timeout: float | None = CALL_TIMEOUT) -> Any: ...  # noqa: ANN401
        @staticmethod
        async def call(server: Server, request: object, timeout: float | None = CALL_TIMEOUT) -> object:
            """Do as the function `call`."""

    else:
        call = staticmethod(call_server)
    cast = staticmethod(cast)
    stop = staticmethod(stop)
