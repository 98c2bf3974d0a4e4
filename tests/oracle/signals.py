"""The kind `signals`: actors that link, monitor, signal, name and send as they are told, and end of it.

An actor takes only its orders from its mailbox; all else stays there until a command looks for it. After each order
everything becomes quiet, and the director writes down what has happened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import attrs
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor.runtime import (
    NOPROC,
    Down,
    Exited,
    Pid,
    Runtime,
    open_runtime,
    own,
    receive,
    spawn,
    spawn_link,
    spawn_monitor,
)
from tests.oracle.commands import SECONDS, Commands, Letter, Return, parted
from tests.oracle.terms import from_reason

DIRECTOR: Final = -1


@attrs.frozen(eq=False)
class Order:
    """To an actor: run the commands, and append the result of each."""

    commands: list[list[object]]
    results: list[object]


@attrs.frozen(eq=False)
class Collect:
    """To an actor: put all that waits in the mailbox into a list."""

    messages: list[object]


async def play(program: Mapping[str, object]) -> list[dict[str, object]]:
    """Run one program on a mock clock; returns what each step did."""
    match program:
        case {"actors": int(actors), "steps": list(steps)}:
            async with open_runtime(stop_timeout=0) as runtime:
                director = Director(runtime)
                for number in range(actors):
                    director.spawn(number, [])
                return [await director.step(by, commands, collect=collect) for by, commands, collect in steps]
    raise ValueError(f"not a program of the kind signals: {program}")


class Director:
    """Starts actors, gives orders, and sees what comes of them."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.commands = Commands(
            {"spawn": self.spawn, "spawn_link": self.spawn_link, "spawn_monitor": self.spawn_monitor}
        )
        self.numbers = self.commands.numbers
        self.names: dict[str, int] = {}
        self.bodies: dict[str, list[object]] = {}
        self.settling: list[trio.Event] = []
        """Of actors who wait until nothing moves."""
        self.ended: dict[str, object] = {}

    async def step(self, by: int, commands: list[list[object]], *, collect: bool) -> dict[str, object]:
        """Have an actor run commands, wait until nothing moves, and say what has happened."""
        if by != DIRECTOR and not (by in self.numbers.pids and self.numbers.pids[by].alive):
            return {}
        self.bodies, self.ended = {}, {}
        results: list[object] = []
        if by == DIRECTOR:
            for command in commands:
                await self.commands.run(command)
                await self.still()
        else:
            self.numbers.pids[by].send(Order(commands, results))
        await self.quiet()
        parts: dict[str, object] = {
            "res": results,
            "body": {number: body for number, body in self.bodies.items() if body},
            "ended": dict(self.ended),
            "mail": await self.collect() if collect else {},
        }
        observation = {part: value for part, value in parts.items() if value}
        names = {name: self.numbers.actors[pid] for name, pid in self.runtime.names.all().items()}
        if names != self.names:
            self.names = observation["names"] = names
        return observation

    async def quiet(self) -> None:
        """Wait until nothing moves, and timers that fire soon have fired."""
        await self.still()
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, MockClock)
        clock.jump(2 * SECONDS["soon"])
        await self.still()

    async def still(self) -> None:
        """Wait until nothing moves; actors who wait for that go on then."""
        await wait_all_tasks_blocked()
        while self.settling:
            settling, self.settling = self.settling, []
            for event in settling:
                event.set()
            await wait_all_tasks_blocked()

    async def settle(self) -> None:
        """Wait until nothing moves; for an actor between two commands."""
        event = trio.Event()
        self.settling.append(event)
        await event.wait()

    async def collect(self) -> dict[str, dict[str, list[object]]]:
        """Empty all mailboxes: actor, sender, letters in order."""
        boxes: dict[int, list[object]] = {number: [] for number, pid in self.numbers.pids.items() if pid.alive}
        for number, messages in boxes.items():
            self.numbers.pids[number].send(Collect(messages))
        await wait_all_tasks_blocked()
        return {str(number): self.sort(messages) for number, messages in boxes.items() if messages}

    def sort(self, messages: list[object]) -> dict[str, list[object]]:
        """Sort letters by sender; those that say `NOPROC` apart, as their order is open."""
        mail: dict[str, list[object]] = {}
        noproc: list[tuple[str, int]] = []
        for message in messages:
            match message:
                case Exited(pid=pid, reason="noproc"):
                    noproc.append(("EXIT", self.numbers.actors[pid]))
                case Exited(pid=pid, reason=reason):
                    mail.setdefault(str(self.numbers.actors[pid]), []).append(["EXIT", from_reason(reason)])
                case Down(ref=ref, reason="noproc"):
                    noproc.append(("DOWN", self.numbers.refs[ref]))
                case Down(ref=ref, object=target, reason=reason):
                    sender = str(self.numbers.actors[target]) if isinstance(target, Pid) else f"name {target}"
                    mail.setdefault(sender, []).append(["DOWN", self.numbers.refs[ref], from_reason(reason)])
                case Letter(sender=writer, tag=tag):
                    mail.setdefault(str(writer), []).append(["msg", tag])
                case _:
                    raise TypeError(f"an unexpected message: {message!r}")
        if noproc:
            mail[NOPROC] = [list(letter) for letter in sorted(noproc)]
        return mail

    # ---------------------------------------------------------------------------------------------- actors

    def spawn(self, number: int, body: list[list[object]]) -> str:
        return self.start(number, partial(spawn, self.act, body))

    def spawn_link(self, number: int, body: list[list[object]]) -> str:
        return self.start(number, partial(spawn_link, self.act, body))

    def spawn_monitor(self, number: int, body: list[list[object]], r: int) -> str:
        def start(results: list[object]) -> Pid:
            pid, ref = spawn_monitor(self.act, body, results)
            self.numbers.add_monitor(r, ref)
            return pid

        return self.start(number, start)

    def start(self, number: int, start: Callable[[list[object]], Pid]) -> str:
        results = self.bodies[str(number)] = []
        pid = start(results)
        self.numbers.add_pid(number, pid)
        own(pid, partial(self.note_end, number))
        return "ok"

    def note_end(self, number: int, pid: Pid) -> None:
        self.ended[str(number)] = from_reason(pid.exit_reason)

    async def act(self, body: list[list[object]], results: list[object]) -> None:
        """Be an actor."""
        order: object = Order(body, results)
        try:
            while True:
                match order:
                    case Order(commands=commands, results=results):
                        for before, command in zip([None, *commands], commands, strict=False):
                            if parted(before, command):
                                await self.settle()
                            results.append(await self.commands.run(command))
                    case Collect(messages=messages):
                        await drain(messages)
                order = await receive(lambda message: isinstance(message, Order | Collect))
        except Return:
            pass


async def drain(messages: list[object]) -> None:
    """Take everything out of one's mailbox."""
    while True:
        try:
            messages.append(await receive(timeout=0))
        except TimeoutError:
            return
