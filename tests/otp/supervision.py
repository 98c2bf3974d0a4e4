"""Workers that supervisors of the tests supervise: they log what happens to them and end in every way on request."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio
from trio.testing import MockClock

from phxactor.otp import ChildSpec, DynamicSupervisor, Error, GenServer, NoReply, Ok, Started, Stop, Supervisor, cast
from phxactor.runtime import Exit, Pid, Reason, open_runtime, own, self_pid, trap_exit
from phxactor.testing import settle


@attrs.define
class Log:
    """What happened in a tree, in order: `("start", id)`, `("stop", id, reason)` of `terminate`, `("end", id)`."""

    entries: list[tuple[object, ...]] = attrs.Factory(list)
    starts: Counter[object] = attrs.Factory(Counter)
    pids: dict[object, Pid] = attrs.Factory(dict)
    """The last pid of each."""

    def take(self, *kinds: str) -> list[tuple[object, ...]]:
        """Return the entries of these kinds, or all, and begin anew."""
        entries, self.entries = self.entries, []
        return [entry for entry in entries if not kinds or entry[0] in kinds]

    def ids(self, kind: str) -> list[object]:
        """Return the ids of the entries of a kind, and begin anew."""
        return [entry[1] for entry in self.take(kind)]


class Worker(GenServer):
    """Logs its start, its `terminate` and its end; a cast of `Stop(reason)`, `Exit(reason)` or an exception ends it."""

    async def init(self, log: Log, id: object, *, trap: bool, terminating: float) -> None:  # noqa: A002
        self.log, self.id, self.terminating = log, id, terminating
        trap_exit(trap)
        log.entries.append(("start", id))
        log.pids[id] = self_pid()
        own(self_pid(), lambda _: log.entries.append(("end", id)))

    async def handle_cast(self, request: object) -> NoReply | Stop | None:
        if isinstance(request, BaseException):
            raise request
        return request if isinstance(request, Stop) else None

    async def handle_call(self, request: object, from_: object) -> Any:  # noqa: ANN401
        return request

    async def handle_info(self, message: object) -> None:
        self.log.entries.append(("info", self.id, message))

    async def terminate(self, reason: Reason) -> None:
        self.log.entries.append(("stop", self.id, reason))
        await trio.sleep(self.terminating)


async def start_worker(
    log: Log,
    id: object,  # noqa: A002
    plan: Sequence[object],
    *,
    trap: bool,
    terminating: float,
) -> Started:
    """Start one as the plan says for this time.

    A step is what the start function returns or raises, or one of: ok, info (with an `info`), unlinked (without a
    link), slow (refused after a second).
    """
    step = plan[min(log.starts[id], len(plan) - 1)]
    log.starts[id] += 1
    if isinstance(step, BaseException):
        raise step
    if step in ("ok", "unlinked", "info"):
        begin = Worker.start if step == "unlinked" else Worker.start_link
        started = await begin(log, id, trap=trap, terminating=terminating)
        return Ok(started.unwrap(), info="extra") if step == "info" else started
    log.entries.append(("fail", id))
    if step == "slow":
        await trio.sleep(1)
        return REFUSED
    return step  # type: ignore[return-value]


def worker(
    log: Log,
    id: object,  # noqa: A002
    *,
    plan: Sequence[object] = ("ok",),
    trap: bool = False,
    terminating: float = 0.0,
    **fields: Any,  # noqa: ANN401
) -> ChildSpec:
    """Specify a worker; `terminating` seconds is how long its `terminate` takes; `fields` are those of `ChildSpec`."""
    options = {"trap": trap, "terminating": terminating}
    return ChildSpec(id=id, start=(start_worker, (log, id, plan), options), **fields)


REFUSED = Error("refused")


@asynccontextmanager
async def supervised(*children: ChildSpec, **flags: Any) -> AsyncIterator[Pid]:  # noqa: ANN401
    """Run a supervisor of these children, whose parent is the body of the test, which traps exits."""
    async with open_runtime():
        trap_exit()
        yield (await Supervisor.start_link(children, **flags)).unwrap()


@asynccontextmanager
async def pool(**flags: Any) -> AsyncIterator[Pid]:  # noqa: ANN401
    """Run a dynamic supervisor, whose parent is the body of the test, which traps exits."""
    async with open_runtime():
        trap_exit()
        yield (await DynamicSupervisor.start_link(**flags)).unwrap()


def simulate(body: Callable[[], Awaitable[None]]) -> None:
    """Run the body of a test in virtual time of its own: for the many examples of a property."""
    trio.run(body, clock=MockClock(autojump_threshold=0))


async def crash(log: Log, *ids: object, reason: Reason = "boom") -> None:
    """End these workers by their own doing, one after the other, and wait until everything is quiet."""
    for id_ in ids:
        cast(log.pids[id_], Exit(reason))
    await settle()


async def pids(supervisor: Pid | str) -> dict[object, object]:
    """Return the pid, None or `RESTARTING` of each child by id."""
    return {child.id: child.pid for child in await Supervisor.which_children(supervisor)}
