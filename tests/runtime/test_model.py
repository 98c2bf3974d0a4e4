"""Random lives of a few processes, against a model of the rules that needs neither trio nor tasks (TM45)."""

from __future__ import annotations

from functools import partial
from typing import TypeAlias

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from phxactor.runtime import (
    KILL,
    KILLED,
    NORMAL,
    SHUTDOWN,
    Down,
    Exited,
    Pid,
    link,
    monitor,
    open_runtime,
    trap_exit,
    unlink,
)
from phxactor.testing import settle
from tests.runtime.actors import Actor, Do, leave

Command: TypeAlias = tuple[str, int, object]

COUNT = 5
numbers = st.integers(0, COUNT - 1)
reasons = st.sampled_from([NORMAL, SHUTDOWN, KILL, "boom", ("boom", 1)])
commands = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["link", "unlink", "monitor"]), numbers, numbers),
        st.tuples(st.just("trap"), numbers, st.booleans()),
        st.tuples(st.just("leave"), numbers, reasons),
        st.tuples(st.just("signal"), numbers, st.tuples(numbers, reasons)),
    ),
    max_size=30,
)


class Model:
    """The rules X1 to X11, X15, M1, M5, M11 and P15, on plain sets."""

    def __init__(self) -> None:
        self.links: set[frozenset[int]] = set()
        self.monitors: list[tuple[int, int]] = []
        self.trapping: set[int] = set()
        self.ended: dict[int, object] = {}
        self.mail: list[list[tuple[object, ...]]] = [[] for _ in range(COUNT)]

    def run(self, command: Command) -> None:
        match command:
            case ("link", by, int(other)) if by != other:
                self.links.add(frozenset({by, other}))
            case ("unlink", by, int(other)):
                self.links.discard(frozenset({by, other}))
            case ("monitor", by, int(other)) if by != other:
                self.monitors.append((by, other))
            case ("trap", by, flag):
                (self.trapping.add if flag else self.trapping.discard)(by)
            case ("leave", by, reason):
                self.end(by, reason)
            case ("signal", by, (int(other), reason)):
                self.signal(by, other, reason)

    def signal(self, by: int, other: int, reason: object) -> None:
        if reason == KILL:
            self.end(other, KILLED)
        elif other in self.trapping:
            self.mail[other].append(("exited", by, reason))
        elif reason != NORMAL or by == other:
            self.end(other, reason)

    def end(self, number: int, reason: object) -> None:
        self.ended[number] = reason
        self.monitors = [(by, of) for by, of in self.monitors if by != number]
        for pair in [pair for pair in self.links if number in pair]:
            self.links.discard(pair)
            (other,) = pair - {number}
            if other in self.trapping:
                self.mail[other].append(("exited", number, reason))
            elif reason != NORMAL:
                self.end(other, reason)
        for by, of in [(by, of) for by, of in self.monitors if of == number]:
            self.monitors.remove((by, of))
            if by not in self.ended:
                self.mail[by].append(("down", number, reason))


def run(actors: list[Actor], command: Command) -> None:
    """Do what the command says, in the process that it says."""
    match command:
        case ("link", _, int(other)):
            link(actors[other].pid)
        case ("unlink", _, int(other)):
            unlink(actors[other].pid)
        case ("monitor", _, int(other)):
            monitor(actors[other].pid)
        case ("trap", _, bool(flag)):
            trap_exit(flag)
        case ("leave", _, reason):
            leave(reason)
        case ("signal", _, (int(other), reason)):
            actors[other].pid.exit(reason)


def simple(message: object, numbers_of: dict[Pid, int]) -> tuple[object, ...]:
    """Write a message as the model does."""
    match message:
        case Exited(pid=pid, reason=reason):
            return ("exited", numbers_of[pid], reason)
        case Down(object=Pid() as pid, reason=reason):
            return ("down", numbers_of[pid], reason)
    raise TypeError(message)


async def play(program: list[Command]) -> None:
    model = Model()
    async with open_runtime(stop_timeout=0):
        actors = [Actor() for _ in range(COUNT)]
        await settle()
        for command in program:
            name, by, argument = command
            other = argument[0] if isinstance(argument, tuple) and name == "signal" else argument
            if by in model.ended or (name not in ("trap", "leave") and other in model.ended):
                continue
            model.run(command)
            actors[by].pid.send(Do(partial(run, actors, command)))
            await settle()
        numbers_of = {actor.pid: number for number, actor in enumerate(actors)}
        assert {n: a.pid.exit_reason for n, a in enumerate(actors) if not a.pid.alive} == model.ended
        for number, actor in enumerate(actors):
            if number not in model.ended:
                seen = [simple(message, numbers_of) for message in actor.mail]
                assert sorted(seen, key=str) == sorted(model.mail[number], key=str)
                links = {frozenset({number, numbers_of[pid]}) for pid in actor.pid.links or ()}
                assert links == {pair for pair in model.links if number in pair}


@pytest.mark.allow_leaks("some lives are left without parents")
@settings(deadline=None)
@given(commands)
def test_TM45_random_lives_go_as_the_model_says(program: list[Command]) -> None:
    trio.run(play, program)
