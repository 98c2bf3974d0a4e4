"""Options that may be functions, called for each try, since values such as tokens expire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TypeAlias, TypeVar, cast

T = TypeVar("T")

ValueOrFactory: TypeAlias = T | Callable[[], T | Awaitable[T]]
"""A value, or a synchronous or asynchronous function that returns one."""


async def resolve(value: ValueOrFactory[T]) -> T:
    """Return the value, or the result of the function."""
    made = value() if callable(value) else value
    return cast("T", await made if isawaitable(made) else made)
