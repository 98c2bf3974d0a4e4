"""Replies that tasks wait for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import final

import trio

from phxactor.client._errors import ClientError
from phxactor.socket import Ref, Reply


@final
class Awaited:
    """One awaited reply: it is settled by the reply, or by the error that makes a reply impossible."""

    __slots__ = ("_outcome", "_settled")

    def __init__(self) -> None:
        self._settled = trio.Event()
        self._outcome: Reply | ClientError | None = None

    def settle(self, outcome: Reply | ClientError) -> None:
        """Set the outcome and wake the waiting task. Further outcomes are dropped."""
        if self._outcome is None:
            self._outcome = outcome
            self._settled.set()

    async def wait(self) -> Reply:
        """Wait for the reply, and return it or raise the error."""
        await self._settled.wait()
        assert self._outcome is not None  # noqa: S101 - for mypy
        if isinstance(self._outcome, ClientError):
            raise copy(self._outcome)  # the traceback of the raised object refers to this frame
        return self._outcome


@final
class Replies:
    """All awaited replies, by ref."""

    __slots__ = ("_awaited",)

    def __init__(self) -> None:
        self._awaited: dict[Ref, Awaited] = {}

    def __len__(self) -> int:
        return len(self._awaited)

    @contextmanager
    def expect(self, ref: Ref) -> Iterator[Awaited]:
        """Expect a reply while the block lasts. A later reply is dropped."""
        awaited = self._awaited[ref] = Awaited()
        try:
            yield awaited
        finally:
            del self._awaited[ref]

    def answer(self, reply: Reply) -> None:
        """Hand a reply to the task that waits for its ref. A reply that no task waits for is dropped."""
        awaited = self._awaited.get(reply.ref)
        if awaited is not None:
            awaited.settle(reply)

    def fail(self, error: ClientError) -> None:
        """Raise a copy of an error in each task that waits for a reply, since a traceback belongs to one task."""
        for awaited in self._awaited.values():
            awaited.settle(copy(error))
