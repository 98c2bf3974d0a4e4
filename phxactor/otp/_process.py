"""The process of a server: starts it, hands it messages, ends it. Behaviours with their own messages extend it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

from trio.lowlevel import checkpoint

from phxactor.otp._call import Call, Cast, Name, SystemRequest
from phxactor.otp._debug import Continued, Debug
from phxactor.otp._interposing import interposable
from phxactor.otp._reports import crash_report, terminate_report
from phxactor.otp._results import UNSET, Continue, Error, Hibernate, Ignore, NoReply, Ok, Reply, Stop, Then, Timeout
from phxactor.runtime import (
    NORMAL,
    Exit,
    Exited,
    From,
    NameTakenError,
    Pid,
    Reason,
    State,
    is_benign,
    own,
    reason_of_failure,
    self_pid,
)
from phxactor.telemetry import brief

if TYPE_CHECKING:
    from phxactor.otp._gen_server import GenServer

Outcome: TypeAlias = "Reply | NoReply | Stop | None"
Handler: TypeAlias = "Callable[..., Awaitable[Outcome]]"
"""An unbound method of a `ServerProcess` that handles one message; unbound, since the table belongs to the class."""


class ServerProcess:
    """The loop of one server. `handlers` maps message types to methods; None stands for all other types."""

    __slots__ = (
        "answer",
        "args",
        "debug",
        "failure",
        "interrupted",
        "kwargs",
        "name",
        "parent",
        "pid",
        "server",
        "started",
        "suspended",
        "wait",
    )

    def __init__(
        self, server: GenServer, args: tuple[object, ...], kwargs: dict[str, object], name: Name | None
    ) -> None:
        """Prepare the process; `run` is its body."""
        self.server = server
        self.args = args
        self.kwargs = kwargs
        self.name = name
        self.started: From | None = None
        """The return address of the process that waits for `init`."""
        self.failure: Error | Ignore | None = None
        """The result for that process if the server did not start, unless it is the exit reason."""
        self.parent: Pid | None = None
        """The process whose exit ends the server: its spawner if they are linked, else the server itself (G18)."""
        self.wait: Timeout | None = None
        self.interrupted: tuple[Timeout, float] | None = None
        """The `Timeout` that a system message has interrupted, and its deadline in seconds (G42, G45)."""
        self.suspended = False
        self.debug: Debug | None = None
        self.answer: tuple[From, object] | None = None
        """The address and the value of a reply to send once `terminate` has run."""

    async def run(self) -> None:
        """Run the server from its start to its end: the body of the process."""
        self.pid = pid = self_pid()
        self.parent = pid.parent if pid.links and pid.parent in pid.links else pid
        try:
            then = await self.init()
        except BaseException as error:
            if pid.state is not State.ALIVE:
                raise
            reason, _ = reason_of_failure(error)
            if not is_benign(reason):
                crash_report(pid, reason, told=False)  # L5
            raise Exit(reason) from None
        if self.started is not None:
            self.started.reply(Ok(pid))
            self.started = None
        await self.loop(then)

    # -------------------------------------------------------------------------------------------- starting

    async def init(self) -> Then:
        """Register the name, then run the callback `init` (G13); raises `Exit` if the server is not to start."""
        self.register()
        result = await self.server.init(*self.args, **self.kwargs)
        self.args, self.kwargs = (), {}
        if result is None or isinstance(result, Continue | Timeout | Hibernate):
            return result
        if isinstance(result, Stop):
            self.failure = Error(result.reason)
            raise Exit(result.reason)
        if isinstance(result, Error | Ignore):
            self.failure = result
            raise Exit(NORMAL)
        raise Exit(("bad_return_value", result))

    def register(self) -> None:
        """Register the name given at the start; raises `Exit` if the name is taken (G12)."""
        name, pid = self.name, self.pid
        if name is None:
            return
        try:
            if isinstance(name, str):
                pid.runtime.names.register(name, pid)
            else:
                name.register(pid)
                own(pid, name.unregister)
        except NameTakenError as error:
            taken = pid.runtime.names.whereis(name) if isinstance(name, str) else name.whereis()
            self.failure = Error(("already_started", taken) if taken is not None else str(error))
            raise Exit(NORMAL) from None

    # ------------------------------------------------------------------------------------------------ loop

    async def loop(self, then: Then) -> None:
        """Handle messages until the server ends. Always raises: `Exit`, or the cancellation by an exit signal."""
        pid, handlers = self.pid, self.handlers
        receive = pid.receive
        message: object = None
        try:
            if then is not None:
                await self.proceed(then)
            while True:
                message = None  # a waiting server must not keep the last message
                if self.wait is None:
                    message = await receive()
                else:
                    message = await self.receive_or_time_out(self.wait)
                handler = handlers.get(type(message))
                if self.debug is not None:
                    outcome = await self.watched(self.debug, handlers[None] if handler is None else handler, message)
                else:
                    outcome = await (handlers[None] if handler is None else handler)(self, message)
                if outcome is not None:
                    await self.act(outcome)
                message = None  # a waiting server must not keep the last message
        except BaseException as error:  # a callback's: it becomes the exit reason
            if pid.state is not State.ALIVE:
                raise  # ended by an exit signal: `terminate` is not called (G56, G57)
            await self.end(error, message)

    async def receive_or_time_out(self, wait: Timeout) -> object:
        """Take a message, or that of the time-out. Either ends the time-out (G40), except a system message (G42)."""
        self.wait = None
        pid, own_message = self.pid, wait.message is not UNSET
        if own_message and wait.seconds <= 0:  # ahead of the messages in the mailbox (G45)
            await checkpoint()
            return wait.message
        deadline = pid.runtime.now() + wait.seconds
        try:
            message = await pid.receive(wait.seconds)
        except TimeoutError:
            return wait.message if own_message else "timeout"
        if type(message) is SystemRequest:
            self.interrupted = wait, deadline
        return message

    async def watched(self, debug: Debug, handler: Handler, message: object) -> Outcome:
        """Handle a message, and report it to the observers of the server (Y6)."""
        if type(message) is not SystemRequest:
            debug.took(message)
        outcome = await handler(self, message)
        if type(message) is not SystemRequest:
            debug.returned()
        return outcome

    async def act(self, outcome: Outcome) -> None:
        """Carry out the result of a callback that is not None (G38)."""
        if isinstance(outcome, NoReply):
            await self.proceed(outcome.then)
        elif isinstance(outcome, Stop):
            raise Exit(outcome.reason)
        else:
            raise Exit(("bad_return_value", outcome))

    async def proceed(self, then: Then) -> None:
        """Carry out what a callback wants before the next message: `handle_continue`, or a time-out."""
        while isinstance(then, Continue):
            if self.debug is not None:
                self.debug.tell(Continued(then.argument))
            outcome = await self.server.handle_continue(then.argument)
            if outcome is None:
                return
            if not isinstance(outcome, NoReply):
                await self.act(outcome)
            then = outcome.then if isinstance(outcome, NoReply) else None
            await checkpoint()  # so that a server that always continues lets others run, and can be killed
        self.wait = then if isinstance(then, Timeout) else None

    # -------------------------------------------------------------------------------------------- messages

    async def on_call(self, message: Call) -> Outcome:
        """Run `handle_call` and send its answer."""
        outcome = await self.server.handle_call(message.request, message.from_)
        if type(outcome) is Reply:
            if self.debug is not None:
                self.debug.answers(outcome.value, message.from_.owner)
            message.from_.reply(outcome.value)
            return None if outcome.then is None else NoReply(outcome.then)
        if outcome is None:  # most likely a `match` without a matching case: the caller must not wait in vain
            raise NotImplementedError(
                f"{type(self.server).__qualname__}.handle_call returned None for {brief(message.request)}: "
                "it must return Reply(...), Stop(...), or NoReply() to answer later"
            )
        if isinstance(outcome, Stop) and outcome.reply is not UNSET:
            self.answer = message.from_, outcome.reply
        return outcome

    async def on_cast(self, message: Cast) -> Outcome:
        """Run `handle_cast`."""
        return await self.server.handle_cast(message.request)

    def on_other(self, message: object) -> Awaitable[Outcome]:
        """Run `handle_info`."""
        return self.server.handle_info(message)

    async def on_exited(self, message: Exited) -> Outcome:
        """End with the parent (G54, G61); the end of any other process is a message for `handle_info` (G55)."""
        if message.pid is self.parent:
            raise Exit(message.reason)
        return await self.server.handle_info(message)

    async def on_system(self, message: SystemRequest) -> Outcome:
        """Run a system request; while suspended, take only system requests and the parent's end (Y3)."""
        interrupted, self.interrupted = self.interrupted, None
        message.run(self)
        while self.suspended:
            overtaking = await self.pid.receive_matching(self.overtakes)
            if type(overtaking) is SystemRequest:
                overtaking.run(self)
            else:
                await self.on_exited(overtaking)  # type: ignore[arg-type]
        if interrupted is None:
            return None
        wait, deadline = interrupted
        if wait.message is not UNSET:
            wait = Timeout(deadline - self.pid.runtime.now(), wait.message)
        return NoReply(wait)

    def overtakes(self, message: object) -> bool:
        """Return whether a suspended server takes this message."""
        return type(message) is SystemRequest or (type(message) is Exited and message.pid is self.parent)

    # ------------------------------------------------------------------------------------------------- end

    async def end(self, error: BaseException, message: object) -> None:
        """Run `terminate`, report an abnormal end, send the answer of a `Stop` (G29), and raise `Exit`."""
        reason, failure = reason_of_failure(error)
        try:
            await self.server.terminate(reason)
        except BaseException as second:  # raised by `terminate`: it becomes the exit reason
            if self.pid.state is not State.ALIVE:
                raise
            reason, failure = reason_of_failure(second)  # G63
        if not is_benign(reason):
            self.report_end(reason, message, failure)
        if self.answer is not None:
            self.answer[0].reply(self.answer[1])
        raise Exit(reason) from None

    def report_end(self, reason: Reason, message: object, failure: BaseException | None) -> None:
        """Report an abnormal end by the server's own callbacks (L2); `message` is the last message it took."""
        crash_report(self.pid, terminate_report(self, message, reason), told=True)

    handlers: ClassVar[dict[type | None, Handler]] = {
        Call: on_call,
        Cast: on_cast,
        Exited: on_exited,
        SystemRequest: on_system,
        None: on_other,
    }


KINDS: Final = (Call, Cast, None)
"""Messages for the callbacks of a server, whose handling may be measured."""
interposable(ServerProcess, KINDS)
