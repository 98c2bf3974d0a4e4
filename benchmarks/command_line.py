"""What the commands of this folder share."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

ItemT = TypeVar("ItemT")


def tell(line: str) -> None:
    """Show that it goes on."""
    print(line, file=sys.stderr, flush=True)


def progress(items: Sequence[ItemT]) -> Iterator[tuple[str, ItemT]]:
    """Go through long work; beside each piece stands which of how many it is, and how long the rest may take."""
    began = time.monotonic()
    for index, item in enumerate(items):
        left = (time.monotonic() - began) / index * (len(items) - index) / 60 if index else None
        yield f"[{index + 1}/{len(items)}" + ("]" if left is None else f", {left:.0f} min left]"), item


def at_least_one(text: str) -> int:
    """Read a number of times."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least once")
    return number


def chosen_names(text: str, known: Iterable[str]) -> frozenset[str]:
    """Read names with commas between them."""
    chosen, there = frozenset(text.split(",")), sorted(known)
    if unknown := chosen - set(there):
        raise argparse.ArgumentTypeError(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(there)}")
    return chosen


def read_port(description: str | None) -> int:
    """Read the command line of a server."""
    return read_address(description)[0]


def read_address(description: str | None) -> tuple[int, str | None]:
    """Read the command line of a server that may share a Redis with others: the port, and the URL of the Redis."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=4200)
    parser.add_argument("--redis", metavar="URL", help="be one of several processes that have the same Redis")
    chosen = parser.parse_args()
    return chosen.port, chosen.redis
