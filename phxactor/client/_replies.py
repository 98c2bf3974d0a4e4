"""Replies that somebody waits for."""

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
    """One reply: it comes, or something else happens that makes it impossible."""

    __slots__ = ("_outcome", "_settled")

    def __init__(self) -> None:
        self._settled = trio.Event()
        self._outcome: Reply | ClientError | None = None

    def settle(self, outcome: Reply | ClientError) -> None:
        """Wake who waits; what comes second is dropped."""
        if self._outcome is None:
            self._outcome = outcome
            self._settled.set()

    async def wait(self) -> Reply:
        """Wait for the reply; raises what came instead."""
        await self._settled.wait()
        assert self._outcome is not None  # noqa: S101 - for mypy
        if isinstance(self._outcome, ClientError):
            raise copy(self._outcome)  # a traceback knows this frame, and with it what is kept
        return self._outcome


@final
class Replies:
    """All that are awaited, by ref."""

    __slots__ = ("_awaited",)

    def __init__(self) -> None:
        self._awaited: dict[Ref, Awaited] = {}

    def __len__(self) -> int:
        return len(self._awaited)

    @contextmanager
    def expect(self, ref: Ref) -> Iterator[Awaited]:
        """Expect a reply while the block lasts; one that comes later is dropped."""
        awaited = self._awaited[ref] = Awaited()
        try:
            yield awaited
        finally:
            del self._awaited[ref]

    def answer(self, reply: Reply) -> None:
        """Hand a reply to who waits for it; dropped when nobody does."""
        awaited = self._awaited.get(reply.ref)
        if awaited is not None:
            awaited.settle(reply)

    def fail(self, error: ClientError) -> None:
        """Raise an error where a reply is waited for, each time one of its own: a traceback belongs to one task."""
        for awaited in self._awaited.values():
            awaited.settle(copy(error))
