"""The rules of calls, tasks and supervisors as small programs with an oracle, as in `runtime_rules`."""

from __future__ import annotations

from typing import Final

from trio.lowlevel import checkpoint

from phxactor.otp import (
    DynamicSupervisor,
    Error,
    GenServer,
    Ok,
    Reply,
    Strategy,
    Supervisor,
    Task,
    call,
    cast,
    child_spec,
)
from phxactor.runtime import Down, Exit, Exited, From, Pid, monitor, receive, self_pid, spawn, trap_exit, whereis
from phxactor.testing import settle
from tests.testing.runtime_rules import Program, calm, may_be_killed, rest

_children: list[Pid] = []
"""The first children of a supervisor, once all of them have started."""


def started_child(pid: Pid) -> bool:
    """Return whether a process is one of the first children, and the program is not at its end yet."""
    return may_be_killed(pid) and pid in _children


def why(error: Exit) -> object:
    """Return why a call has failed, without what was called."""
    assert isinstance(error.reason, tuple)
    return error.reason[0]


# ------------------------------------------------------------------------------------------------- calls, tasks


class Counter(GenServer):
    """Counts."""

    async def init(self) -> None:
        self.count = 0

    async def handle_call(self, request: object, from_: From) -> Reply:
        self.count += 1
        return Reply(self.count)

    async def handle_cast(self, request: object) -> None:
        raise Exit("boom")


async def a_call_has_one_end() -> None:
    """G22 to G24: a call gets its own answer or an `Exit`, and leaves nothing behind, late answers included."""
    started = await Counter.start()
    if isinstance(started, Error):
        assert started.reason == "killed"
        return
    server = started.unwrap()
    answers = []

    async def crash() -> None:
        cast(server, "boom")

    spawn(crash)
    for _ in range(2):
        try:
            answers.append(await call(server, "next", timeout=1.0))
        except Exit as error:
            assert why(error) in {"boom", "killed", "noproc", "timeout"}, error.reason  # noqa: PT017
    assert answers in ([], [1], [1, 2], [2])
    await rest()


async def a_task_has_one_end() -> None:
    """T2 to T10: a task's value or its end, once; nothing is left after `yield_` and `shutdown`."""
    trap_exit()

    async def work() -> int:
        await checkpoint()
        return 5

    task = Task.async_(work)
    outcome = await task.yield_(0.5)
    if outcome is None:
        outcome = await task.shutdown()
    assert outcome in {None, Ok(5)} or isinstance(outcome, Error), outcome
    await settle()
    left = [one for one in self_pid().mailbox if not isinstance(one, Exited)]
    assert left == []
    assert task.pid is not None
    assert not task.pid.alive


# -------------------------------------------------------------------------------------------------- supervisors


async def restarts(strategy: Strategy) -> None:
    """S25 to S29: whichever child is killed, at any step: all run again, each under its name, in start order."""
    trap_exit()
    _children.clear()
    children = [child_spec(Counter.child_spec(name=name), id=name) for name in "abc"]
    supervisor = (await Supervisor.start_link(children, strategy=strategy, max_restarts=9)).unwrap()
    before = {name: whereis(name) for name in "abc"}
    _children[:] = [pid for pid in before.values() if pid is not None]
    for name in "abc":
        try:
            await call(name, "next", timeout=None)
        except Exit as error:
            assert why(error) in {"killed", "noproc", "shutdown"}  # noqa: PT017
    await calm()
    assert supervisor.alive
    infos = Supervisor.statistics(supervisor).children
    assert [info.id for info in infos] == ["a", "b", "c"]
    now = {name: whereis(name) for name in "abc"}
    assert {info.id: info.pid for info in infos} == now
    assert all(pid is not None and pid.alive for pid in now.values())
    new = [name for name in "abc" if now[name] is not before[name]]
    allowed = {
        "one_for_one": ([], ["a"], ["b"], ["c"]),
        "one_for_all": ([], ["a", "b", "c"]),
        "rest_for_one": ([], ["a", "b", "c"], ["b", "c"], ["c"]),
    }
    assert new in allowed[strategy], new
    supervisor.exit("shutdown")
    ended = await receive(lambda message: isinstance(message, Exited))
    assert ended.reason == "shutdown"
    assert [whereis(name) for name in "abc"] == [None] * 3
    await rest()


async def a_child_is_started_once() -> None:
    """D3: of two that start a child under one name, at most one gets it; who ended, ended wholly."""
    trap_exit()
    started = await DynamicSupervisor.start_link(name="pool")
    if isinstance(started, Error):
        assert started.reason == "killed"
        return
    pool = started.unwrap()
    spec = child_spec(Counter.child_spec(name="counter"), restart="temporary")

    async def starts() -> None:
        try:
            await DynamicSupervisor.start_child("pool", spec)
        except Exit as error:
            assert why(error) in {"killed", "noproc"}, error.reason  # noqa: PT017

    watches = {monitor(spawn(starts)) for _ in range(2)}
    while watches:
        watches.discard((await receive(lambda message: isinstance(message, Down))).ref)
    await calm()
    found = whereis("counter")
    assert pool.alive or found is None
    assert DynamicSupervisor.pids(pool) == ([] if found is None else [found])


RULES: Final[list[Program]] = [
    a_call_has_one_end,
    a_task_has_one_end,
    a_child_is_started_once,
]
STRATEGIES: list[Strategy] = ["one_for_one", "one_for_all", "rest_for_one"]
