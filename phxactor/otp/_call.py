"""Calls: send a request to a server and wait for its answer (docs/otp-semantics.md, section 5.2)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar, overload, runtime_checkable

from phxactor.otp._called import Called
from phxactor.otp._results import Ok
from phxactor.otp.events import call_started, call_stopped
from phxactor.runtime import (
    DEAD,
    NOPROC,
    Answer,
    Crash,
    Down,
    Exit,
    From,
    Monitor,
    NotAProcessError,
    Pid,
    Reason,
    RemotePid,
    add_monitor,
    drop_monitor,
    forget_frames,
    is_atom,
    not_here,
    ref_of,
    self_pid,
    whereis,
    whereis_at,
    without_our_frame,
)

if TYPE_CHECKING:
    from phxactor.otp._process import ServerProcess

A_co = TypeVar("A_co", covariant=True)
A = TypeVar("A")
R = TypeVar("R")

CALL_TIMEOUT = 5.0
"""Seconds that a call waits by default (G23)."""


@runtime_checkable
class Via(Protocol):
    """A name that is kept outside of the runtime's table, such as a key of a Registry."""

    def register(self, pid: Pid) -> None:
        """Register the name for a process; raises NameTakenError."""

    def unregister(self, pid: Pid) -> None:
        """Free the name."""

    def whereis(self) -> Pid | None:
        """Return the owner, or None."""


Name: TypeAlias = "str | Via"
Server: TypeAlias = "Pid | str | tuple[str, object] | Via"
"""The address of a server: a pid, a registered name, a name on a node such as `("shop", node)`, or a `Via`."""


class Call:
    """The message that carries a request to a server; `from_.reply(value)` answers it."""

    __slots__ = ("context", "from_", "request")

    context: object
    """What traces the caller; not set unless something traces (phxactor.opentelemetry)."""

    def __init__(self, request: object, from_: From) -> None:
        """Store both."""
        self.request = request
        self.from_ = from_

    def __repr__(self) -> str:
        """Show the request."""
        return f"Call({self.request!r})"


class Cast:
    """The message that carries a request without an answer."""

    __slots__ = ("context", "request")

    context: object
    """As in `Call`."""

    def __init__(self, request: object) -> None:
        """Store the request."""
        self.request = request

    def __repr__(self) -> str:
        """Show the request."""
        return f"Cast({self.request!r})"


class SystemRequest:
    """A request to the process of a server itself, not to its callbacks (docs/otp-semantics.md, section 12).

    `request(process, from_)` runs in the server's process. Its result is the answer. An exception from it is raised in
    the caller, but an `Exit` ends the server.
    """

    __slots__ = ("from_", "request")

    def __init__(self, request: Callable[[ServerProcess, From], object], from_: From) -> None:
        """Store both."""
        self.request = request
        self.from_ = from_

    def run(self, process: ServerProcess) -> None:
        """Run the request in the server's process, and answer."""
        try:
            answer: Ok[object] | Crash = Ok(self.request(process, self.from_))
        except Exit:
            raise
        except BaseException as error:  # noqa: BLE001 - the function is the caller's, so the caller gets it (Y2)
            answer = Crash(without_our_frame(error))
            forget_frames(answer)
        self.from_.reply(answer)


def locate(server: Server) -> Pid | None:
    """Find the process behind an address; None if there is none."""
    if isinstance(server, Pid):
        return server
    if isinstance(server, tuple):
        return whereis_at(*server)
    return whereis(server) if isinstance(server, str) else server.whereis()


class TypedRequest(Generic[A_co]):
    """A base class for requests that tells type checkers the type of the answer. Other values are requests too.

        @attrs.frozen
        class Pop(TypedRequest[int]): ...

        number = await call(stack, Pop())  # an int

    The answer is not checked at run time: the server must answer with that type. Do not annotate the variable for the
    answer: with `text: str = await call(stack, Pop())` mypy falls back to `Any`, the answer of an untyped request.
    """

    __slots__ = ()


@overload
async def call(server: Server, request: TypedRequest[A], timeout: float | None = CALL_TIMEOUT) -> A: ...
@overload
async def call(server: Server, request: object, timeout: float | None = CALL_TIMEOUT) -> Any: ...  # noqa: ANN401 - the server knows
async def call(server: Server, request: object, timeout: float | None = CALL_TIMEOUT) -> object:
    """Send a request and wait for the answer; `timeout` is in seconds, None means for ever.

    To type checkers, the answer of a `TypedRequest[A]` is an `A`.

    Raises `Exit((reason, Called(...)))`, which may be caught, if the server does not exist (`"noproc"`), ends before it
    answers (its exit reason), is the caller (`"calling_self"`), or does not answer in time (`"timeout"`); if the line
    to the server's node is lost, or there is none, the reason is `("nodedown", node)`, and whether the server has taken
    the request is unknown (ND80, ND82). Raises ValueError for a negative timeout (G26), WrongThreadError if the server
    lives in another thread, TypeError if the request is for another node and cannot travel.
    """
    if call_stopped.handlers or call_started.handlers:
        return await _told_call(server, request, timeout)
    return await request_reply("GenServer.call", server, request, Call, timeout)


async def _told_call(server: Server, request: object, timeout: float | None) -> object:
    """Do the same, and tell when it begins and ends."""
    me = self_pid()
    pid = locate(server)
    name = "" if pid is None else pid.initial_call
    began, outcome = me.runtime.now(), "failed"
    if call_started.handlers:
        call_started.emit(pid=me, server=name)
    try:
        answer = await request_reply("GenServer.call", server, request, Call, timeout)
    except Exit as end:
        if type(end.reason) is tuple and is_atom(end.reason[0], "timeout"):
            outcome = "timeout"
        raise
    else:
        outcome = "ok"
        return answer
    finally:
        if call_stopped.handlers:
            call_stopped.emit(pid=me, server=name, seconds=me.runtime.now() - began, outcome=outcome)


async def request_reply(
    function: str,
    server: Server,
    request: R,
    make: Callable[[R, From], object],
    timeout: float | None,
) -> object:
    """Send `make(request, from_)` and wait for its answer. `call` and the system requests use this."""
    checked_timeout(timeout)
    me = self_pid()
    pid = locate(server)
    if pid is None:
        raise Exit((NOPROC, Called(function, server, request, timeout)))
    if pid is me:
        raise Exit(("calling_self", Called(function, server, request, timeout)))
    if pid.thread != me.thread:
        raise not_here(pid)
    seen = len(me.mailbox)
    ref = add_monitor(me, pid)  # one new monitor for each call, made before the request is sent (G32)
    try:
        if pid.state is not DEAD:
            pid.deliver(make(request, ref))
        answer = await me.receive_ref(ref, seen, None if timeout == math.inf else timeout)
    except TimeoutError:
        forget(me, ref)
        raise Exit(("timeout", Called(function, server, request, timeout))) from None
    except BaseException:
        forget(me, ref)
        raise
    if type(answer) is Answer:
        drop_monitor(ref, flush=True)  # the server may have ended since
        return answer.value
    reason: Reason = answer.reason if type(answer) is Down else NOPROC
    if isinstance(pid, RemotePid):
        reason = pid.called(ref, reason)
    raise Exit((reason, Called(function, server, request, timeout)))


def checked_timeout(timeout: float | None) -> None:
    """Raise ValueError for an invalid timeout (G26)."""
    if timeout is not None and not 0 <= timeout <= math.inf:
        raise ValueError(f"a timeout must be a number of seconds of at least 0, or None, not {timeout!r}")


def forget(me: Pid, ref: Monitor) -> None:
    """Drop the monitor of an abandoned call, and its `Down` or answer from the mailbox (G24, TM26)."""
    drop_monitor(ref)
    while me.flush(lambda message: ref_of(message) is ref) is not None:
        pass


def cast(server: Server, request: object) -> None:
    """Send a request without waiting. A server that does not exist is no error (G35).

    Raises NotAProcessError for a name outside of processes, and WrongThreadError in another thread.
    """
    try:
        pid = locate(server)
    except NotAProcessError:
        raise
    except (Exception, Exit):  # noqa: BLE001 - a `Via` may raise anything, such as for an unknown registry
        return
    if pid is not None:
        pid.send(Cast(request))


def reply(from_: From, value: object) -> None:
    """Answer a call, from any process and at any time; dropped if the caller no longer waits (G27)."""
    from_.reply(value)
