"""One node of a simulated cluster: a runtime of its own in the loop of the test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from random import Random
from typing import TYPE_CHECKING, TypeVar

import attrs
import outcome  # a dependency of trio
import trio

from phxactor import distribution
from phxactor.cluster import Carrier, Cluster, LocalNode, Node
from phxactor.otp import Child, Error, Ok, Supervisor
from phxactor.runtime import Exit, Pid, Runtime, current, open_runtime, trap_exit
from phxactor.testing._simulated_carrier import Simulated

if TYPE_CHECKING:
    from phxactor.testing._stopped import Stopped

T = TypeVar("T")
Carriers = Callable[[str], Cluster | Carrier | Sequence[Carrier]]
"""Makes the carriers of a node with a name, or its whole cluster, anew for each start."""


class SimulatedNode:
    """A node that a test starts, stops, kills and restarts.

    `name` stays the same; `id` is another one after each start, drawn by the seed.
    """

    def __init__(
        self,
        name: str,
        carriers: Carriers,
        children: Callable[[], Sequence[Child]],
        stopped: Stopped,
        *,
        seed: int,
        processes: bool = True,
    ) -> None:
        """Store what the node consists of; the seed draws its ids."""
        self.name = name
        self.runtime: Runtime
        """Its runtime, of the present or the last life."""
        self.local: LocalNode
        """The node as its own processes see it."""
        self.labels: dict[Runtime, str] = {}
        """The names of runtimes in a trace, to which this node adds its own."""
        self.carriers: list[Carrier] = []
        """Its carriers, of the present or the last life."""
        self._make_carriers = carriers
        self._children = children
        self._stopped = stopped
        self._chance = Random(f"{seed} {name}")  # noqa: S311 - no secret
        self._first = [distribution.child_spec()] if processes else []
        self._task: trio.lowlevel.Task | None = None
        self._end = trio.Event()
        self._ended = trio.Event()
        self._killed = False

    def __repr__(self) -> str:
        """Show the name."""
        return f"<SimulatedNode {self.name}>"

    @property
    def identity(self) -> Node:
        """The node that others see."""
        return self.local.identity

    @property
    def runs(self) -> bool:
        """Whether it has been started and not ended, though it may be stopped."""
        return self._task is not None

    @property
    def is_stopped(self) -> bool:
        """Whether it has been stopped, and does not go on yet."""
        return self._task is not None and self._task in self._stopped

    async def run(self, function: Callable[..., Awaitable[T]], *args: object) -> T:
        """Run `await function(*args)` in a process of this node, and return its result, or raise what it raises.

        Raises `Exit` if the process ends before that, as it does when the node is killed.
        """
        result: list[outcome.Outcome[T]] = []

        async def body() -> None:
            result.append(await outcome.acapture(function, *args))

        pid = self.spawn(body)
        reason = await self.runtime.ended(pid)
        if not result:
            raise Exit(reason)
        return result[0].unwrap()

    def spawn(self, function: Callable[..., Awaitable[object]], *args: object) -> Pid:
        """Start a process of this node that runs `await function(*args)`, as a child of its first process.

        It ends with the node, which goes on if it crashes.
        """
        return Context().run(self._spawn, function, args)

    def _spawn(self, function: Callable[..., Awaitable[object]], args: tuple[object, ...]) -> Pid:
        current.set(self.runtime.main)
        return self.runtime.spawn(function, *args, link=True)

    # ------------------------------------------------------------------------------------------- its life

    async def start(self, nursery: trio.Nursery) -> None:
        """Start the node in a nursery; it must not run."""
        self._end, self._ended, self._killed = trio.Event(), trio.Event(), False
        ready = trio.Event()
        Context().run(nursery.start_soon, self._live, ready)
        await ready.wait()

    async def stop(self) -> None:
        """Stop the node as SIGSTOP does: what is sent to it waits, and nothing of it runs until `go_on`."""
        if self._task is not None:
            await self._stopped.stop(self._task)

    def go_on(self) -> None:
        """Let the node go on as SIGCONT does."""
        if self._task is not None and self._task in self._stopped:
            self._stopped.go_on(self._task)

    async def leave(self) -> None:
        """End the node in order: it says goodbye."""
        self.go_on()
        self._end.set()
        await self._ended.wait()

    async def kill(self, *, silent: bool = False) -> None:
        """End the node as SIGKILL does: from now on nothing of it reaches anybody.

        The others see the end of its lines at once; with `silent` they see nothing, as when a machine loses its power.
        A node that does not run is left alone.
        """
        if not self.runs:
            return
        self._killed = True
        for one in self.carriers:
            if isinstance(one, Simulated):
                one.vanish(silent=silent)
        self.go_on()
        self.runtime.kill()
        for pid in self.runtime.others():
            await self.runtime.ended(pid)
        self._end.set()
        await self._ended.wait()

    async def _live(self, ready: trio.Event) -> None:
        self._task = trio.lowlevel.current_task()
        try:
            async with open_runtime() as self.runtime:
                self.labels[self.runtime] = self.name
                trap_exit()
                await self._start_children()
                ready.set()
                await self._end.wait()
        except Exit:
            if not self._killed:
                raise
        finally:
            self._task = None
            self.labels.pop(self.runtime, None)
            ready.set()
            self._ended.set()

    async def _start_children(self) -> None:
        cluster = Cluster.of(self._make_carriers(self.name))
        cluster = attrs.evolve(cluster, name=cluster.name or self.name, random=self._chance.randbytes)
        self.carriers = list(cluster.carriers)
        children: list[Child] = [cluster.child_spec(), *self._first, *self._children()]
        started = await Supervisor.start_link(children, strategy="rest_for_one")
        if not isinstance(started, Ok):
            raise Exit(started.reason if isinstance(started, Error) else "ignored")
        local = LocalNode.found(self.runtime)
        assert local is not None  # noqa: S101 - its supervisor has just started
        self.local = local
