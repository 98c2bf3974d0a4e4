"""What callbacks return, and what starting a process answers: Elixir's tagged tuples as small named values."""

from __future__ import annotations

from typing import Final, Generic, NoReturn, TypeVar, final

import attrs

from phxactor.runtime import NORMAL, Reason, format_reason

T_co = TypeVar("T_co", covariant=True)


@final
class Unset:
    """The type of `UNSET`, which tells "nothing was given" from None."""

    def __repr__(self) -> str:
        """Show it as what it says."""
        return "UNSET"


UNSET: Final = Unset()


class StartError(RuntimeError):
    """A process did not start; `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        """Keep the reason."""
        super().__init__(f"the process did not start: {format_reason(reason)}")
        self.reason = reason


@attrs.frozen
class Ok(Generic[T_co]):
    """`{:ok, value}`, or `{:ok, value, info}`: success, e.g. the pid of a started process, or a channel's answer."""

    value: T_co = None  # type: ignore[assignment]
    info: object = attrs.field(default=None, kw_only=True)

    def unwrap(self) -> T_co:
        """Return the value."""
        return self.value


@attrs.frozen
class Error:
    """`{:error, reason}`: no success, and why; a channel's error answer."""

    reason: Reason = None

    def unwrap(self) -> NoReturn:
        """Raise StartError."""
        raise StartError(self.reason)


@final
class Ignore:
    """The type of `IGNORE`: a process that chose not to start (G3)."""

    def __repr__(self) -> str:
        """Show it as Elixir would."""
        return ":ignore"

    def unwrap(self) -> NoReturn:
        """Raise StartError."""
        raise StartError("ignore")


IGNORE: Final = Ignore()


@attrs.frozen
class Continue:
    """Run `handle_continue(argument)` before any message is taken (G15, G16)."""

    argument: object = None


@attrs.frozen
class Timeout:
    """Hand `"timeout"` to `handle_info` if no message comes within `seconds`; any message cancels it (G39 to G43).

    With a `message` of its own it is OTP's newer time-out: that message is handed over, for 0 seconds even before any
    that waits, and a system message does not start it anew (G45).
    """

    seconds: float
    message: object = UNSET


@final
class Hibernate:
    """The type of `HIBERNATE`."""


HIBERNATE: Final = Hibernate()
"""Accepted wherever Elixir takes `:hibernate`; without a meaning here (G44)."""

Then = Continue | Timeout | Hibernate | None
"""What a server does before it takes the next message."""


@attrs.define  # not frozen: one is made for each call, and frozen attrs classes cost twice as much to make
class Reply:
    """`{:reply, value, state, then}`: answer the call."""

    value: object = None
    then: Then = None


@attrs.define
class NoReply:
    """`{:noreply, state, then}`; None alone says the same without a `then`."""

    then: Then = None


@attrs.frozen
class Stop:
    """`{:stop, reason, state}`, with `reply` `{:stop, reason, reply, state}`: end this process (G29, G30, G50)."""

    reason: Reason = NORMAL
    reply: object = UNSET


class Flags:
    """What `init` of a supervisor returns, see `supervisor_flags`; of no other server."""

    __slots__ = ()
