"""Tasks that take messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

Taken = list[tuple[str, object]]


async def _take(taken: Taken, name: str, receives: Awaitable[object]) -> None:
    taken.append((name, await receives))


def _is(value: object) -> Callable[[object], bool]:
    return lambda message: message == value
