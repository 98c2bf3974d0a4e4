"""What only the garbage collector would find: objects that refer to each other, and that nobody else has any more.

A program has its long-lived objects frozen (`phxactor.runtime.garbage`), so such garbage would stay. What ends must
leave none.
"""

from __future__ import annotations

import gc
import logging
import types
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

NOT_LOOKED_AT = (dict, tuple)
"""The collector stops looking at those that hold only numbers and texts: they seem to vanish, and are no garbage."""


@contextmanager
def no_cycles() -> Iterator[None]:
    """Fail when the block leaves some; what it does must have been done once before, as that fills caches.

    Nothing is logged meanwhile: pytest keeps what is, and with it exceptions and their frames.
    """
    logging.disable()
    gc.collect()
    gc.disable()
    gc.freeze()  # only what is new counts
    try:
        yield
        found = _found()
    finally:
        gc.unfreeze()
        gc.enable()
        logging.disable(logging.NOTSET)
    if found:
        lines = [f"{number} times {name}" for name, number in found.most_common()]
        pytest.fail("\n".join(["only the collector would find", *lines]), pytrace=False)


async def leaves_no_cycles(act: Callable[[], Awaitable[object]], times: int = 2) -> None:
    """Do something once, and then so many times without the collector; fail when that leaves some."""
    logging.disable()
    await act()
    with no_cycles():
        for _ in range(times):
            await act()


def _found() -> Counter[str]:
    """Count what a collection frees, by kind; its own count leaves out what its finalizer has freed."""
    kinds: dict[int, str] = {}
    for one in gc.get_objects():
        if not isinstance(one, NOT_LOOKED_AT):
            kinds[id(one)] = _name(one)
    del one
    gc.collect()
    left = set(map(id, gc.get_objects()))
    return Counter(name for number, name in kinds.items() if number not in left)


def _name(one: object) -> str:
    match one:
        case types.FrameType():
            return f"frame of {one.f_code.co_qualname}"
        case types.FunctionType() | types.CoroutineType() | types.GeneratorType():
            return f"{type(one).__name__} {one.__qualname__}"
        case _:
            return f"{type(one).__module__}.{type(one).__qualname__}"
