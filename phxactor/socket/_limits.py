"""The limits of one connection that its multiplexer keeps."""

from __future__ import annotations

from typing import Protocol


class Limits(Protocol):
    """The options of a mounted socket are one (`transport/_options.py`)."""

    @property
    def max_channels(self) -> int:
        """Topics that are joined or being joined, at most."""

    @property
    def join_timeout(self) -> float:
        """Seconds until a join that is not answered fails."""

    @property
    def max_input_bytes(self) -> int:
        """Bytes of memory that the client's messages take while they wait for channels, at most."""

    @property
    def max_containers(self) -> int | None:
        """Arrays and objects that a client's message may have; None for any number."""

    @property
    def max_messages_per_second(self) -> float | None:
        """Messages per second that are taken; None for any number."""

    @property
    def max_joins_per_second(self) -> float | None:
        """Joins per second that are taken; None for any number."""
