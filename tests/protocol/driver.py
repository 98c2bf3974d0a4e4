"""Plays steps against a real endpoint, in memory and in virtual time, and tells what each client got."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
import orjson
import trio
from trio.testing import MockClock

from phxactor.runtime import SHUTDOWN, Pid, open_runtime, trap_exit
from phxactor.testing import settle
from tests.protocol.app import App
from tests.protocol.client import Client
from tests.protocol.search import LONG
from tests.protocol.steps import Broadcast, Drain, Kill, Open, Resume, Send, Stall, Step, Wait
from tests.protocol.wires import MemoryStream, Wire


@attrs.frozen
class Population:
    """What there is when nothing happens: more of it than the model has is a leak."""

    processes: int
    """Of connections and channels, and those that answer later."""
    subscriptions: tuple[tuple[str, int], ...]
    """Of each topic, and of the ids of sockets."""


class Driver:
    """An endpoint and its clients."""

    def __init__(self, clock: MockClock, wires: Callable[[], Wire], app: App, endpoint: Pid) -> None:
        """Drive an endpoint that has been started as `endpoint`, by the process that has started it."""
        self.clients: dict[str, Client] = {}
        self._wires = wires
        self._clock = clock
        self._runtime = endpoint.runtime
        self._endpoint = endpoint
        self._app = app
        self._own = self._runtime.statistics().processes

    async def begin(self, step: Step) -> Step:
        """Begin a step, without waiting for what comes of it; return it, with what it met."""
        match step:
            case Open(client=name):
                client = self.clients[name] = Client(step, self._wires())
                await client.wire.serve(self._app)
            case Send(client=name, what=what, fragments=fragments):
                self.clients[name].send(what, fragments)
            case Stall(client=name):
                self._in_memory(name).stall()
            case Resume(client=name):
                self._in_memory(name).resume()
            case Broadcast(topic=topic, event=event, payload=payload):
                self._app.broadcast(topic, event, payload if isinstance(payload, bytes) else orjson.loads(payload))
            case Kill(client=name, topic=topic):
                pid = self._app.alive.get((name, topic))
                hit = pid is not None and pid.alive
                if pid is not None and hit:
                    pid.exit("kill")
                return attrs.evolve(step, hit=hit)
            case Wait(seconds=seconds):
                await self._pass(seconds)
            case Drain():
                self._endpoint.exit(SHUTDOWN)
                await self._pass(LONG)
                self._own = 1
        return step

    def _in_memory(self, name: str) -> MemoryStream:
        wire = self.clients[name].wire
        assert isinstance(wire, MemoryStream), "over sockets nobody can stop reading: the system reads for him"
        return wire

    async def rest(self) -> dict[str, list[str]]:
        """Wait until nothing happens; return what each client got since the last time."""
        await settle()
        got = {name: client.take() for name, client in self.clients.items()}
        await settle()  # a client that has heard the end closes its own side
        return got

    async def _pass(self, seconds: float) -> None:
        """Let time pass, from one deadline to the next."""
        end = trio.current_time() + seconds
        await settle()
        while (due := trio.lowlevel.current_statistics().seconds_to_next_deadline) <= end - trio.current_time():
            self._clock.jump(max(due, 0.0))
            await settle()
        self._clock.jump(end - trio.current_time())
        await settle()

    def population(self) -> Population:
        """Count what there is."""
        pubsub = self._app.pubsub
        topics = pubsub.topics() if pubsub.runs() else []
        return Population(
            self._runtime.statistics().processes - self._own,
            tuple(sorted((topic, len(pubsub.subscribers(topic))) for topic in topics)),
        )


@asynccontextmanager
async def driving(clock: MockClock, wires: Callable[[], Wire]) -> AsyncIterator[Driver]:
    """Serve the app; `clock` rules the time of the run, and stands still unless a step says otherwise."""
    async with open_runtime():
        trap_exit()
        app = App()
        endpoint = (await app.start_link(port=0)).unwrap()
        await settle()
        driver = Driver(clock, wires, app, endpoint)
        try:
            yield driver
        finally:
            for client in driver.clients.values():
                client.wire.close()
            clock.autojump_threshold = 0  # whatever is still to be stopped is stopped in no time
