"""What only the garbage collector would find: objects that refer to each other, and that nobody else has any more.

A program has its long-lived objects frozen (`phxactor.runtime._garbage`), so such garbage would stay. What ends must
leave none.
"""

from __future__ import annotations

import gc
import logging
import time
import types
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest
import trio

from phxactor.runtime import Timer
from tests.patience import PATIENCE

Act = Callable[[], Awaitable[object]]

NOT_LOOKED_AT = (dict, tuple)
"""The collector stops looking at those that hold only numbers and texts: they seem to vanish, and are no garbage."""


@contextmanager
def no_cycles() -> Iterator[None]:
    """Fail when the block leaves some; what it does must have been done once before, as that fills caches.

    Nothing is logged meanwhile: pytest keeps what is, and with it exceptions and their frames.
    """
    with garbage() as found:
        yield
    if found:
        lines = [f"{number} times {name}" for name, number in found.most_common()]
        pytest.fail("\n".join(["only the collector would find", *lines]), pytrace=False)


@contextmanager
def garbage() -> Iterator[Counter[str]]:
    """Count, by kind, what the block leaves; the count is there once it has ended."""
    logging.disable()
    gc.collect()
    gc.disable()
    gc.freeze()  # only what is new counts
    found: Counter[str] = Counter()
    try:
        yield found
        found.update(_found())
    finally:
        gc.enable()
        logging.disable(logging.NOTSET)


async def leaves_no_cycles(act: Act, times: int = 2) -> None:
    """Do something once, and then so many times without the collector; fail when that leaves some."""
    logging.disable()
    await act()
    with no_cycles():
        for _ in range(times):
            await act()


async def none_leaves_anything(acts: Mapping[str, Act], *packages: str) -> None:
    """Do each once, and once more without the collector; fail with the name of the first that leaves something.

    That is garbage, or an object of one of the packages that stays in use.
    """
    logging.disable()
    for act in acts.values():
        await act()
    with no_cycles():
        for name, act in acts.items():
            await act()
            until = time.monotonic() + PATIENCE
            while (found := _in_use(packages)) and time.monotonic() < until:  # noqa: ASYNC110
                await trio.sleep(0.001)
            if found := found or _found():
                pytest.fail(f"{name}: {dict(found)}", pytrace=False)
            gc.freeze()


def _in_use(packages: tuple[str, ...]) -> Counter[str]:
    """Count the objects of packages; the heap keeps timers that are cancelled, empty, until it has enough of them."""
    every = [one for one in gc.get_objects() if not isinstance(one, NOT_LOOKED_AT)]
    names = [_name(one) for one in every if type(one) is not Timer]
    return Counter(name for name in names if name.partition(".")[0].lstrip("_") in packages)


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
