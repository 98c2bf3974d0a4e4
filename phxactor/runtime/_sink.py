"""A sink: it stores messages of one type in place of a process's port (see `pid`)."""

from __future__ import annotations

from typing import Any, Final, Protocol, final


class Sink(Protocol):
    """Stores messages of one type in place of a process's port, in the sender's context."""

    @property
    def takes(self) -> type | None:
        """The exact type of the messages, not its subclasses; None for no messages."""

    def put(self, message: Any, /) -> None:  # noqa: ANN401 - of the type `takes`
        """Store a message. It must not send, spawn or exit. An exception ends the port's process."""


@final
class NoSink:
    """The sink of a process that has none."""

    __slots__ = ()
    takes = None

    def put(self, message: object, /) -> None:
        """Do nothing; it is never called, since `takes` is None."""


NO_SINK: Final = NoSink()
