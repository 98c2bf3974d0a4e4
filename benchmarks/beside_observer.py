"""What the observer costs a program of many processes: `python -m benchmarks.beside_observer [busy]`.

A program of 10,000 processes runs for a while with 0, 1 and 5 viewers. They are clients in the same program, so their
own work counts too. The processes are idle; or, with `busy`, they handle 2,000 messages in a second, and ten of them
crash and are started again. Figures: the part of a core that the program uses more than without the observer, and the
longest steps of it.
"""

from __future__ import annotations

import logging
import random
import sys
import time
from typing import Any, Final

import trio

from phxactor import DynamicSupervisor, Endpoint, GenServer, Pid, cast, open_runtime, self_pid, spawn, whereis
from phxactor.observer import observer_routes, snapshot
from phxactor.runtime import current
from phxactor.testing import connect

PROCESSES: Final = 10_000
SECONDS: Final = 20.0
VIEWS: Final[tuple[dict[str, object], ...]] = (
    {"from": 3000},
    {"sort": "mailbox"},
    {"sort": "name"},
    {"search": "idle"},
    {"search": "team 7", "sort": "rate"},
)
PANELS: Final = ("summary", "tree", "charts")


TURN: Final = 0.01
"""Seconds between two turns of the load."""
MESSAGES: Final = 20
"""Messages of one turn."""
CRASHES: Final = 10
"""Turns from one crash to the next."""


class Idle(GenServer):
    """Does nothing, or crashes."""

    async def handle_cast(self, request: object) -> None:
        """Raise if told to."""
        if request == "crash":
            raise RuntimeError("told to")


async def load() -> None:
    """Send messages to processes by chance, and crash some, as fast each time."""
    dice, turn, due = random.Random(1), 0, trio.current_time()  # noqa: S311 - the same processes each time
    runtime = self_pid().runtime
    while True:
        numbers = [*runtime.processes]
        for _ in range(100):
            turn, due = turn + 1, due + TURN
            for number in dice.choices(numbers, k=MESSAGES):
                pid = runtime.processes.get(number)
                if pid is not None and pid.initial_call == "Idle.init":
                    cast(pid, "crash" if turn % CRASHES == 0 else "hello")
                    if turn % CRASHES == 0:
                        break
            await trio.sleep_until(due)


class Steps(trio.abc.Instrument):
    """The longest step of each process that has one of these names."""

    def __init__(self) -> None:
        self.longest: dict[str, float] = {}
        self._began = 0.0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Note when a step begins."""
        self._began = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Note how long it took."""
        pid: Pid | None = task.context.get(current)
        if pid is not None and pid.initial_call.startswith(("Collector", "HistoryKeeper", "ObserverS")):
            seconds = time.thread_time() - self._began
            self.longest[pid.initial_call] = max(self.longest.get(pid.initial_call, 0.0), seconds)


async def used(seconds: float) -> float:
    """Return the part of a core that the program uses for some seconds."""
    began, cpu = time.monotonic(), time.process_time()
    await trio.sleep(seconds)
    return (time.process_time() - cpu) / (time.monotonic() - began)


async def main() -> None:
    """Measure, and print."""
    logging.disable()
    async with open_runtime():
        await measure(busy="busy" in sys.argv)


async def measure(*, busy: bool) -> None:
    """Start the processes, then more and more viewers."""
    await Endpoint(name="plain").start_link(server=False)
    endpoint = Endpoint(routes=observer_routes(), name="watched")
    for team in range(16):
        await DynamicSupervisor.start_link(name=f"team {team}", max_restarts=10**6)
        for _number in range(PROCESSES // 16):
            await DynamicSupervisor.start_child(f"team {team}", Idle)
    began = time.thread_time()
    snapshot()
    print(f"a snapshot: {(time.thread_time() - began) * 1000:.1f} ms")
    if busy:
        spawn(load)
    bare = await used(SECONDS)
    await endpoint.start_link(server=False)
    print(f"{PROCESSES} processes: {bare:.2%} of a core without the observer")
    print(f"nobody looks: {await used(SECONDS) - bare:+.2%}")
    handler: Any = endpoint.sockets[0].handler
    for viewers in (1, 5):
        clients = []
        for number in range(viewers):
            client = await connect(handler, endpoint=endpoint, headers={"host": "localhost"})
            for panel in PANELS:
                channel = await client.join(f"observer:{panel}")
                if panel == "tree":
                    await channel.ask("view", {"depth": 9, "count": 60, **VIEWS[number]}, within=5)
            clients.append(client)
        await trio.sleep(3)
        share = await used(SECONDS) - bare
        steps = Steps()
        trio.lowlevel.add_instrument(steps)
        await trio.sleep(5)
        trio.lowlevel.remove_instrument(steps)
        longest = ", ".join(f"{name} {seconds * 1000:.1f} ms" for name, seconds in steps.longest.items())
        print(f"{viewers} viewers: {share:+.2%}; longest steps: {longest}")
        for client in clients:
            await client.close()
        await trio.sleep(12)
        if whereis("watched.observer.collector") is not None:
            sys.exit("the collector still runs")


if __name__ == "__main__":
    trio.run(main)
