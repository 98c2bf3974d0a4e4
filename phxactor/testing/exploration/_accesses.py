"""What each step has touched: the dependency table of the runtime (EX24 to EX28).

Two steps depend on one another if the same task takes them, or if both touch an object and one of them changes it.
Objects have names that are the same in each order: a process is named by who spawned it, and as which of its children.

    mail       changed by each message that arrives, by a fatal signal, which ends the wait for one, and by a new port;
               read by a receive that has a time-out
    life       changed by a fatal signal, by the end, and by `trap_exit`; read by each step of the process, and by who
               looks at it
    links      changed by link, unlink, and the end
    name       changed by register, unregister, and the end of an owner; read by whereis
    key        the same for a registry; topic: the same for PubSub
    timer      changed when it is made, when it is cancelled, and when it fires
    time       changed when the clock jumps; read by who asks for the time or makes a deadline
    event      a trio.Event; lock, condition, semaphore, limiter, channel: the same for trio's other primitives
    processes  changed by who counts the processes; read by each start and end, which do not depend on one another
    memory     of a process, changed by each of its steps; read by who looks at its children; what is declared as shared

A step has causes too: the step that made its task ready, and the one that sent the message that it takes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import attrs
import trio

from phxactor.runtime import Mailbox, Pid
from phxactor.testing.exploration._actors import process_of
from phxactor.testing.exploration._clock import Clock
from phxactor.testing.exploration._faults import Fault

Task: TypeAlias = trio.lowlevel.Task
Thing: TypeAlias = tuple[object, ...]
"""The name of an object."""
Things: TypeAlias = dict[int, tuple[object, Thing]]
"""Objects and their names, by address."""
Accesses: TypeAlias = dict[Thing, bool]
"""The objects that a step has touched; True for those that it has changed."""

CLOCK: Final = "clock"
WAITED_FOR: Final = frozenset(
    {"event", "_lockimpl", "condition", "semaphore", "capacitylimiter", "memorychannelstate", "outside"}
)
"""The kinds of primitives that a task may wait for."""


@attrs.define
class Event:
    """One step of a play."""

    actor: str
    accesses: Accesses
    causes: int = 0
    """The events that had to be before it, as bits."""
    looks: bool = False
    """Whether the task only looks into its mailbox, so that it was not chosen."""


def dependent(one: Accesses, other: Accesses) -> bool:
    """Return whether two steps of different tasks depend on one another."""
    if len(other) < len(one):
        one, other = other, one
    return any(thing in other and (changed or other[thing]) for thing, changed in one.items())


class Recorder:
    """Records the steps of one play: a `Watcher`."""

    def __init__(self, shared: Callable[[str], Sequence[Thing]] = lambda _: (), outside: Things | None = None) -> None:
        """Start with none.

        `shared` returns the declared objects that a process of this name shares; `outside` has the objects that are
        older than the plays, which are the same in all of them.
        """
        self.events: list[Event] = []
        self._current: Event | None = None
        self._shared = shared
        self._names: dict[Task, str] = {}
        self._pids: dict[Pid, str] = {}
        self._children: Counter[str] = Counter()
        self._made: Counter[str] = Counter()
        self._causes: dict[Task, int] = {}
        self._sent: dict[Mailbox, list[tuple[object, int]]] = {}
        self._things: Things = {}
        self._outside: Things = {} if outside is None else outside
        self._last: dict[str, dict[str, Accesses]] = {}
        """What the last step of each task has touched, by process and task."""
        self._looks = False
        self._time = 0.0
        self.between: Callable[[Event], object] = lambda _: None
        """Is called with each event, at its end."""

    # ------------------------------------------------------------------------------------- called by `Steps`

    def spawned(self, task: Task) -> None:
        """Name a task by its maker."""
        maker = "" if self._current is None else self._current.actor
        self._children[maker] += 1
        name = task.name if task.name.startswith("phxactor ") else f"{maker}.{self._children[maker]}"
        self._names[task] = name
        pid = process_of(task)
        if pid is not None and pid not in self._pids:
            self._pids[pid] = name

    def looks(self) -> None:
        """Note that the next step is not chosen."""
        self._looks = True

    def before(self, task: Task, ready: Sequence[Task]) -> None:
        """Begin an event."""
        name = self.name(task)
        self._current = event = Event(name, {}, self._causes.pop(task, 0), self._looks)
        self._looks = False
        self.events.append(event)
        pid = process_of(task)
        if pid is not None:
            owner = self.pid(pid)
            event.accesses["life", owner] = False
            event.accesses["memory", owner] = True
            self._last.setdefault(owner, {})[name] = event.accesses
        for thing in self._shared(event.actor):
            event.accesses[thing] = True

    def fails(self, fault: Fault) -> None:
        """Begin the event of a failure."""
        self._current = Event(self.kill(fault), {})
        self.events.append(self._current)

    def kill(self, fault: Fault) -> str:
        """Return the name of a failure as an actor."""
        return fault.text if fault.pid is None else f"kill {self.pid(fault.pid)}"

    def after(self, woken: Sequence[Task]) -> None:
        """End an event: it is a cause of the next steps of the tasks that it has made ready."""
        event, self._current = self._current, None
        if event is not None:
            self._cause(woken)
            self.between(event)

    def passed(self, woken: Sequence[Task], clock: Clock | None) -> None:
        """Note that the clock has jumped, and that deadlines have made tasks ready."""
        if clock is not None and clock.now() != self._time:
            self._time = clock.now()
            event = Event(CLOCK, {("time",): True}, (1 << len(self.events)) - 1 if not self._chosen_clock else 0)
            self._chosen_clock = False
            self.events.append(event)
            self._cause(woken)
            self.between(event)
        # Other tasks that a pass makes ready, such as that of the entry queue, have the causes of their calls.

    _chosen_clock = False

    def jumps(self) -> None:
        """Note that the next jump of the clock is a choice; otherwise all that has happened comes before it."""
        self._chosen_clock = True

    def _cause(self, woken: Sequence[Task]) -> None:
        bit = 1 << (len(self.events) - 1)
        for task in woken:
            self._causes[task] = self._causes.get(task, 0) | bit

    # --------------------------------------------------------------------------------------- called by the hooks

    def name(self, task: Task) -> str:
        """Return the name of a task; those made before the play have their own."""
        name = self._names.get(task)
        if name is None:
            name = self._names[task] = task.name if self.events else "main"
            pid = process_of(task)
            if pid is not None and pid not in self._pids:
                self._pids[pid] = name
        return name

    def pid(self, pid: Mailbox) -> str:
        """Return the name of a process."""
        return self._pids.get(pid) or f"pid {getattr(pid, 'number', 0)}"  # type: ignore[call-overload]

    def touch(self, kind: str, *name: object, changed: bool) -> None:
        """Note that the current step touches an object."""
        event = self._current
        if event is not None:
            thing = (kind, *name)
            event.accesses[thing] = event.accesses.get(thing, False) or changed

    def made(self, kind: str, thing: object) -> None:
        """Name an object by its maker, and note the change; what no step has made is made while the runtime opens."""
        actor = "" if self._current is None else self._current.actor
        self._made[actor] += 1
        name = (kind, actor, self._made[actor])
        self._things[id(thing)] = thing, name
        if self._current is not None:
            self._current.accesses[name] = True

    def touch_made(self, thing: object, *, changed: bool) -> None:
        """Note that the current step touches an object that was named by its maker, or is older than the play."""
        if self._current is not None:
            found = self._things.get(id(thing)) or self._outside.setdefault(
                id(thing), (thing, ("outside", len(self._outside)))
            )
            self.touch(*found[1], changed=changed)  # type: ignore[arg-type]

    def ends_wait(self, pid: Pid) -> None:
        """Note that a fatal signal ends what a process waits for, so that whatever else ends it depends on this.

        That is messages, and the primitives that the last step of each of its tasks has touched.
        """
        owner = self.pid(pid)
        self.touch("mail", owner, changed=True)
        for accesses in self._last.get(owner, {}).values():
            for thing in [*accesses]:
                if thing[0] in WAITED_FOR:
                    self.touch(*thing, changed=True)  # type: ignore[arg-type]

    def sent(self, to: Mailbox, message: object) -> None:
        """Note a message: its step is a cause of the step that takes it."""
        if self._current is not None:
            self.touch("mail", self.pid(to), changed=True)
            self._sent.setdefault(to, []).append((message, len(self.events) - 1))

    def took(self, mailbox: Mailbox, message: object, timeout: float | None) -> None:
        """Note that the current step has taken a message; with a time-out it might have taken none (EX28)."""
        sent = self._sent.get(mailbox, [])
        for index, (other, by) in enumerate(sent):
            if other is message:
                del sent[index]
                if timeout is None and self._current is not None:
                    self._current.causes |= 1 << by
                break
        if timeout is not None:
            self.touch("mail", self.pid(mailbox), changed=False)

    def in_pass(self, function: Callable[[], object]) -> Callable[[], object]:
        """Make a call of the entry queue have its caller as a cause."""
        if self._current is None:
            return function
        by = len(self.events) - 1

        def call() -> object:
            if self._current is not None:
                self._current.causes |= 1 << by
            return function()

        return call
