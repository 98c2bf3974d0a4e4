"""A sink: what puts messages of one type down in the place of a process's port (see `pid`)."""

from __future__ import annotations

from typing import Any, Final, Protocol, final


class Sink(Protocol):
    """Puts down messages of one type in the place of a process's port."""

    @property
    def takes(self) -> type | None:
        """The type, just this one."""

    def put(self, message: Any, /) -> None:  # noqa: ANN401 - of the type that it takes
        """Put a message down."""


@final
class NoSink:
    """The sink of a process that has none."""

    __slots__ = ()
    takes = None

    def put(self, message: object, /) -> None:
        """Take nothing, and is given nothing."""


NO_SINK: Final = NoSink()
