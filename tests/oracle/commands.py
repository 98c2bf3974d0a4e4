"""The commands of the kind `signals`: each is a function that the actor runs on itself."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable
from typing import Final

import attrs
import trio

from phxactor.runtime import (
    Down,
    Exit,
    Exited,
    Monitor,
    NameTakenError,
    NoProcessError,
    Pid,
    Timer,
    cancel_timer,
    demonitor,
    link,
    monitor,
    receive,
    register,
    self_pid,
    send,
    send_after,
    trap_exit,
    unlink,
    unregister,
    whereis,
)
from tests.oracle.terms import Thrown, error_name, from_reason, to_reason

SECONDS: Final = {"soon": 1.0, "never": 1e6}
ARGUMENT_ERROR: Final = ["error", "ArgumentError"]


class Return(Exception):
    """The command `return`."""


class UnbornError(LookupError):
    """A command about an actor, a monitor or a timer that never came to be."""


@attrs.frozen
class Letter:
    """From an actor, or from a timer."""

    sender: int | str
    tag: str


class Numbers:
    """What the numbers of a program stand for, so far."""

    def __init__(self) -> None:
        self.pids: dict[int, Pid] = {}
        self.actors: dict[Pid, int] = {}
        self.monitors: dict[int, Monitor] = {}
        self.refs: dict[Monitor, int] = {}
        self.timers: dict[int, Timer] = {}

    def pid(self, t: int) -> Pid:
        if t not in self.pids:
            raise UnbornError
        return self.pids[t]

    def monitor(self, r: int) -> Monitor:
        if r not in self.monitors:
            raise UnbornError
        return self.monitors[r]

    def add_pid(self, n: int, pid: Pid) -> None:
        self.pids[n] = pid
        self.actors[pid] = n

    def add_monitor(self, r: int, ref: Monitor) -> None:
        self.monitors[r] = ref
        self.refs[ref] = r


class Commands:
    """One method for each; starting actors is the director's (`spawn`, see `signals`)."""

    def __init__(self, spawn: dict[str, Callable[..., object]]) -> None:
        self.numbers = Numbers()
        self.table: dict[str, Callable[..., object]] = {
            "alive": self.alive,
            "cancel": self.cancel,
            "demonitor": self.demonitor,
            "exit": self.exit,
            "guard": self.guard,
            "info": self.info,
            "link!": self.link,
            "link": self.try_link,
            "monitor": self.monitor,
            "monitor_name": self.monitor_name,
            "raise": self.raise_,
            "recv": self.recv,
            "recv_down": self.recv_down,
            "recv_exit": self.recv_exit,
            "register": self.register,
            "return": self.return_,
            "send": self.send,
            "send_after": self.send_after,
            "send_name": self.send_name,
            "signal": self.signal,
            "throw": self.throw,
            "trap": trap_exit,
            "unlink": self.unlink,
            "unlink_flush": self.unlink_flush,
            "unregister": self.unregister,
            "whereis": self.whereis,
            **spawn,
        }

    async def run(self, command: list[object]) -> object:
        """Run one command in the current process, and return its result."""
        name, *arguments = command
        try:
            result = self.table[str(name)](*arguments)
            return await result if isawaitable(result) else result
        except UnbornError:
            return "unborn"

    # ----------------------------------------------------------------------------------------------- ends

    def exit(self, reason: object) -> None:
        raise Exit(to_reason(reason))

    def raise_(self) -> None:
        raise RuntimeError

    def throw(self, value: object) -> None:
        raise Thrown(value)

    def return_(self) -> None:
        raise Return

    def signal(self, t: int, reason: object) -> bool:
        self.numbers.pid(t).exit(to_reason(reason))
        return True

    async def guard(self, command: list[object]) -> object:
        try:
            return await self.run(command)
        except (Return, trio.Cancelled):
            raise
        except BaseException as error:
            match error:
                case _ if not self_pid().alive:  # no handler sees an exit signal, not even one's own (P7)
                    raise
                case Exit(reason=reason):
                    return ["caught", "exit", from_reason(reason)]
                case Thrown(value=value):
                    return ["caught", "throw", value]
                case _:
                    return ["caught", "error", error_name(error)]

    # ---------------------------------------------------------------------------------- links and monitors

    def link(self, t: int) -> bool:
        link(self.numbers.pid(t))
        return True

    def try_link(self, t: int) -> object:
        try:
            return self.link(t)
        except NoProcessError as error:
            return ["error", error_name(error)]

    def unlink(self, t: int) -> bool:
        unlink(self.numbers.pid(t))
        return True

    def unlink_flush(self, t: int) -> bool:
        unlink(self.numbers.pid(t), flush=True)
        return True

    def monitor(self, t: int, r: int) -> str:
        self.numbers.add_monitor(r, monitor(self.numbers.pid(t)))
        return "ok"

    def monitor_name(self, name: str, r: int) -> str:
        self.numbers.add_monitor(r, monitor(name))
        return "ok"

    def demonitor(self, r: int, options: list[str]) -> bool:
        was_active = demonitor(self.numbers.monitor(r), flush="flush" in options)
        return was_active if "info" in options else True

    def alive(self, t: int) -> bool:
        return self.numbers.pid(t).alive

    def info(self, t: int) -> object:
        pid = self.numbers.pid(t)
        pid.runtime.take_in(pid)  # on the BEAM it would be asked, and look
        return [len(pid.links or ()), len(pid.monitors or ())] if pid.alive else "nil"

    # --------------------------------------------------------------------------------------------- names

    def register(self, name: str, t: int) -> object:
        try:
            register(name, self.numbers.pid(t))
        except NameTakenError:
            return ARGUMENT_ERROR
        except ValueError:
            return ["error", "FunctionClauseError"]
        return True

    def unregister(self, name: str) -> object:
        try:
            unregister(name)
        except LookupError:
            return ARGUMENT_ERROR
        return True

    def whereis(self, name: str) -> object:
        pid = whereis(name)
        return "nil" if pid is None else self.numbers.actors[pid]

    # ------------------------------------------------------------------------------------------ messages

    def send(self, t: int, tag: str) -> str:
        send(self.numbers.pid(t), self.letter(tag))
        return "ok"

    def send_name(self, name: str, tag: str) -> object:
        try:
            send(name, self.letter(tag))
        except NoProcessError:
            return ARGUMENT_ERROR
        return "ok"

    def letter(self, tag: str) -> Letter:
        return Letter(self.numbers.actors[self_pid()], tag)

    def send_after(self, to: int | str, tag: str, time: str, k: int) -> str:
        destination = to if isinstance(to, str) else self.numbers.pid(to)
        self.numbers.timers[k] = send_after(destination, Letter(f"t{k}", tag), SECONDS[time])
        return "ok"

    def cancel(self, k: int) -> object:
        if k not in self.numbers.timers:
            raise UnbornError
        return False if cancel_timer(self.numbers.timers[k]) is None else "left"

    async def recv(self, tags: list[str]) -> object:
        letter = await look(lambda message: isinstance(message, Letter) and message.tag in tags)
        return [letter.sender, letter.tag] if isinstance(letter, Letter) else "timeout"

    async def recv_exit(self, t: int) -> object:
        pid = self.numbers.pid(t)
        message = await look(lambda message: isinstance(message, Exited) and message.pid is pid)
        return from_reason(message.reason) if isinstance(message, Exited) else "timeout"

    async def recv_down(self, r: int) -> object:
        ref = self.numbers.monitor(r)
        message = await look(lambda message: isinstance(message, Down) and message.ref is ref)
        return from_reason(message.reason) if isinstance(message, Down) else "timeout"


def parted(before: list[object] | None, after: list[object]) -> bool:
    """Tell whether everything becomes quiet before a command: the BEAM has no schedule in which it does not.

    There one who waits for an answer, or looks into the mailbox, takes signals in: those of before, and what comes of
    them. And who starts an actor is behind it, where that matters.
    """
    match after:
        case ["guard", list(command)]:
            return parted(before, command)
        case ["alive" | "info" | "recv" | "recv_down" | "recv_exit" | "unlink_flush", *_]:
            return True
        case ["demonitor", _, list(options)] if "flush" in options:
            return True
    return before is not None and str(before[0]).startswith("spawn")


async def look(match: Callable[[object], bool]) -> object:
    """Take the oldest such message, if it is there."""
    try:
        return await receive(match, timeout=0)
    except TimeoutError:
        return None
