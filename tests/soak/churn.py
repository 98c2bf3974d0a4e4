"""Clients that come, lead a life, and make room for the next; beside them some that stay."""

from __future__ import annotations

import random
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import attrs
import orjson
import trio

from benchmarks.os_process import OsProcess
from tests.forked import start
from tests.patience import PATIENCE
from tests.soak.lives import LIVES, Visitor, listen

AT_ONCE: Final = 24
"""Lives that are led at the same time."""
LISTENERS: Final = 12
"""Clients that stay, and get all broadcasts of the lobby."""
PAUSE: Final = 0.1
"""Seconds between a life and the next one in its place."""


@attrs.define
class Churn:
    """A server in a process of its own, and those who come to it."""

    process: OsProcess
    port: int
    led: int = 0
    """Lives that have been led."""
    processes: int = 0
    """Processes of the server when only those are there who stay."""
    _begun: int = 0

    def resident(self) -> float:
        """Return the megabytes of memory that the server has."""
        return self.process.rss_kb() / 1024

    async def figures(self, *, sweep: bool = False) -> dict[str, Any]:
        """Ask the server what there is in it, after a collection of everything if that is asked for."""
        request = f"GET /figures{'?sweep=1' if sweep else ''} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        answer: dict[str, Any] = orjson.loads(await self.visitor().request(request.encode()))
        return answer

    def visitor(self) -> Visitor:
        """Make the next one, which does the same in each run."""
        self._begun += 1
        return Visitor(self.port, self._begun, random.Random(self._begun))  # noqa: S311 - the same in each run

    async def lead(self, lives: float) -> None:
        """Lead so many lives, some at once; it may be `math.inf`."""
        last = self._begun + lives

        async def one_by_one() -> None:
            while self._begun < last:
                visitor = self.visitor()
                await LIVES[visitor.number % len(LIVES)](visitor)
                self.led += 1
                await trio.sleep(PAUSE)

        async with trio.open_nursery() as nursery:
            for _ in range(AT_ONCE):
                nursery.start_soon(one_by_one)

    async def empty(self) -> dict[str, Any]:
        """Wait until nobody but the listeners is left, and return the figures then, after a collection.

        Who has left at once may yet be let in, so the server may collect more than once.
        """
        found = 0
        with trio.fail_after(PATIENCE):
            while True:
                if (await self.figures())["processes"] <= self.processes:
                    figures = await self.figures(sweep=True)
                    found += figures["found"]
                    if figures["processes"] <= self.processes:
                        return {**figures, "found": found}
                await trio.sleep(0.05)


@contextmanager
def _serving() -> Iterator[Churn]:
    process = start("tests.soak.server", stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    with process.stdout:
        try:
            yield Churn(OsProcess(process.pid), int(process.stdout.readline()))
            assert process.poll() is None, "the server has ended"
        finally:
            process.terminate()
            process.wait()


@asynccontextmanager
async def churning() -> AsyncIterator[Churn]:
    """Start the server, and those who stay."""
    with _serving() as churn:
        async with trio.open_nursery() as nursery:
            for _ in range(LISTENERS):
                nursery.start_soon(listen, await churn.visitor().joined("room:lobby"))
            churn.processes = (await churn.figures())["processes"]
            yield churn
            nursery.cancel_scope.cancel()
