"""Plays steps against a real endpoint, in memory and in virtual time, and tells what each client got."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import orjson
import trio
from trio.testing import MockClock

from phxactor.runtime import SHUTDOWN, Pid, Runtime, open_runtime, trap_exit
from phxactor.testing import settle
from tests.protocol.app import App
from tests.protocol.client import Client
from tests.protocol.search import LONG
from tests.protocol.steps import Broadcast, Drain, Kill, Open, Resume, Send, Stall, Step, Wait


@attrs.frozen
class Population:
    """What there is when nothing happens: more of it than the model has is a leak."""

    processes: int
    """Of connections and channels, and those that answer later."""
    subscriptions: tuple[tuple[str, int], ...]
    """Of each topic, and of the ids of sockets."""


class Driver:
    """An endpoint and its clients."""

    def __init__(self, clock: MockClock, runtime: Runtime, endpoint: Pid, app: App, outside: int) -> None:
        self.clients: dict[str, Client] = {}
        self._clock = clock
        self._runtime = runtime
        self._endpoint = endpoint
        self._app = app
        self._outside = outside
        self._own = runtime.statistics().processes

    async def begin(self, step: Step) -> Step:
        """Begin a step, without waiting for what comes of it; return it, with what it met."""
        match step:
            case Open(client=name):
                client = self.clients[name] = Client(step)
                (await self._app.serve_stream(client.stream)).unwrap()
            case Send(client=name, what=what, fragments=fragments):
                self.clients[name].send(what, fragments)
            case Stall(client=name):
                self.clients[name].stream.stall()
            case Resume(client=name):
                self.clients[name].stream.resume()
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
                self._own = self._outside
        return step

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
        return Population(
            self._runtime.statistics().processes - self._own,
            tuple(sorted((topic, len(table)) for topic, table in pubsub._topics.items())),  # noqa: SLF001
        )


@asynccontextmanager
async def driving(clock: MockClock) -> AsyncIterator[Driver]:
    """Serve the app; `clock` rules the time of the run, and stands still unless a step says otherwise."""
    async with open_runtime() as runtime:
        trap_exit()
        app, outside = App(), runtime.statistics().processes
        endpoint = (await app.start_link(port=0)).unwrap()
        await settle()
        try:
            yield Driver(clock, runtime, endpoint, app, outside)
        finally:
            clock.autojump_threshold = 0  # whatever is still to be stopped is stopped in no time
