"""Checks the signatures of callbacks when their class is defined."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from types import FunctionType
from typing import Final

ANY: Final = None
"""The parameters of a callback that may take any arguments."""


def check_async(cls: type, callbacks: Mapping[str, tuple[str, ...] | None]) -> None:
    """Raise TypeError for a callback that is no `async def`, or that does not take the arguments of its call.

    `callbacks` maps each name to the parameters of its call, or to `ANY`. The parameters of a callback that is no plain
    function are not checked, nor is the result of a callable object whose class is not written in Python.
    """
    for name, parameters in callbacks.items():
        function = _function(cls, name)
        right = f"async def {name}({', '.join(('self', *(('...',) if parameters is ANY else parameters)))})"
        if not is_async(function):
            raise TypeError(
                f"{cls.__name__}.{name} is awaited: write it as `{right}`, without a yield, not {function!r}"
            )
        if parameters is not ANY and isinstance(function, FunctionType):
            bound = 0 if isinstance(inspect.getattr_static(cls, name), staticmethod) else 1
            try:
                inspect.signature(function).bind(*range(bound + len(parameters)))
            except TypeError as error:
                raise TypeError(
                    f"{cls.__name__}.{name} does not take the arguments of its call ({error}): write it as `{right}`"
                ) from None


def check_sync(cls: type, *callbacks: str) -> None:
    """Raise TypeError for a callback that is an `async def`, although its result is not awaited."""
    for name in callbacks:
        function = _function(cls, name)
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"{cls.__name__}.{name} is not awaited: write it as `def {name}`, not {function!r}")


def is_async(function: object) -> bool:
    """Return whether calling a function gives an awaitable; true if that cannot be determined."""
    if not callable(function):
        return False
    unwrapped = inspect.unwrap(function)
    while isinstance(unwrapped, functools.partial):
        unwrapped = inspect.unwrap(unwrapped.func)
    if isinstance(unwrapped, type):
        return hasattr(unwrapped, "__await__")
    if inspect.iscoroutinefunction(unwrapped):
        return True
    if inspect.isroutine(unwrapped):  # a function, or a method of one
        return False
    call = getattr(type(unwrapped), "__call__", None)  # noqa: B004 - the method is inspected, not tested for
    return not isinstance(call, FunctionType) or inspect.iscoroutinefunction(call)


def _function(cls: type, name: str) -> object:
    found = inspect.getattr_static(cls, name)
    return found.__func__ if isinstance(found, staticmethod | classmethod) else found
