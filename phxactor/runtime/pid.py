"""A process as others see it: its address, and the record that the runtime keeps of it.

Any number of processes may send to it; they never wait. It takes its messages in one of two ways:

- it reads them (`mailbox`);
- it hands over a *port*, a synchronous function. Whoever sends to an idle port runs that function at once, with no
  task switch; a busy one queues. That is what makes a broadcast to a thousand connections cheap. For messages of one
  type it may have a *sink* beside it, which does nothing but put them down: that needs no process to run as, nor that
  the port is idle, and saves 0.7 µs of the 1.1 that a port costs.

Both keep the order of each sender (O1), and neither lets a message in once the process is ending.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from threading import get_ident
from typing import TYPE_CHECKING, Final, TypeAlias

from trio.lowlevel import enable_ki_protection, reschedule

from phxactor.runtime.errors import not_here
from phxactor.runtime.mailbox import BUDGET, Mailbox
from phxactor.runtime.sink import NO_SINK
from phxactor.runtime.state import ALIVE, DEAD

if TYPE_CHECKING:
    import trio

    from phxactor.runtime.generators import Opened
    from phxactor.runtime.messages import Monitor
    from phxactor.runtime.reasons import Reason
    from phxactor.runtime.runtime import Runtime

Port: TypeAlias = Callable[[object], None]
"""Takes one message, synchronously, as its process; raising ends that process, never the sender."""

PORT_DEPTH: Final = 24
"""Ports that may run inside one another; beyond it the message queues and is taken a little later."""
ANCESTORS: Final = 16
"""Generations that a process remembers, so that one which starts its successor, and so on, does not grow for ever."""


class Pid(Mailbox):
    """A process: its address, and the record that the runtime keeps of it.

    Programs use `send`, `exit`, `alive`, `number`, `name`, `label` and `statistics`; everything else belongs to the
    runtime. Two pids are the same process when they are the same object; a pid is never used again (P21).
    """

    __slots__ = (
        "__weakref__",
        "ancestors",
        "callers",
        "dictionary",
        "generators",
        "initial_call",
        "label",
        "lineage",
        "links",
        "monitors",
        "name",
        "number",
        "parent",
        "resources",
        "scope",
        "thread",
        "trapping",
        "watchers",
    )

    def __init__(self, runtime: Runtime, number: int, initial_call: str, parent: Pid | None) -> None:
        """Make the record; `Runtime.spawn` is what starts a process."""
        self.runtime = runtime
        self.thread = runtime.thread
        """Where it lives: only there may anything be done to it."""
        self.number = number
        """Counts up from 1 in each runtime."""
        self.initial_call = initial_call
        """What it runs, for humans (L11)."""
        self.parent = parent
        """Who spawned it, until it ends."""
        self.ancestors: tuple[Pid | str, ...] = parent.children_ancestors() if parent else ()
        """Parent first; a name where the parent had one (L9); until it ends."""
        self.callers: tuple[Pid, ...] = ()
        """Who asked for it, where that is not who spawned it: tasks only (L10)."""
        self.lineage: tuple[Pid | str, ...] | None = None
        self.name: str | None = None
        self.label: object = None
        """Free text for humans and viewers (L12)."""
        self.state = ALIVE
        self.exit_reason = None
        """Why it ended, once `state` is not `ALIVE`."""
        self.trapping = False
        self.scope: trio.CancelScope | None = None
        self.mailbox = []
        self.waiter = None
        self.waiters = None
        self.budget = BUDGET
        self.port = None
        self.port_busy = 0
        self.sunk = None
        self.sink = NO_SINK
        # Tables are made when first needed: most processes have one link and one monitor at the most.
        self.links: dict[Pid, bool] | None = None
        self.monitors: dict[Monitor, None] | None = None
        self.watchers: dict[Monitor, None] | None = None
        self.arriving = None
        self.resources: dict[Callable[[Pid], None], None] | None = None
        self.dictionary: dict[object, object] | None = None
        self.generators: dict[int, Opened] | None = None
        """The async generators that it has begun, by address, the oldest first."""

    def __repr__(self) -> str:
        """Show `#PID<7>`, with the registered name or the initial call."""
        return f"#PID<{self.number} {self.name or self.initial_call}>"

    @property
    def alive(self) -> bool:
        """Whether it runs; false from the moment of a fatal signal on (P12). Never raises."""
        return self.state is ALIVE

    def exit(self, reason: Reason) -> None:
        """Send it an exit signal (X4 to X9); from outside any process the signal is from nobody it knows.

        Raises `Exit` at once when a process signals itself fatally (P8).
        """
        self.runtime.exit(self, reason)

    def children_ancestors(self) -> tuple[Pid | str, ...]:
        """What `ancestors` is for a child spawned now."""
        lineage = self.lineage
        if lineage is None or lineage[0] is not (self.name or self):
            lineage = self.lineage = (self.name or self, *self.ancestors[: ANCESTORS - 1])
        return lineage

    # ------------------------------------------------------------------------------------------- sending

    def send(self, message: object) -> None:
        """Put a message in its mailbox: never waits, never fails, and is dropped if the process is gone (P16).

        Raises WrongThreadError in another thread than that of its runtime, as `exit` does.
        """
        if get_ident() != self.thread:
            raise not_here(self)
        if silenced and current.get(None) in silenced:
            return
        waiter = self.waiter
        if waiter is not None and self.waiters is None:  # as `deliver` does: most receivers wait
            self.mailbox.append(message)
            self.waiter = None
            reschedule(waiter)
        else:
            self.deliver(message)

    def deliver(self, message: object) -> None:
        """Do as `send`, in the right thread: a broadcast makes sure of that once for all subscribers."""
        if silenced and current.get(None) in silenced:
            return
        waiter = self.waiter
        if waiter is not None:
            if self.waiters is None:
                self.mailbox.append(message)
                self.waiter = None
                reschedule(waiter)
            else:
                self.offer(message)
        elif type(message) is self.sunk:  # a broadcast is this a thousand times: nothing else is looked at, or touched
            try:
                self.sink.put(message)
            except Exception as error:  # noqa: BLE001 - whatever it is, it ends the port's process
                self.runtime.port_failed(self, error)
        elif self.port is not None:
            self._run_port(self.port, message)
        elif self.state is not DEAD:
            self.mailbox.append(message)

    def drop_sink(self) -> None:
        """Have the port take all messages."""
        self.sunk = None
        self.sink = NO_SINK

    @enable_ki_protection
    def _run_port(self, port: Port, message: object) -> None:
        if self.port_busy or self.mailbox or self.state is not ALIVE:
            if self.state is ALIVE:
                self.mailbox.append(message)
                self.sunk = None
            return
        runtime = self.runtime
        if runtime.port_depth >= PORT_DEPTH:
            self.mailbox.append(message)
            self.sunk = None
            runtime.run_soon(self.run_port_queue)
            return
        self.port_busy = 1
        runtime.port_depth += 1
        sender = current.set(self)
        try:
            port(message)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it ends the port's process
            runtime.port_failed(self, error)
        current.reset(sender)
        runtime.port_depth -= 1
        self.port_busy = 0
        if self.mailbox or self.sunk is not self.sink.takes:  # what waited may have been flushed
            self.run_port_queue()

    @enable_ki_protection
    def run_port_queue(self) -> None:
        """Let the port take what queued while it was busy, in order; a long queue goes on in the next pass."""
        if self.port_busy:
            return
        self.expect_many()
        mailbox, runtime = self.mailbox, self.runtime
        self.port_busy = 1
        runtime.port_depth += 1
        sender = current.set(self)
        left = BUDGET
        try:
            while mailbox and self.port is not None and self.state is ALIVE:
                if not left:
                    runtime.run_soon(self.run_port_queue)
                    break
                left -= 1
                message = mailbox[0]
                del mailbox[0]
                self.port(message)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it ends the port's process
            runtime.port_failed(self, error)
        current.reset(sender)
        runtime.port_depth -= 1
        self.port_busy = 0
        if not mailbox and self.state is ALIVE:
            self.sunk = self.sink.takes


silenced: Final[set[Pid]] = set()
"""Processes that have ended themselves, and still run: they may have caught the `Exit` of that (P8).

Nothing of what they send arrives.
"""


def of_this_thread(pid: Pid) -> Pid:
    """Return the process; raises WrongThreadError where nothing may be done to it."""
    if get_ident() != pid.thread:
        raise not_here(pid)
    return pid


current: Final[ContextVar[Pid]] = ContextVar("phxactor.current")
"""The process that runs: its sub-tasks inherit it, and a port runs as its own process, whoever sends to it."""
