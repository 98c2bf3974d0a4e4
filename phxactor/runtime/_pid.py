"""A process as others see it: its address, and the record that the runtime keeps of it.

Any number of processes may send to a process, and no sender ever waits. A process takes its messages in one of two
ways:

- It receives them from its mailbox (`mailbox`).
- It sets a *port*, a synchronous function. A send to an idle port runs that function at once, with no task switch; a
  message for a busy port queues. That makes a broadcast to a thousand connections cheap. Beside the port there may be
  a *sink* for messages of one type, which only stores them. A sink runs in the sender's context, even while the port
  is busy.

Both ways keep the order of each sender (O1). Neither takes a message once the process is ending.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from trio.lowlevel import enable_ki_protection, reschedule

from phxactor.runtime._errors import not_here
from phxactor.runtime._mailbox import BUDGET, Mailbox
from phxactor.runtime._sink import NO_SINK
from phxactor.runtime._state import ALIVE, DEAD

if TYPE_CHECKING:
    import trio

    from phxactor.runtime._generators import Opened
    from phxactor.runtime._messages import Monitor
    from phxactor.runtime._reasons import Reason
    from phxactor.runtime._runtime import Runtime

Port: TypeAlias = Callable[[object], None]
"""Takes one message, synchronously, as its process. An exception from it ends that process, never the sender."""

PORT_DEPTH: Final = 24
"""Number of ports that may run nested in one another; beyond it a message waits for the next scheduler pass."""
ANCESTORS: Final = 16
"""Number of ancestors that a process remembers; the bound keeps a chain of processes that spawn each other small."""


class Pid(Mailbox):
    """A process: its address, and the record that the runtime keeps of it.

    Programs use `send`, `exit`, `alive`, `node`, `number`, `name`, `label` and `statistics`; everything else belongs to
    the runtime. Two pids are the same process when they are the same object; a pid is never used again (P21).
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
        """Make the record only; `Runtime.spawn` starts a process."""
        self.runtime = runtime
        self.thread = runtime.thread
        """The id of its thread; the only one in which other code may act on the process."""
        self.number = number
        """The number of the process, from 1 upwards in each runtime."""
        self.initial_call = initial_call
        """The name of the function that it runs, for humans (L11)."""
        self.parent = parent
        """The process that spawned it; None once it has ended."""
        self.ancestors: tuple[Pid | str, ...] = parent.children_ancestors() if parent else ()
        """Its ancestors, parent first, each by name if it had one (L9); empty once the process has ended."""
        self.callers: tuple[Pid, ...] = ()
        """The processes that asked for it, if others than its parent: tasks only (L10)."""
        self.lineage: tuple[Pid | str, ...] | None = None
        self.name: str | None = None
        self.label: object = None
        """Free text for humans and viewers (L12)."""
        self.state = ALIVE
        self.exit_reason = None
        """The reason of its end, once `state` is not `ALIVE`."""
        self.trapping = False
        self.scope: trio.CancelScope | None = None
        self.mailbox = []
        self.waiter = None
        self.waiters = None
        self.budget = BUDGET
        self.port = None
        self.port_busy = 0
        self.sink_type = None
        self.sink = NO_SINK
        # Tables are made when first needed: most processes have at most one link and one monitor.
        self.links: dict[Pid, bool] | None = None
        self.monitors: dict[Monitor, None] | None = None
        self.watchers: dict[Monitor, None] | None = None
        self.arriving = None
        self.resources: dict[Callable[[Pid], None], None] | None = None
        self.dictionary: dict[object, object] | None = None
        self.generators: dict[int, Opened] | None = None
        """The async generators that the process has begun, by address, the oldest first."""

    def __repr__(self) -> str:
        """Show `#PID<7>`, with the registered name or the initial call."""
        return f"#PID<{self.number} {self.name or self.initial_call}>"

    @property
    def node(self) -> Any:  # noqa: ANN401 - the runtime knows no nodes
        """The `Node` on which the process lives; None if its runtime takes part in no cluster."""
        return None if self.runtime.remote is None else self.runtime.remote.node

    @property
    def alive(self) -> bool:
        """Whether the process runs; false from the moment of a fatal signal on (P12). Never raises."""
        return self.state is ALIVE

    def exit(self, reason: Reason) -> None:
        """Send the process an exit signal (X4 to X9). A call outside of processes sends as `Runtime.outside`.

        Raises `Exit` at once if a process signals itself fatally (P8), WrongThreadError in a thread other than that of
        its runtime.
        """
        if self.state is DEAD and get_ident() == self.thread:
            return  # its runtime may have ended too (P17)
        self.runtime.exit(self, reason)

    def children_ancestors(self) -> tuple[Pid | str, ...]:
        """Return the `ancestors` of a child that is spawned now."""
        lineage = self.lineage
        if lineage is None or lineage[0] is not (self.name or self):
            lineage = self.lineage = (self.name or self, *self.ancestors[: ANCESTORS - 1])
        return lineage

    # ------------------------------------------------------------------------------------------- sending

    def send(self, message: object) -> None:
        """Put a message in the mailbox. It never waits or fails; a message to an ended process is dropped (P16).

        Raises WrongThreadError in a thread other than that of its runtime, as `exit` does.
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
        """Do as `send` without the check of the thread, which a broadcast makes once for all subscribers."""
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
        elif type(message) is self.sink_type:  # the hot path of a broadcast
            try:
                self.sink.put(message)
            except Exception as error:  # noqa: BLE001 - any exception ends the port's process
                self.runtime.port_failed(self, error)
        elif self.port is not None:
            self._run_port(self.port, message)
        elif self.state is not DEAD:
            self.mailbox.append(message)

    def drop_sink(self) -> None:
        """Remove the sink, so that the port takes all messages."""
        self.sink_type = None
        self.sink = NO_SINK

    @enable_ki_protection
    def _run_port(self, port: Port, message: object) -> None:
        if self.port_busy or self.mailbox or self.state is not ALIVE:
            if self.state is ALIVE:
                self.mailbox.append(message)
                self.sink_type = None
            return
        runtime = self.runtime
        if runtime.port_depth >= PORT_DEPTH:
            self.mailbox.append(message)
            self.sink_type = None
            runtime.run_soon(self.run_port_queue)
            return
        self.port_busy = 1
        runtime.port_depth += 1
        sender = current.set(self)
        try:
            port(message)
        except BaseException as error:  # noqa: BLE001 - any exception ends the port's process
            runtime.port_failed(self, error)
        current.reset(sender)
        runtime.port_depth -= 1
        self.port_busy = 0
        if self.mailbox or self.sink_type is not self.sink.takes:  # waiting messages may have been flushed
            self.run_port_queue()

    @enable_ki_protection
    def run_port_queue(self) -> None:
        """Let the port take the messages that queued while it was busy, in order; at most `BUDGET` in one pass."""
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
        except BaseException as error:  # noqa: BLE001 - any exception ends the port's process
            runtime.port_failed(self, error)
        current.reset(sender)
        runtime.port_depth -= 1
        self.port_busy = 0
        if not mailbox and self.state is ALIVE:
            self.sink_type = self.sink.takes


silenced: Final[set[Pid]] = set()
"""Processes that have signalled themselves fatally and still run, since they may have caught the `Exit` (P8).

No message or signal that such a process sends arrives.
"""


def of_this_thread(pid: Pid) -> Pid:
    """Return the process; raises WrongThreadError in a thread other than that of the process."""
    if get_ident() != pid.thread:
        raise not_here(pid)
    return pid


current: Final[ContextVar[Pid]] = ContextVar("phxactor.current")
"""The process that runs. Its sub-tasks inherit the value. A port runs as its own process, not as the sender."""
