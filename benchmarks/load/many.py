"""One of several load generators for very many clients: `benchmarks.scale` starts them and tells them what to do.

Each line of standard input is a command; its answer is a line of JSON. All members are in one topic, and each has to
get every shout, once and in order.

    join N          N more members; answers {"joined", "seconds"}
    shout           the first member shouts; answers {}
    delivered N     waits until each member has got N shouts in all; answers {"seconds"} since the last shout here
    echo SECONDS    a client on a topic of its own asks again and again; answers {"p50_ms", "max_ms"}
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
from itertools import count
from typing import Final

import orjson
import uvloop

from benchmarks.load.client import Client, Connection
from benchmarks.load.dialects import Fault, Phoenix, shown
from benchmarks.load.echo import Echoes
from benchmarks.load.fanout import AT_ONCE, TOPIC
from benchmarks.load.figures import Loop
from benchmarks.os_process import OsProcesses, raise_file_limit

PATIENCE: Final = 120.0
"""Seconds without an answer that are too many."""

STIR: Final = 20.0
"""Seconds from one pong of a client to the next: the server closes one that is silent for 60."""


class Crowd:
    """The members, and how many shouts each has got."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.members: list[Connection] = []
        self.complete = 0
        """Members that have got as many shouts as are waited for."""
        self._numbers = count(1)
        self._seen: dict[int, bytes] = {}
        self._wanted = 0
        self._all = asyncio.Event()
        self._shouted = time.perf_counter()

    async def join(self, number: int) -> dict[str, float]:
        """Connect and join so many more."""
        began = time.perf_counter()
        members, _ = await self.client.enter([TOPIC] * number, AT_ONCE)
        for member in members:
            Hearer(self, member)
        self.members += members
        return {"joined": len(self.members), "seconds": time.perf_counter() - began}

    def shout(self) -> dict[str, float]:
        """Have the first member shout."""
        (membership,) = self.members[0].joined
        frame, _ = self.client.dialect.shout(TOPIC, membership.join_ref, next(self._numbers), "x" * 64)
        self._shouted = time.perf_counter()
        self.members[0].send(frame)
        return {}

    async def delivered(self, wanted: int) -> dict[str, float]:
        """Wait for the shouts."""
        if self._wanted != wanted:
            self._want(wanted)
        async with asyncio.timeout(PATIENCE):
            await self._all.wait()
        return {"seconds": time.perf_counter() - self._shouted}

    def _want(self, wanted: int) -> None:
        self._wanted, self.complete = wanted, 0
        self._all.clear()

    def heard(self, number: int, raw: bytes) -> None:
        """Note that a member has got its shout with this number."""
        seen = self._seen.setdefault(number, raw)
        if raw != seen:
            raise Fault(f"not what the others have got as number {number}: {shown(raw)}")
        self.client.done += 1
        if number > self._wanted:
            self._want(number)
        self.complete += 1
        if self.complete == len(self.members):
            self._all.set()

    async def echo(self, seconds: float) -> dict[str, float | None]:
        """Ask again and again on another topic."""
        (bystander,), _ = await self.client.enter(["bench:bystander"], 1)
        loop = Loop(self.client)
        loop.recording = True
        Echoes(loop, bystander, count(1), "").ask()
        await asyncio.sleep(seconds)
        await loop.drain()
        ordered = sorted(loop.latencies)
        return {"p50_ms": ordered[len(ordered) // 2] / 1e6, "max_ms": ordered[-1] / 1e6}


class Hearer:
    """A member that takes its shouts in order."""

    def __init__(self, crowd: Crowd, connection: Connection) -> None:
        self._crowd = crowd
        self._next = 1
        connection.on_message = self.take

    def take(self, raw: bytes) -> None:
        """Take a shout."""
        number, self._next = self._next, self._next + 1
        self._crowd.heard(number, raw)


async def obey(port: int, source: str) -> None:
    """Do what the lines say, until there are no more."""
    crowd = Crowd(Client(Phoenix(), [port], OsProcesses(()), PATIENCE, source))
    loop = asyncio.get_running_loop()
    watch = loop.create_task(crowd.client.watch_failures())
    stir = loop.create_task(crowd.client.stir(STIR))
    lines: asyncio.Queue[str] = asyncio.Queue()
    loop.add_reader(sys.stdin, lambda: lines.put_nowait(sys.stdin.readline()))
    while line := await lines.get():
        what, *arguments = line.split()
        match what:
            case "join":
                answer: object = await crowd.join(int(arguments[0]))
            case "shout":
                answer = crowd.shout()
            case "delivered":
                answer = await crowd.delivered(int(arguments[0]))
            case "echo":
                answer = await crowd.echo(float(arguments[0]))
            case _:
                raise Fault(f"no command: {line!r}")
        if watch.done():
            watch.result()
        print(orjson.dumps(answer).decode(), flush=True)
    watch.cancel()
    stir.cancel()


def main() -> int:
    """Run it; the status is 1 after a fault, which is the last line."""
    parser = argparse.ArgumentParser(description="one of several load generators")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--source", required=True, help="the address to connect from, such as 127.0.0.2")
    chosen = parser.parse_args()
    raise_file_limit()
    logging.getLogger("picows").setLevel(logging.CRITICAL)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(obey(chosen.port, chosen.source))
    except (Fault, OSError, TimeoutError) as error:
        print(orjson.dumps({"fault": f"{type(error).__name__}: {error}"}).decode(), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
