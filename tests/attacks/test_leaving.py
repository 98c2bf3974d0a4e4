"""What is left of clients who have gone while a handler that never ends was busy for them: nothing."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio

from tests.attacks.target import MARKS, MEGABYTE, Target, running
from tests.attacks.test_work import upgrade
from tests.patience import PATIENCE

pytestmark = MARKS

CLIENTS = 150
MANY = 500
LITTLE = 6 * MEGABYTE
"""What a program that has been warmed up grows by."""

REQUESTS = {
    "connect": upgrade(path=b"/hanging"),
    "connect of a long poll": b"GET /hanging/longpoll?vsn=2.0.0 HTTP/1.1\r\nhost: a\r\n\r\n",
    "route": b"GET /hang HTTP/1.1\r\nhost: a\r\n\r\n",
}
LOOK = b"GET /processes HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"


@attrs.frozen
class Left:
    """What there was before the clients came, while they were there, and once they had gone."""

    before: int
    during: int
    after: int
    """Processes."""
    descriptors: int
    """Files and sockets that are open more than before."""
    grown: int
    """Bytes of memory, in the second of two rounds."""
    work: float
    """Seconds of work from when they left until nothing was left."""


async def left_by(request: bytes, clients: int) -> Left:
    """Have so many clients come and go, twice."""
    with running("--most", str(2 * clients + 20)) as target:  # a session of long polling counts, too
        before, descriptors = await processes(target), open_files(target)
        await leave(target, await come(target, request, clients, before), before)
        memory = await target.at_rest()
        streams = await come(target, request, clients, before)
        during, work = await processes(target), target.work()
        after = await leave(target, streams, before)
        work = target.work() - work
        grown = await target.at_rest() - memory
        return Left(before, during, after, open_files(target) - descriptors, grown, work)


async def come(target: Target, request: bytes, clients: int, before: int) -> list[trio.abc.Stream]:
    """Connect so many, and wait until each of them hangs."""
    streams = []
    for _ in range(clients):
        streams.append(stream := await target.stream())
        await stream.send_all(request)
    await processes(target, at_least=before + clients)
    return streams


async def leave(target: Target, streams: list[trio.abc.Stream], before: int) -> int:
    """Have them leave; returns how many processes are left."""
    for stream in streams:
        await trio.aclose_forcefully(stream)
    return await processes(target, at_most=before)


async def processes(target: Target, *, at_least: int = 0, at_most: float = float("inf")) -> int:
    """Return how many processes there are, once they are so many or patience is over."""
    until = trio.current_time() + PATIENCE
    while True:
        count = int((await target.ask(LOOK)).split()[-1])
        if at_least <= count <= at_most or trio.current_time() > until:
            return count
        await trio.sleep(0.02)


def open_files(target: Target) -> int:
    return len(list(Path(f"/proc/{target.process.pid}/fd").iterdir()))


@pytest.mark.parametrize("name", REQUESTS)
async def test_nothing_is_left_of_those_who_have_gone(name: str) -> None:
    left = await left_by(REQUESTS[name], CLIENTS)
    assert left.during >= left.before + CLIENTS
    assert left.after <= left.before
    assert left.descriptors <= 0
    assert left.grown < LITTLE


async def print_figures(clients: str = str(MANY)) -> None:
    """Print what is left of so many."""
    for name, request in REQUESTS.items():
        left = await left_by(request, int(clients))
        print(  # noqa: T201 - its purpose
            f"{clients} clients, {name}: {left.before} processes before, {left.during} during, {left.after} after, "
            f"{left.descriptors} files and {left.grown / MEGABYTE:.1f} MB more, {1000 * left.work:.0f} ms of work"
        )


if __name__ == "__main__":
    trio.run(partial(print_figures, *sys.argv[1:]))
