"""The processes of the kind `supervisors`: trees and workers that tell their world what happens to them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import trio

from phxactor.otp import (
    IGNORE,
    DynamicSupervisor,
    Error,
    GenServer,
    Ignore,
    Ok,
    Started,
    Stop,
    Supervise,
    SuperviseDynamically,
    Supervisor,
)
from phxactor.runtime import Exited, Reason, trap_exit

if TYPE_CHECKING:
    from tests.oracle.supervisors import World

Source: TypeAlias = Mapping[str, Any]
"""A supervisor's or a worker's specification, as the record writes it."""

PERIOD: Final = 10**9
"""Seconds of the restart intensity: for ever."""


class Tree(Supervisor):
    """A supervisor of the record."""

    async def init(self, world: World, source: Source) -> Supervise:
        world.born(source)
        return Supervise(
            [world.specification(child) for child in source.get("children", ())],
            strategy=source["sup"],
            max_restarts=source["max"],
            max_seconds=PERIOD,
            auto_shutdown=source.get("auto", "never"),
        )


class DynamicTree(DynamicSupervisor):
    """A dynamic supervisor of the record."""

    async def init(self, world: World, source: Source) -> SuperviseDynamically:
        world.born(source)
        return SuperviseDynamically(
            max_children=source.get("max_children", math.inf), max_restarts=source["max"], max_seconds=PERIOD
        )


async def start_tree(world: World, source: Source) -> Started:
    """Start a supervisor, of either kind."""
    tree = DynamicTree if source["sup"] == "dynamic" else Tree
    return await tree.start_link(world, source)


class Worker(GenServer):
    """A worker of the record: ends as it is told."""

    async def init(self, world: World, source: Source, step: str) -> Stop | Ignore | None:
        self.world, self.source = world, source
        trap_exit(source.get("trap", False) or source.get("stubborn", False))
        match step:
            case "ignore":
                world.begin("ignore", source)
                return IGNORE
            case "stop":
                world.begin("stop", source)
                return Stop("refused")
            case "raise":
                world.begin("raise", source)
                raise RuntimeError("planned")
        self.number = world.born(source)
        return None

    async def handle_cast(self, request: object) -> None:
        if isinstance(request, BaseException):
            raise request

    async def handle_info(self, message: object) -> None:
        if isinstance(message, Exited):
            self.write("exit", message.reason)

    async def terminate(self, reason: Reason) -> None:
        self.write("term", reason)
        if self.source.get("stubborn") and reason == "shutdown":
            await trio.sleep_forever()

    def write(self, kind: str, reason: Reason) -> None:
        """Log what happens to it."""
        self.world.log.append([kind, self.source["id"], self.number, self.world.term(reason)])


async def start_worker(world: World, source: Source) -> Started:
    """Start a worker, as its plan says for this time."""
    plan = source.get("plan", ["ok"])
    step = plan[min(world.starts[source["id"]], len(plan) - 1)]
    if step == "error":
        world.begin("error", source)
        return Error("refused")
    begin = Worker.start if step == "unlinked" else Worker.start_link
    started = await begin(world, source, step)
    return Ok(started.value, info="extra") if step == "info" and isinstance(started, Ok) else started
