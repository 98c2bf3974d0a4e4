"""Ten reloads under 500 clients that connect and push all the time: python -m tests.soak.reloads [RELOADS] [CLIENTS].

The status is 1 if a connection was refused, if a client got anything but 1012, or if a push that a worker received was
not answered.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import trio

from tests.workers.reloads import reloaded

RELOADS: Final = 10
CLIENTS: Final = 500


async def soak(reloads: int, clients: int) -> None:
    """Raise AssertionError if somebody noticed more than a 1012."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        result = await reloaded(Path(folder), clients=clients, reloads=reloads, every=0.5)
    print(
        f"reloads: {reloads} under {clients} clients, {result.sessions:,} joins, {result.replies:,} pushes answered of"
        f" {result.answered:,}, closes {dict(result.codes)}, refused {len(result.refused)}, late {result.late},"
        f" away {result.away:.1f} s at most, {time.monotonic() - began:.0f} s",
        flush=True,
    )
    result.check(clients // 2, reloads)


def main(arguments: list[str]) -> None:
    """Do as the arguments say."""
    reloads, clients = [*map(int, arguments), *(RELOADS, CLIENTS)[len(arguments) :]]
    trio.run(soak, reloads, clients)


if __name__ == "__main__":
    main(sys.argv[1:])
