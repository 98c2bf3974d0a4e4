"""Locks by key: one process after the other (RG22)."""

from __future__ import annotations

from collections.abc import Hashable
from types import TracebackType
from typing import TypeAlias

import trio

Locks: TypeAlias = dict[Hashable, trio.Lock]
"""The locks of the keys that are locked or waited for."""


class KeyLock:
    """A lock that is held within an `async with`, and released however the block is left, even by a kill."""

    __slots__ = ("_key", "_locks")

    def __init__(self, locks: Locks, key: Hashable) -> None:
        """Make the lock for `Registry.lock`."""
        self._locks = locks
        self._key = key

    async def __aenter__(self) -> None:
        """Acquire the lock, after the processes that asked before."""
        lock = self._locks.setdefault(self._key, trio.Lock())
        try:
            await lock.acquire()
        except BaseException:
            self._forget(lock)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Release the lock to the next waiting process."""
        lock = self._locks[self._key]
        lock.release()
        self._forget(lock)

    def _forget(self, lock: trio.Lock) -> None:
        """Delete the lock if no process holds it. A release hands it over, so no process waits then either."""
        if not lock.locked():
            self._locks.pop(self._key, None)
