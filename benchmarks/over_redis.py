"""What a broadcast over Redis costs its sender and a receiver, and what a first join on a topic waits for.

    .venv/bin/python -m benchmarks.over_redis [ROUNDS]

Two nodes, each an operating-system process of its own, and a Redis server. The figures are CPU time of one node for
each broadcast, as a multiple of what the floor needs for an echo. In batches the sender broadcasts `BATCH` times in one
pass of the scheduler, with pauses. Alone, the nodes answer each other, so that never more than one broadcast is on its
way; a figure is half of what sending one and receiving one costs a node. A node is subscribed to what it receives; if
it is "also subscribed" to what it sends, it delivers to itself, and Redis brings it its own messages too.
"""

from __future__ import annotations

import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

import trio

from benchmarks.os_process import cores
from benchmarks.servers.catalogue import FLOOR
from benchmarks.suite import YARDSTICK, measure
from phxactor import Application, Endpoint
from phxactor.cluster import Redis, this_node
from phxactor.pubsub import PubSub
from phxactor.runtime import open_runtime, receive

ROUNDS: Final = 5
BATCH: Final = 50
BATCHES: Final = 80
PAUSE: Final = 0.004
"""Seconds between two batches."""
EXCHANGES: Final = 1000
"""Broadcasts of each node, alone."""
TOPICS: Final = 200
"""First subscriptions that are timed."""
PAYLOAD: Final = {"text": "x" * 100, "from": "somebody", "n": 12345}
NEWS: Final = PubSub("news")
TOPIC: Final = "room:1"
BATCHED: Final = "batched"
ALSO: Final = "also"
ALONE: Final = "alone"
JOINS: Final = "joins"
LIMITS: Final = {
    "sent, in batches": 4.0,
    "received, in batches": 4.0,
    "sent, in batches, also subscribed": 4.0,
    "sent or received, alone": 12.0,
}
"""Floors at most."""


@contextmanager
def redis_server() -> Iterator[int]:
    """Run a Redis server on a free port."""
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("there is no redis-server; on Debian: apt-get install redis-server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        with (where := cores()).children_on(where.load):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            yield port
        finally:
            process.kill()
            process.wait()


def run(port: int, mode: str) -> tuple[float, float]:
    """Return the CPU time of both nodes for each broadcast, in microseconds; if one only sends, it is the first."""
    command = [sys.executable, "-m", "benchmarks.over_redis", "node", str(port), mode]
    on = cores()
    with ExitStack() as running:
        processes = []
        for role, core in (("second", on.load), ("first", on.server)):
            with on.children_on(core):
                process = subprocess.Popen([*command, role], stdout=subprocess.PIPE)
            processes.append(running.enter_context(process))
        two, one = (json.loads(each.communicate()[0]) for each in processes)
    return one, two


def first_joins(port: int) -> tuple[float, float]:
    """Return the milliseconds of a first subscription with its confirmation: the median, and the 90th percentile.

    They are by the clock on the wall, so node and Redis go before other programs, if that is allowed.
    """
    command = [sys.executable, "-m", "benchmarks.over_redis", "node", str(port), JOINS, "first"]
    with (where := cores()).children_on(where.server):
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
    found: list[float] = json.loads(process.communicate()[0])
    return statistics.median(found), statistics.quantiles(found, n=10)[-1]


# ------------------------------------------------------------------------------------------------------ a node


async def node(port: int, mode: str, role: str) -> None:
    """Be a node, and print what a broadcast cost it."""
    secret = "a secret that both nodes have, and nobody else"  # noqa: S105 - of a benchmark
    carrier = Redis(f"redis://127.0.0.1:{port}", secret=secret)
    async with open_runtime():
        (await Application(children=[NEWS], endpoints=[Endpoint()], cluster=carrier).start_link(server=False)).unwrap()
        here = this_node()
        assert here is not None  # noqa: S101 - the application has a cluster
        while here.health().state != "ready":  # noqa: ASYNC110 - nothing tells of it
            await trio.sleep(0.01)
        if mode == JOINS:
            _tell([await _first(topic) for topic in range(TOPICS)])
            return
        while not here.nodes():  # noqa: ASYNC110 - the same
            await trio.sleep(0.01)
        if mode == ALONE:
            _tell(await _answer(asks=role == "first"))
        elif role == "first":
            _tell(await _send(subscribed=mode == ALSO))
        else:
            _tell(await _receive())
        await trio.sleep(0.5)  # for what is on its way to the other


def _tell(figures: object) -> None:
    print(json.dumps(figures), flush=True)


async def _first(topic: int) -> float:
    name = f"topic:{topic}"
    began = time.perf_counter_ns()
    NEWS.subscribe(name)
    await NEWS.confirmed(name)
    return (time.perf_counter_ns() - began) / 1e6


async def _send(*, subscribed: bool) -> float:
    if subscribed:
        NEWS.subscribe(TOPIC)
    await trio.sleep(0.5)  # the other has subscribed
    began = time.process_time_ns()
    for _ in range(BATCHES):
        for _ in range(BATCH):
            NEWS.broadcast(TOPIC, PAYLOAD)
        for _ in range(BATCH if subscribed else 0):
            await receive()
        await trio.sleep(PAUSE)
    return (time.process_time_ns() - began) / 1000 / (BATCH * BATCHES)


async def _receive() -> float:
    NEWS.subscribe(TOPIC)
    for _ in range(BATCH):
        await receive()
    began = time.process_time_ns()
    for _ in range(BATCH * (BATCHES - 1)):
        await receive()
    return (time.process_time_ns() - began) / 1000 / (BATCH * (BATCHES - 1))


async def _answer(*, asks: bool) -> float:
    question, answer = f"{TOPIC}:question", f"{TOPIC}:answer"
    NEWS.subscribe(answer if asks else question)
    await trio.sleep(0.5)
    if asks:
        NEWS.broadcast(question, PAYLOAD)
    await receive()
    began = time.process_time_ns()
    for _ in range(EXCHANGES):
        NEWS.broadcast(question if asks else answer, PAYLOAD)
        await receive()
    if not asks:
        NEWS.broadcast(answer, PAYLOAD)
    return (time.process_time_ns() - began) / 1000 / EXCHANGES / 2


# ------------------------------------------------------------------------------------------------------ all


def main(rounds: int) -> None:
    """Measure, and print a table."""
    found: dict[str, list[float]] = {name: [] for name in LIMITS}
    joins: list[tuple[float, float]] = []
    with redis_server() as port:
        time.sleep(0.5)
        for _ in range(rounds):
            floor = measure(FLOOR, YARDSTICK, cores()).cpu_us
            (sent, received), (also, _), alone = run(port, BATCHED), run(port, ALSO), run(port, ALONE)
            for name, figure in zip(LIMITS, (sent, received, also, sum(alone) / 2), strict=True):
                found[name].append(figure / floor)
            joins.append(first_joins(port))
    print("| a broadcast over Redis | floors | at most |\n|---|---|---|")
    for name, figures in found.items():
        print(f"| {name} | {statistics.median(figures):.2f} | {LIMITS[name]:g} |")
    median, most = (min(figures) for figures in zip(*joins, strict=True))
    print(f"\nA first subscription is confirmed after {median:.2f} ms, nine of ten within {most:.2f} ms.")


def command_line(arguments: Sequence[str]) -> None:
    """Measure, or be a node of a measurement."""
    if arguments[:1] == ["node"]:
        port, mode, role = arguments[1:]
        trio.run(node, int(port), mode, role)
    else:
        main(int(arguments[0]) if arguments else ROUNDS)


if __name__ == "__main__":
    command_line(sys.argv[1:])
