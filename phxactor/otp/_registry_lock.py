"""Locks by key: one process after the other (RG22)."""

from __future__ import annotations

from collections.abc import Hashable
from types import TracebackType
from typing import TypeAlias

import trio

Locks: TypeAlias = dict[Hashable, trio.Lock]
"""The keys that are locked, or waited for."""


class KeyLock:
    """Held within an `async with`; given back however that is left, also by the end of the process."""

    __slots__ = ("_key", "_locks")

    def __init__(self, locks: Locks, key: Hashable) -> None:
        """Made by `Registry.lock`."""
        self._locks = locks
        self._key = key

    async def __aenter__(self) -> None:
        """Wait for those who came before."""
        lock = self._locks.setdefault(self._key, trio.Lock())
        try:
            await lock.acquire()
        except BaseException:
            self._forget(lock)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let the next one in."""
        lock = self._locks[self._key]
        lock.release()
        self._forget(lock)

    def _forget(self, lock: trio.Lock) -> None:
        """Keep no lock that nobody has or waits for: a release hands it to who waits."""
        if not lock.locked():
            self._locks.pop(self._key, None)
