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

State lives in `self`. The life of a server, all of it in `ServerProcess`:

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
"""What is awaited, and with which arguments."""


class GenServer:
    """Subclass it and write the callbacks that are wanted.

    Every callback runs in the server's process. One that raises ends the server: `terminate` is called with the
    `Crash`, and so is one that raises `Exit` (G51, G52).
    """

    process: ClassVar[type[ServerProcess]] = ServerProcess
    """The loop that runs it."""

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Refuse callbacks that could not be called. Raises TypeError."""
        super().__init_subclass__(**kwargs)
        check_async(cls, _CALLBACKS)
        check_sync(cls, "format_status", "system_get_state", "system_replace_state")

    # ------------------------------------------------------------------------------------------ callbacks

    async def init(
        self,
        *args: Any,  # noqa: ANN401 - what a server starts with is its own
        **kwargs: Any,  # noqa: ANN401 - the same
    ) -> Continue | Timeout | Hibernate | Stop | Error | Ignore | Flags | None:
        """Set the state up; the starter waits for it. `Stop`, `Error` and `IGNORE` mean: not started (G1 to G9)."""

    async def handle_call(self, request: Any, from_: From) -> Reply | NoReply | Stop | None:  # noqa: ANN401 - a server knows its own messages, and may say their types
        """Answer a `call` with `Reply(value)`, or return `NoReply()` and answer with `from_.reply(value)` (G27, G28).

        None is an error, so that a `match` without a matching case ends the server, as in Elixir.
        """
        raise NotImplementedError(f"{type(self).__qualname__} handles no call, and got {events.brief(request)}")

    async def handle_cast(self, request: Any) -> NoReply | Stop | None:  # noqa: ANN401 - a server knows its own messages, and may say their types
        """Take a `cast`."""
        raise NotImplementedError(f"{type(self).__qualname__} handles no cast, and got {events.brief(request)}")

    async def handle_info(self, message: Any) -> NoReply | Stop | None:  # noqa: ANN401 - a server knows its own messages, and may say their types
        """Take any other message; by default it is told to `phxactor.server.unexpected` and dropped (G37)."""
        if events.unexpected.handlers:
            events.unexpected.emit(pid=self_pid(), server=type(self).__qualname__, message=message)
        return None

    async def handle_continue(self, argument: Any) -> NoReply | Stop | None:  # noqa: ANN401 - a server knows its own messages, and may say their types
        """Go on after a callback that said `then=Continue(argument)` (G15, G16)."""
        raise NotImplementedError(f"{type(self).__qualname__} handles no continue, and got {events.brief(argument)}")

    async def terminate(self, reason: Reason) -> None:
        """Clean up. Called when the server ends by its own callbacks, `stop`, or, if it traps exits, its parent (5.4).

        Not called for an exit signal to a server that does not trap exits, nor for a kill.
        """

    # ------------------------------------------------------------------------------------- for the system

    def format_status(self, status: Status) -> Status:
        """Hide what reports and `system.get_status` must not show: return `attrs.evolve(status, state=...)` (L13)."""
        return status

    def system_get_state(self) -> object:
        """Return what `system.get_state` shows: by default a dict of the attributes."""
        return dict(vars(self))

    def system_replace_state(self, state: object) -> None:
        """Take what `system.replace_state` made of that."""
        if not isinstance(state, dict):
            raise TypeError(f"the state of {type(self).__qualname__} is a dict of its attributes, not {state!r:.200}")
        vars(self).clear()
        vars(self).update(state)

    # -------------------------------------------------------------------------------------------- starting

    @classmethod
    async def start_link(
        cls, *args: object, name: Name | None = None, timeout: float | None = None, **kwargs: object
    ) -> Ok[Pid] | Error | Ignore:
        """Start one, linked to the caller, and wait for its `init`.

        `timeout` seconds after which it is killed (G10). Answers `Error(("already_started", pid))` if the name is
        taken (G12).
        """
        return await start(cls.process(cls(), args, kwargs, name), link=True, timeout=timeout)

    @classmethod
    async def start(
        cls, *args: object, name: Name | None = None, timeout: float | None = None, **kwargs: object
    ) -> Ok[Pid] | Error | Ignore:
        """Start one without a link: it is its own parent (G18)."""
        return await start(cls.process(cls(), args, kwargs, name), link=False, timeout=timeout)

    @classmethod
    def child_spec(cls, *args: object, **kwargs: object) -> ChildSpec:
        """Say how a supervisor starts one; `attrs.evolve` changes it (G75)."""
        return ChildSpec(id=cls.__name__, start=(cls.start_link, args, kwargs))

    # ----------------------------------------------------------------------------------------- from others

    if TYPE_CHECKING:  # the type of `staticmethod(call)` would have the first way of calling it only

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
