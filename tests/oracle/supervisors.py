"""The kind `supervisors`: trees whose workers end in all ways, and whose starts go as planned.

The director is the parent of the root `r`, and starts it anew before a step if it does not run. A process is known by
its id and the number of its start: `w1#2`. After each command everything becomes quiet, timers included.
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import groupby
from typing import Any, Final, Literal

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor.otp import ChildSpec, DynamicSupervisor, Error, Ignore, Ok, Supervisor, call, cast, stop, system
from phxactor.runtime import Crash, Exit, Pid, Shutdown, link, open_runtime, own, self_pid, spawn, trap_exit
from tests.oracle.supervised import Source, start_tree, start_worker
from tests.oracle.terms import from_reason, to_reason

QUIET: Final = 10_000.0
"""Seconds in which every shutdown of a whole tree is over."""
MILLISECONDS: Final = 1000


async def play(program: Source) -> list[dict[str, object]]:
    """Run one program on a mock clock; returns what each step did."""
    clock = trio.lowlevel.current_clock()
    if isinstance(clock, MockClock):
        clock.autojump_threshold = 0
    async with open_runtime():
        trap_exit()
        world = World(program["tree"])
        return [await world.step(command) for command in program["steps"]]


class World:
    """The processes of one program, and what is known of them."""

    def __init__(self, tree: Source) -> None:
        self.tree = tree
        self.root: Pid | None = None
        self.starts: Counter[str] = Counter()
        self.pids: dict[str, Pid] = {}
        """The last process of each id."""
        self.names: dict[Pid, str] = {}
        self.dynamic: dict[str, str] = {}
        """Which dynamic supervisor started the worker of an id."""
        self.log: list[list[object]] = []
        self.ended: dict[str, object] = {}

    # ------------------------------------------------------------------------------------------ processes

    def begin(self, kind: str, source: Source) -> int:
        """Write a start down, and return which one of this id it is."""
        id_ = source["id"]
        self.starts[id_] += 1
        self.log.append([kind, id_, self.starts[id_]])
        return self.starts[id_]

    def born(self, source: Source) -> int:
        """Make the current process the last one of its id."""
        pid, number = self_pid(), self.begin("start", source)
        name = f"{source['id']}#{number}"
        self.pids[source["id"]], self.names[pid] = pid, name
        own(pid, lambda pid: self.ended.__setitem__(name, self.term(pid.exit_reason)))
        return number

    def specification(self, source: Source) -> ChildSpec:
        """Make the specification of a child."""
        supervisor = "sup" in source
        return ChildSpec(
            id=source["id"],
            start=(start_tree if supervisor else start_worker, (self, source), {}),
            restart=source.get("restart", "permanent"),
            shutdown=_seconds(source.get("shutdown", "infinity" if supervisor else 2000)),
            type="supervisor" if supervisor else "worker",
            significant=source.get("significant", False),
        )

    # ------------------------------------------------------------------------------------------ the director

    async def step(self, command: list[Any]) -> dict[str, object]:
        """Run one command, wait until nothing moves, and say what has happened."""
        self.log, self.ended = [], {}
        boot: list[object] = []
        if self.root is None or not self.root.alive:
            started = await start_tree(self, self.tree)
            boot.append(self.term(started))
            self.root = started.value if isinstance(started, Ok) else None
            await quiet()
        result = await self.perform(*command)
        await quiet()
        self_pid().mailbox.clear()
        killed = any(reason == "killed" and name[0] != "w" for name, reason in self.ended.items())
        terms = sorted((entry for entry in self.log if entry[0] == "term"), key=_by_process) if killed else []
        log = [entry for entry in self.log if entry[0] != "term"] if killed else self.sorted_log()
        observation = {"res": result, "boot": boot, "ended": self.ended.copy(), "log": log, "terms": terms}
        return {part: value for part, value in observation.items() if value not in ([], {})}

    def sorted_log(self) -> list[list[object]]:
        """Sort neighbouring ends of one dynamic supervisor's children, who end in any order (D11)."""
        groups = groupby(self.log, lambda entry: entry[0] == "term" and self.dynamic.get(str(entry[1])))
        return [
            entry for dynamic, entries in groups for entry in (sorted(entries, key=_by_process) if dynamic else entries)
        ]

    async def perform(self, operation: str, target: str, *arguments: Any) -> object:  # noqa: ANN401
        """Run one command; what it answers is the result of the step."""
        pid = self.pids.get(target)
        if pid is None or not pid.alive:
            return "down"
        match operation, *arguments:
            case "exit", reason:
                cast(pid, Exit(to_reason(reason)))
                return "ok"
            case ("raise",):
                cast(pid, RuntimeError("told to"))
                return "ok"
            case "signal", reason:
                pid.exit(to_reason(reason))
                return True
            case "stop", reason:
                await stop(pid, to_reason(reason))
                return "ok"
            case "crash", ids, reason:
                return await self.crash(pid, ids, reason)
            case ("linked_crash",):
                stranger = spawn(link_and_end, pid)
                return self.term(await pid.runtime.ended(stranger))
            case ("junk_info",):
                pid.send("junk")
                return "junk"
            case ("junk_cast",):
                cast(pid, "junk")
                return "ok"
            case ("junk_call",):
                try:
                    return await call(pid, "junk")
                except Exit as error:
                    reason, _ = error.reason  # type: ignore[misc]
                    return ["exit", self.term(reason)]
        return await self.administer(operation, target, pid, *arguments)

    async def administer(self, operation: str, target: str, pid: Pid, *arguments: Any) -> object:  # noqa: ANN401
        """Make an admin call to a supervisor."""
        dynamic = target[0] == "d"
        match operation, *arguments:
            case "start", source:
                if dynamic:
                    self.dynamic[source["id"]] = target
                    return self.term(await DynamicSupervisor.start_child(pid, self.specification(source)))
                return self.term(await Supervisor.start_child(pid, self.specification(source)))
            case "terminate", id_:
                if dynamic:
                    return self.done(await DynamicSupervisor.terminate_child(pid, self.pids.get(id_, self_pid())))
                return self.done(await Supervisor.terminate_child(pid, id_))
            case "restart", id_:
                return self.term(await Supervisor.restart_child(pid, id_))
            case "delete", id_:
                return self.done(await Supervisor.delete_child(pid, id_))
            case ("count",):
                counted = await Supervisor.count_children(pid)
                return [counted.active, counted.specs, counted.supervisors, counted.workers]
            case ("which",):
                children = await Supervisor.which_children(pid)
                rows = [[child.id or "undefined", self.term(child.pid), child.type] for child in children]
                return sorted(rows, key=str) if dynamic else rows
        raise ValueError(f"no command of the kind supervisors: {operation} {arguments}")

    async def crash(self, supervisor: Pid, ids: list[str], reason: object) -> str:
        """End these children while the supervisor takes no message, so that all exits wait when it goes on."""
        await system.suspend(supervisor)
        for id_ in ids:
            if id_ in self.pids:
                if reason == "kill":
                    self.pids[id_].exit("kill")
                else:
                    cast(self.pids[id_], Exit(to_reason(reason)))
                await quiet()
        await system.resume(supervisor)
        return "ok"

    def done(self, answer: Ok[None] | Error) -> object:
        """Write an answer that is `:ok` alone where it is no error."""
        return "ok" if isinstance(answer, Ok) else self.term(answer)

    def term(self, value: object) -> object:
        """Write an answer, or a reason, as the record does."""
        match value:
            case Ok(value=pid, info=None):
                return ["ok", self.term(pid)]
            case Ok(value=pid, info=info):
                return ["ok", self.term(pid), info]
            case Error(reason):
                return ["error", self.term(reason)]
            case Ignore():
                return "ignore"
            case None:
                return "undefined"
            case Pid():
                return self.names[value]
            case ChildSpec():
                return "child"
            case Crash(exception=NotImplementedError()):
                return ["error", "FunctionClauseError"]
            case Shutdown(detail=detail):
                return ["shutdown", self.term(detail)]
            case tuple():
                return [self.term(part) for part in value]
        return from_reason(value)


def _seconds(shutdown: object) -> float | Literal["brutal_kill"]:
    match shutdown:
        case "brutal_kill":
            return "brutal_kill"
        case int():
            return shutdown / MILLISECONDS
    return math.inf


def _by_process(entry: list[object]) -> tuple[object, ...]:
    return tuple(entry[1:3])


async def quiet() -> None:
    """Wait until nothing moves any more, whatever the time it takes."""
    await trio.sleep(QUIET)
    await wait_all_tasks_blocked()


async def link_and_end(other: Pid) -> None:
    """Be a stranger who links himself and crashes."""
    link(other)
    raise Exit("boom")
