"""The options of sharded servers."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import attrs

from phxactor import _checks
from phxactor.otp import GenServer, ServerProcess
from phxactor.runtime import check_name

OnSplit: TypeAlias = Literal["both", "majority"]
"""
both            each side of a split runs the keys; when it heals, the states are merged
majority        the small side runs none (`NOPROC`), and loses their state
"""
MAX_WAITING = 100_000
"""What may wait in a node for owners, at most; more is refused."""


def _check_server(_: object, __: object, server: Any) -> None:  # noqa: ANN401 - any value
    if not (isinstance(server, type) and issubclass(server, GenServer) and server.process is ServerProcess):
        raise TypeError(f"what is sharded is a class of plain GenServers, not {server!r}")


def _check_name(_: object, __: object, name: str) -> None:
    check_name(name)


@attrs.frozen
class Options:
    """The options of one name. Raises TypeError or ValueError for one that is wrong."""

    name: str = attrs.field(validator=_check_name)
    server: type[GenServer] = attrs.field(validator=_check_server)
    on_split: OnSplit = attrs.field(
        default="both", kw_only=True, validator=_checks.validator(_checks.one_of(("both", "majority")))
    )
    idle: float | None = attrs.field(
        default=None, kw_only=True, validator=_checks.validator(_checks.optional(_checks.seconds))
    )
    """Seconds without a message after which a server ends; None for never."""
    eager: bool = attrs.field(default=False, kw_only=True, validator=_checks.validator(_checks.flag))
    """Whether keys of a node that is lost start elsewhere at once, and not with the next message."""
    settle: float = attrs.field(default=1.0, kw_only=True, validator=_checks.validator(_checks.seconds))
    """Seconds that a node which has just started waits for others, and that the large side of a split waits for the
    small one to stop."""
    hand_over: float = attrs.field(default=5.0, kw_only=True, validator=_checks.validator(_checks.seconds))
    """Seconds that a server may take to give its state away; then it is killed."""
    max_waiting: int = attrs.field(default=MAX_WAITING, kw_only=True, validator=_checks.validator(_checks.whole))
    always: tuple[str, ...] = attrs.field(default=(), kw_only=True)
    """Keys that run always."""
