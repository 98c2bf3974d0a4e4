"""A loop of asyncio in a process, and what is called in it."""

from __future__ import annotations

import asyncio


async def add(one: int, other: int, *, slowly: float = 0) -> int:
    await asyncio.sleep(slowly)
    return one + other
