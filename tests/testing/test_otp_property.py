"""Random programs of servers, tasks and streams that are killed, cancelled and late, in any order of steps.

Whatever happens, nothing is left behind: no process, monitor, link, timer or name, and no message in the mailbox of who
asked; and no server owes an answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from phxactor.otp import DynamicSupervisor, GenServer, NoReply, Registry, Reply, Stop, Task, async_stream, call, stop
from phxactor.runtime import (
    KILL,
    Answer,
    Down,
    Exit,
    From,
    Pid,
    Reason,
    monitor,
    self_pid,
    send_after,
    spawn,
    trap_exit,
)
from phxactor.testing import settle
from phxactor.testing.invariants import assert_answered, nothing_leaked
from phxactor.testing.schedule import Schedule
from phxactor.testing.strategies import reasons, schedule

Act: TypeAlias = Callable[["Worker"], Awaitable[object]]
LONG = 1000.0


class Desk(GenServer):
    """Answers at once, later, or by its end."""

    async def handle_call(self, request: object, from_: From) -> Reply | NoReply | Stop:
        match request:
            case ("later", float() as seconds):
                send_after(self_pid(), from_, seconds)
                return NoReply()
            case ("slow", float() as seconds):
                await trio.sleep(seconds)
            case ("stop", reason):
                return Stop(reason, reply="stopped")
            case ("crash", reason):
                raise Exit(reason)
        return Reply(request)

    async def handle_info(self, message: object) -> None:
        if isinstance(message, From):
            message.reply("late")


class Worker:
    """What the acts of one process share."""

    def __init__(self, desks: list[Pid], supervisor: Pid) -> None:
        self.desks = desks
        self.supervisor = supervisor


requests = st.one_of(
    st.just("now"),
    st.tuples(st.sampled_from(["later", "slow"]), st.sampled_from([0.0, 1.0, 3.0])),
    st.tuples(st.sampled_from(["stop", "crash"]), reasons()),
)
times = st.sampled_from([0.0, 0.5, 1.0, 2.0, LONG])


@st.composite
def calls(draw: st.DrawFn) -> Act:
    """Ask, with a time-out, and maybe be cancelled by one's own scope."""
    number, request, timeout, patience = draw(st.integers(0, 1)), draw(requests), draw(times), draw(times)

    async def act(worker: Worker) -> None:
        with trio.move_on_after(patience):
            await call(worker.desks[number], request, timeout)

    return act


@st.composite
def ends(draw: st.DrawFn) -> Act:
    """End a server from outside."""
    number, reason, patience = draw(st.integers(0, 1)), draw(st.one_of(st.just(KILL), reasons())), draw(times)
    politely = draw(st.booleans())

    async def act(worker: Worker) -> None:
        if politely:
            await stop(worker.desks[number], reason, patience)
        else:
            worker.desks[number].exit(reason)

    return act


@st.composite
def starts(draw: st.DrawFn) -> Act:
    """Start a server below a supervisor, and use it under a name."""
    key, patience = draw(st.sampled_from("ab")), draw(times)

    async def act(worker: Worker) -> None:
        with trio.move_on_after(patience):
            spec = (Named, key)
            await DynamicSupervisor.start_child(worker.supervisor, spec)
            await call(Registry.via("desks", key), ("slow", 1.0), 2.0)

    return act


class Named(Desk):
    """A desk with a key in the registry."""

    @classmethod
    async def start_link(cls, key: str) -> object:  # type: ignore[override]
        return await super().start_link(name=Registry.via("desks", key))


@st.composite
def tasks(draw: st.DrawFn) -> Act:
    """Run tasks, one by itself or many as a stream, that take their time or fail."""
    seconds, patience, failing = draw(times), draw(times), draw(st.none() | reasons())
    many = draw(st.integers(0, 4))

    async def work(number: int = 0) -> int:
        await trio.sleep(seconds / (number + 1))
        if failing is not None and number % 2 == 0:
            raise Exit(failing)
        return number

    async def act(worker: Worker) -> None:
        with trio.move_on_after(patience):
            if many:
                stream = async_stream(range(many), work, max_concurrency=2, timeout=1.5, on_timeout="kill_task")
                async with stream as results:
                    async for _ in results:
                        pass
            else:
                task = Task.async_(work)
                try:
                    await task.await_(1.5)
                finally:
                    with trio.CancelScope(shield=self_pid().alive):
                        await task.shutdown()

    return act


acts = st.lists(st.lists(st.one_of(calls(), ends(), starts(), tasks()), max_size=3), min_size=1, max_size=3)
kills = st.lists(st.tuples(st.integers(0, 2), times, st.one_of(st.just(KILL), reasons())), max_size=2)


async def played(order: Schedule, programs: list[list[Act]], killed: list[tuple[int, float, Reason]]) -> None:
    trap_exit()
    async with nothing_leaked():
        desks = [(await Desk.start()).unwrap() for _ in range(2)]
        supervisor = (await DynamicSupervisor.start_link(max_restarts=1000)).unwrap()
        registry = (await Registry.start_link(name="desks", keys="unique", partitions=2)).unwrap()

        async def run(acts: list[Act]) -> None:
            worker = Worker(desks, supervisor)
            trap_exit()
            for act in acts:
                with suppress(Exit):
                    await act(worker)
            if self_pid().alive:  # else a kill came where a shield kept it away
                left.extend(message for message in self_pid().mailbox if isinstance(message, Answer | Down))
                left.extend(self_pid().monitors or ())

        left: list[object] = []
        workers = [spawn(run, acts) for acts in programs]
        for number, seconds, reason in killed:
            await trio.sleep(min(seconds, 3.0))
            workers[number % len(workers)].exit(reason)
        await trio.sleep(LONG * 20)
        await settle()
        assert [pid for pid in workers if pid.alive] == []
        assert left == []
        assert_answered(order.trace)
        for pid in [*desks, supervisor, registry]:
            watch = monitor(pid)
            pid.exit(KILL)
            await self_pid().receive_matching(lambda message, watch=watch: getattr(message, "ref", None) is watch)  # type: ignore[misc]
        self_pid().mailbox.clear()


@settings(max_examples=150)
@given(schedule(), acts, kills)
def test_nothing_is_left_of_what_was_killed(
    order: Schedule, programs: list[list[Act]], killed: list[tuple[int, float, Reason]]
) -> None:
    order.run(played, order, programs, killed)
