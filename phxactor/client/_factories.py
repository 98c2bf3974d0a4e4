"""Options that may be a function, so that each try has a fresh value: tokens expire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TypeAlias, TypeVar, cast

T = TypeVar("T")

ValueOrFactory: TypeAlias = T | Callable[[], T | Awaitable[T]]
"""A value, or a function that makes one, synchronous or not."""


async def resolve(value: ValueOrFactory[T]) -> T:
    """Take the value, or have it made."""
    made = value() if callable(value) else value
    return cast("T", await made if isawaitable(made) else made)
