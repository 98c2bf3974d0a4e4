"""Plays orders in several forked processes of the operating system, each with a playground of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from phxactor.testing.exploration._bounded import Deviations, Played
from phxactor.testing.exploration._playing import Playground

CHUNK: Final = 16
"""Orders that a process gets at once."""

_mine: Final[list[Playground]] = []
"""The playground of this worker process."""
_kept: Final = ExitStack()


class WorkerError(Exception):
    """A play has failed in a worker process; the text is that of its exception."""


@contextmanager
def forked(
    make: Callable[[], Playground], workers: int
) -> Iterator[Callable[[Iterable[Deviations]], Iterator[Played]]]:
    """Start worker processes, and give what plays orders in them, while the block lasts."""
    context = multiprocessing.get_context("fork")
    with context.Pool(workers, _open, (make,)) as pool:

        def play_all(orders: Iterable[Deviations]) -> Iterator[Played]:
            for deviations, counts, error in pool.imap(_play, orders, CHUNK):
                yield Played(deviations, counts, None if error is None else WorkerError(error))

        yield play_all


def _open(make: Callable[[], Playground]) -> None:
    ground = make()
    _kept.enter_context(ground.open())  # it stays open until the worker process ends
    _mine.append(ground)


def _play(order: Deviations) -> tuple[Deviations, list[int], str | None]:
    played = _mine[0].order(order)
    return played.deviations, list(played.counts), None if played.error is None else repr(played.error)
