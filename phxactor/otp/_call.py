"""Calls: ask a server and wait for its answer; the addresses of servers (docs/otp-semantics.md, section 5.2)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar, overload, runtime_checkable

from phxactor.otp._called import Called
from phxactor.otp._results import Ok
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
    forget_frames,
    not_here,
    ref_of,
    self_pid,
    whereis,
    without_our_frame,
)
from phxactor.runtime.signals import demonitor, monitor

if TYPE_CHECKING:
    from phxactor.otp._process import ServerProcess

A_co = TypeVar("A_co", covariant=True)
A = TypeVar("A")
R = TypeVar("R")

CALL_TIMEOUT = 5.0
"""Seconds that a call waits, unless told otherwise (G23)."""


@runtime_checkable
class Via(Protocol):
    """A name that is kept somewhere else than in the runtime's table, such as a Registry's key."""

    def register(self, pid: Pid) -> None:
        """Take the name for a process; raises NameTakenError."""

    def unregister(self, pid: Pid) -> None:
        """Give the name back."""

    def whereis(self) -> Pid | None:
        """Return the owner, or None."""


Name: TypeAlias = "str | Via"
Server: TypeAlias = "Pid | str | Via"
"""Whom to call: a pid, a registered name, or a name kept elsewhere."""


class Call:
    """A request on its way; answer it with `from_.reply(value)`."""

    __slots__ = ("from_", "request")

    def __init__(self, request: object, from_: From) -> None:
        """Keep both."""
        self.request = request
        self.from_ = from_

    def __repr__(self) -> str:
        """Show the request."""
        return f"Call({self.request!r})"


class Cast:
    """A request that nobody waits for."""

    __slots__ = ("request",)

    def __init__(self, request: object) -> None:
        """Keep it."""
        self.request = request

    def __repr__(self) -> str:
        """Show the request."""
        return f"Cast({self.request!r})"


class SystemRequest:
    """A request to the process of a server itself, not to its callbacks (docs/otp-semantics.md, section 12).

    `request(process, from_)` runs in the server's process; what it returns is the answer, what it raises fails the
    one who asked, and an `Exit` ends the server.
    """

    __slots__ = ("from_", "request")

    def __init__(self, request: Callable[[ServerProcess, From], object], from_: From) -> None:
        """Keep both."""
        self.request = request
        self.from_ = from_

    def run(self, process: ServerProcess) -> None:
        """Do it, in the server's process."""
        try:
            answer: Ok[object] | Crash = Ok(self.request(process, self.from_))
        except Exit:
            raise
        except BaseException as error:  # noqa: BLE001 - it is the asker's function: he gets it (Y2)
            answer = Crash(without_our_frame(error))
            forget_frames(answer)
        self.from_.reply(answer)


def locate(server: Server) -> Pid | None:
    """Find the process behind an address; None if there is none."""
    if isinstance(server, Pid):
        return server
    return whereis(server) if isinstance(server, str) else server.whereis()


class TypedRequest(Generic[A_co]):
    """A request that says what its answer is, to type checkers only. Subclass it; any other value is a request too.

        @attrs.frozen
        class Pop(TypedRequest[int]): ...

        number = await call(stack, Pop())  # an int

    The answer is not checked: the server has to keep the promise. Write no type beside the name that takes the
    answer: for `text: str = await call(stack, Pop())` mypy falls back on what any other request may answer.
    """

    __slots__ = ()


@overload
async def call(server: Server, request: TypedRequest[A], timeout: float | None = CALL_TIMEOUT) -> A: ...
@overload
async def call(server: Server, request: object, timeout: float | None = CALL_TIMEOUT) -> Any: ...  # noqa: ANN401 - the server knows
async def call(server: Server, request: object, timeout: float | None = CALL_TIMEOUT) -> object:
    """Ask, and wait for the answer; `timeout` in seconds, None to wait for ever.

    The answer of a `TypedRequest` has its type.

    Raises `Exit((reason, Called(...)))`, which may be caught, when the server is not there (`"noproc"`), ends before it
    answers (its reason), is the caller (`"calling_self"`), or does not answer in time (`"timeout"`). ValueError for a
    negative timeout (G26).
    """
    return await request_reply("GenServer.call", server, request, Call, timeout)


async def request_reply(
    function: str,
    server: Server,
    request: R,
    make: Callable[[R, From], object],
    timeout: float | None,
) -> object:
    """Send `make(request, from_)` and wait for its answer: the common way of `call` and of the system requests."""
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
    ref = monitor(me, pid)  # one fresh monitor a call, made before the request is sent (G32)
    if pid.state is not DEAD:
        pid.deliver(make(request, ref))
    try:
        answer = await me.receive_ref(ref, seen, None if timeout == math.inf else timeout)
    except TimeoutError:
        forget(me, ref)
        raise Exit(("timeout", Called(function, server, request, timeout))) from None
    except BaseException:
        forget(me, ref)
        raise
    if type(answer) is Answer:
        demonitor(ref, flush=True)  # the server may have ended since
        return answer.value
    reason: Reason = answer.reason if type(answer) is Down else NOPROC
    raise Exit((reason, Called(function, server, request, timeout)))


def checked_timeout(timeout: float | None) -> None:
    """Raise ValueError for what is no time-out (G26)."""
    if timeout is not None and not 0 <= timeout <= math.inf:
        raise ValueError(f"a timeout is a number of seconds from 0, or None, not {timeout!r}")


def forget(me: Pid, ref: Monitor) -> None:
    """Leave neither `Down` nor answer of a call that is given up (G24, TM26)."""
    demonitor(ref)
    while me.flush(lambda message: ref_of(message) is ref) is not None:
        pass


def cast(server: Server, request: object) -> None:
    """Tell without waiting; never raises, whatever has become of the server (G35).

    But outside of a process a name leads nowhere: NotAProcessError. In another thread: WrongThreadError.
    """
    try:
        pid = locate(server)
    except NotAProcessError:
        raise
    except (Exception, Exit):  # noqa: BLE001 - whatever an address kept elsewhere raises: an unknown registry, a partition
        return
    if pid is not None:
        pid.send(Cast(request))


def reply(from_: From, value: object) -> None:
    """Answer a call, from any process and at any time; dropped when nobody waits any more (G27)."""
    from_.reply(value)
