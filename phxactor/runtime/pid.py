"""A process as others see it, and its mailbox.

A mailbox has one reader, its own process, and any number of writers, who never wait. A process takes its
messages in one of two ways:

- it reads: `await pid.receive()`, or `receive_matching` for selective receive;
- it hands over a *port*, a synchronous function. Whoever sends to an idle port runs that function at once, with no
  task switch; a busy one queues. That is what makes a broadcast to a thousand connections cheap.

Both keep the order of each sender (O1), and neither lets a message in once the process is ending.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs
from trio.lowlevel import (
    Abort,
    RaiseCancelT,
    Task,
    checkpoint,
    current_task,
    reschedule,
    wait_task_rescheduled,
)

from phxactor.runtime.errors import Exit
from phxactor.runtime.reasons import NORMAL, Reason

if TYPE_CHECKING:
    import trio

    from phxactor.runtime.messages import Monitor, Ref
    from phxactor.runtime.runtime import Runtime
    from phxactor.runtime.timers import Timer

Port: TypeAlias = Callable[[object], None]
"""Takes one message, synchronously; raising ends the port's process, never the sender."""

BUDGET: Final = 100
"""Messages that a process takes without a checkpoint before it lets others run (DESIGN section 2)."""
PORT_DEPTH: Final = 24
"""Ports that may run inside one another; beyond it the message queues and is taken a little later."""


class State(IntEnum):
    """A process's life: it only moves downwards, and dies once."""

    ALIVE = 0
    EXITING = 1
    """A fatal signal or an end of the body is certain: not alive, but still holding its name and links (P11)."""
    DEAD = 2


@attrs.frozen
class MailboxStatistics:
    """A mailbox at one moment."""

    length: int
    """Messages that wait."""
    receiving: bool
    """Whether the process waits for a message."""


class Pid:
    """A process: its address, and the record that the runtime keeps of it.

    Programs use `send`, `exit`, `alive`, `number`, `name`, `label` and `statistics`; everything else belongs to the
    runtime. Two pids are the same process when they are the same object; a pid is never used again (P21).
    """

    __slots__ = (
        "__weakref__",
        "ancestors",
        "arriving",
        "budget",
        "callers",
        "dictionary",
        "exit_reason",
        "initial_call",
        "label",
        "lineage",
        "links",
        "mailbox",
        "monitors",
        "name",
        "number",
        "parent",
        "port",
        "port_busy",
        "resources",
        "runtime",
        "scope",
        "state",
        "trapping",
        "waiter",
        "wanted",
        "watchers",
    )

    def __init__(self, runtime: Runtime, number: int, initial_call: str, parent: Pid | None) -> None:
        """Make the record; `Runtime.spawn` is what starts a process."""
        self.runtime = runtime
        self.number = number
        """Counts up from 1 in each runtime."""
        self.initial_call = initial_call
        """What it runs, for humans (L11)."""
        self.parent = parent
        """Who spawned it, until it ends."""
        self.ancestors: tuple[Pid | str, ...] = parent.children_ancestors() if parent else ()
        """Parent first; a name where the parent had one (L9)."""
        self.callers: tuple[Pid, ...] = ()
        """Who asked for it, where that is not who spawned it: tasks only (L10)."""
        self.lineage: tuple[Pid | str, ...] | None = None
        self.name: str | None = None
        self.label: object = None
        """Free text for humans and viewers (L12)."""
        self.state: State = State.ALIVE
        self.exit_reason: Reason = None
        """Why it ended, once `state` is not `ALIVE`."""
        self.trapping = False
        self.scope: trio.CancelScope | None = None
        self.mailbox: deque[object] = deque()
        self.waiter: Task | None = None
        self.wanted: Ref | None = None
        self.budget = BUDGET
        self.port: Port | None = None
        self.port_busy = False
        # Tables are made when first needed: most processes have one link and one monitor at the most.
        self.links: dict[Pid, bool] | None = None
        self.monitors: dict[Monitor, None] | None = None
        self.watchers: dict[Monitor, None] | None = None
        self.arriving: list[Monitor] | None = None
        """Monitors made on the dead, whose `Down` has not been taken in yet (M9)."""
        self.resources: dict[Callable[[Pid], None], None] | None = None
        self.dictionary: dict[object, object] | None = None

    def __repr__(self) -> str:
        """Show `#PID<7>`, with the registered name or the initial call."""
        return f"#PID<{self.number} {self.name or self.initial_call}>"

    @property
    def alive(self) -> bool:
        """Whether it runs; false from the moment of a fatal signal on (P12). Never raises."""
        return self.state is State.ALIVE

    def exit(self, reason: Reason) -> None:
        """Send it an exit signal (X4 to X9); from outside any process the signal is from nobody it knows.

        Raises `Exit` at once when a process signals itself fatally (P8).
        """
        self.runtime.exit(self, reason)

    def statistics(self) -> MailboxStatistics:
        """Look at the mailbox without being a message in it."""
        return MailboxStatistics(length=len(self.mailbox), receiving=self.waiter is not None)

    def children_ancestors(self) -> tuple[Pid | str, ...]:
        """What `ancestors` is for a child spawned now."""
        lineage = self.lineage
        if lineage is None or lineage[0] is not (self.name or self):
            lineage = self.lineage = (self.name or self, *self.ancestors)
        return lineage

    # ------------------------------------------------------------------------------------------- sending

    def send(self, message: object) -> None:
        """Put a message in its mailbox: never waits, never fails, and is dropped if the process is gone (P16)."""
        waiter = self.waiter
        if waiter is not None:
            self.mailbox.append(message)
            wanted = self.wanted
            if wanted is None or getattr(message, "ref", None) is wanted:
                self.waiter = None
                reschedule(waiter)
        elif self.port is not None:
            self._run_port(message)
        elif self.state is not State.DEAD:
            self.mailbox.append(message)

    def _run_port(self, message: object) -> None:
        port, runtime = self.port, self.runtime
        if self.port_busy or self.mailbox or self.state is not State.ALIVE or port is None:
            if self.state is State.ALIVE:
                self.mailbox.append(message)
            return
        if runtime.port_depth >= PORT_DEPTH:
            self.mailbox.append(message)
            runtime.run_soon(self.run_port_queue)
            return
        self.port_busy = True
        runtime.port_depth += 1
        try:
            port(message)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it ends the port's process
            runtime.port_failed(self, error)
        runtime.port_depth -= 1
        self.port_busy = False
        if self.mailbox:
            self.run_port_queue()

    def run_port_queue(self) -> None:
        """Let the port take what queued while it was busy, in order; a long queue goes on in the next pass."""
        if self.port_busy:
            return
        mailbox, runtime = self.mailbox, self.runtime
        self.port_busy = True
        runtime.port_depth += 1
        left = BUDGET
        try:
            while mailbox and self.port is not None and self.state is State.ALIVE:
                if not left:
                    runtime.run_soon(self.run_port_queue)
                    break
                left -= 1
                self.port(mailbox.popleft())
        except BaseException as error:  # noqa: BLE001 - whatever it is, it ends the port's process
            runtime.port_failed(self, error)
        runtime.port_depth -= 1
        self.port_busy = False

    # ----------------------------------------------------------------------------------------- receiving

    async def receive(self, timeout: float | None = None) -> object:
        """Take the oldest message, waiting for one; for the process itself only.

        Yields to others only when there is nothing to take, or after `BUDGET` messages. Raises TimeoutError when
        nothing has come within `timeout` seconds; a message that waits wins over a timeout of 0 (N3).
        """
        mailbox = self.mailbox
        if mailbox:
            if self.budget:
                self.budget -= 1
            else:
                self.budget = BUDGET
                await checkpoint()
                if not mailbox:  # a sub-task of the process took it meanwhile
                    return await self.receive(timeout)
            if self.state is not State.ALIVE:
                await self.die()
            return mailbox.popleft()
        if self.arriving is not None:
            self.runtime.take_in(self)
        if timeout is None:
            while not mailbox:
                await self._wait(None)
        elif not mailbox:
            await self._wait_for_more(0, self.runtime.now() + timeout)
        return mailbox.popleft()

    async def receive_matching(
        self,
        match: Callable[[object], bool],
        timeout: float | None = None,
    ) -> object:
        """Take the oldest message for which `match` is true; the others stay, in order (N2).

        Raises TimeoutError `timeout` seconds after entry; messages that do not match do not prolong it (N4).
        """
        deadline = None if timeout is None else self.runtime.now() + timeout
        mailbox, seen = self.mailbox, 0
        self.budget -= 1
        if self.budget <= 0:
            self.budget = BUDGET
            await checkpoint()
        while True:
            if self.state is not State.ALIVE:
                await self.die()
            if self.arriving is not None:
                self.runtime.take_in(self)
            for index in range(seen, len(mailbox)):
                message = mailbox[index]
                if match(message):
                    del mailbox[index]
                    return message
            seen = len(mailbox)
            await self._wait_for_more(seen, deadline)

    async def receive_ref(self, ref: Ref, seen: int, timeout: float | None) -> object:
        """Take the message whose `ref` is `ref`, looking only behind the first `seen` messages.

        For a reference that was made when the mailbox had that length, so that nothing before can carry it.
        Raises TimeoutError.
        """
        mailbox = self.mailbox
        timer: Timer | None = None
        try:
            while True:
                if self.arriving is not None:
                    self.runtime.take_in(self)
                for index in range(seen, len(mailbox)):
                    message = mailbox[index]
                    if getattr(message, "ref", None) is ref:
                        del mailbox[index]
                        return message
                seen = len(mailbox)
                if timeout is not None and timer is None:
                    timer = self.runtime.timers.add(timeout, self.wake, None)
                elif timer is not None and not timer.pending:
                    raise TimeoutError
                await self._wait(ref)
        finally:
            if timer is not None:
                self.runtime.timers.cancel(timer)

    async def _wait_for_more(self, seen: int, deadline: float | None) -> None:
        """Wait until the mailbox is longer than `seen`; raises TimeoutError."""
        if deadline is None:
            await self._wait(None)
            return
        left = deadline - self.runtime.now()
        if left <= 0:
            await checkpoint()
            if len(self.mailbox) > seen:
                return
            raise TimeoutError
        timer = self.runtime.timers.add(left, self.wake, None)
        try:
            while len(self.mailbox) <= seen:
                if not timer.pending:
                    raise TimeoutError
                await self._wait(None)
        finally:
            self.runtime.timers.cancel(timer)

    async def _wait(self, wanted: Ref | None) -> None:
        """Sleep until a message comes (that carries `wanted`, if given), or `wake` is called."""
        if self.waiter is not None:
            raise RuntimeError(f"two tasks of {self!r} receive at the same time")
        self.waiter = current_task()
        self.wanted = wanted
        self.budget = BUDGET
        await wait_task_rescheduled(self._stop_waiting)
        if self.state is not State.ALIVE:  # killed between the wake-up and now: take no further message (TM13)
            await self.die()

    def wake(self, _: object = None) -> None:
        """Let a waiting receive look again."""
        waiter = self.waiter
        if waiter is not None:
            self.waiter = None
            reschedule(waiter)

    def _stop_waiting(self, _: RaiseCancelT) -> Abort:
        self.waiter = None
        return Abort.SUCCEEDED

    async def die(self) -> None:
        """Leave the body of a process that is ending: raises trio's Cancelled, or `Exit` inside a shield."""
        await checkpoint()
        raise Exit(self.exit_reason if self.exit_reason is not None else NORMAL)
