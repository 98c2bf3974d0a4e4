"""The results of callbacks and of starting a process: Elixir's tagged tuples as small named values."""

from __future__ import annotations

from typing import Final, Generic, NoReturn, TypeVar, final

import attrs

from phxactor.runtime import NORMAL, Reason, format_reason

T_co = TypeVar("T_co", covariant=True)


@final
class Unset:
    """The type of `UNSET`, which means that no value was given, not even None."""

    def __repr__(self) -> str:
        """Show the name of the constant."""
        return "UNSET"


UNSET: Final = Unset()


class StartError(RuntimeError):
    """A process did not start; `reason` is the reason."""

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
    """`{:error, reason}`: a failure and its reason, or a channel's error answer."""

    reason: Reason = None

    def unwrap(self) -> NoReturn:
        """Raise StartError with the reason."""
        raise StartError(self.reason)


@final
class Ignore:
    """The type of `IGNORE`: a process that chose not to start (G3)."""

    def __repr__(self) -> str:
        """Show it as Elixir would."""
        return ":ignore"

    def unwrap(self) -> NoReturn:
        """Raise StartError with the reason `"ignore"`."""
        raise StartError("ignore")


IGNORE: Final = Ignore()


@attrs.frozen
class Continue:
    """Run `handle_continue(argument)` before the server takes any message (G15, G16)."""

    argument: object = None


@attrs.frozen
class Timeout:
    """Pass `"timeout"` to `handle_info` if no message comes within `seconds`; any message cancels this (G39 to G43).

    With a `message` it is OTP's newer time-out: `handle_info` gets that message instead. With 0 seconds it comes even
    before waiting messages, and a system message does not restart the time (G45).
    """

    seconds: float
    message: object = UNSET


@final
class Hibernate:
    """The type of `HIBERNATE`."""


HIBERNATE: Final = Hibernate()
"""Accepted wherever Elixir takes `:hibernate`; it has no effect here (G44)."""

Then = Continue | Timeout | Hibernate | None
"""The action of a server before it takes the next message."""


@attrs.define  # not frozen: each call makes one, and instances of frozen attrs classes cost more
class Reply:
    """`{:reply, value, state, then}`: answer the call."""

    value: object = None
    then: Then = None


@attrs.define
class NoReply:
    """`{:noreply, state, then}`; a callback may also return None, which is a `NoReply` without a `then`."""

    then: Then = None


@attrs.frozen
class Stop:
    """`{:stop, reason, state}`, or with `reply` `{:stop, reason, reply, state}`: end the server (G29, G30, G50)."""

    reason: Reason = NORMAL
    reply: object = UNSET


class Flags:
    """The base class of what a supervisor's `init` returns (see `supervisor_flags`); no other server returns it."""

    __slots__ = ()
