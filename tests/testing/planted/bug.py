"""A planted bug, and what several of them need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import attrs
from trio.lowlevel import checkpoint

from phxactor.otp import GenServer, NoReply, Reply, cast
from phxactor.runtime import Down, Exit, From, Pid, monitor, receive, self_pid, spawn
from phxactor.testing.explore import Faults

Program: TypeAlias = Callable[[], Awaitable[object]]


@attrs.frozen
class Bug:
    """A program that raises in some orders, and returns first come, first served."""

    program: Program
    faults: Faults | None = None
    """What may fail, if the bug needs a failure."""

    @property
    def name(self) -> str:
        """Return its name."""
        return self.program.__name__


async def steps(count: int) -> None:
    """Let others go first, so often."""
    for _ in range(count):
        await checkpoint()


async def ended(*bodies: Program) -> None:
    """Run bodies as processes until all have ended."""
    watches = {monitor(spawn(body)) for body in bodies}
    while watches:
        message = await receive(lambda message: isinstance(message, Down))
        watches.discard(message.ref)


async def send_to(to: Pid, message: object) -> None:
    """Send one message: the body of a process."""
    to.send(message)


class Account(GenServer):
    """Money; reads and writes are calls of their own."""

    async def init(self) -> None:
        self.money = 0
        self.asking: From | None = None

    async def handle_call(self, request: object, from_: From) -> Reply | NoReply:
        if request == "later":
            self.asking = from_  # forgets who asked before
            cast(self_pid(), "answer")
            return NoReply()
        if isinstance(request, int):
            self.money = request
        return Reply(self.money)

    async def handle_cast(self, request: object) -> None:
        if request == "answer" and self.asking is not None:
            self.asking.reply("now")
        elif request == "boom":
            raise Exit("boom")


async def account() -> Pid:
    """Start an account."""
    pid: Pid = (await Account.start_link()).unwrap()
    return pid
