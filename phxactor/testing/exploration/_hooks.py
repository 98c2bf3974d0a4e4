"""Replaces the functions of the runtime by some that tell a recorder what a step touches: the rows of the table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any
from unittest.mock import patch

from trio.testing import MockClock

from phxactor.runtime import Mailbox, Monitor, Pid, Runtime, Timer, Timers, private
from phxactor.testing.exploration._accesses import Recorder, Things
from phxactor.testing.exploration._primitives import touching_primitives
from phxactor.testing.exploration._tables import reading_counts, touching_tables


class Hooks:
    """Replaces the methods of the runtime by some that tell the recorder of the current play."""

    def __init__(self) -> None:
        """Start without a recorder."""
        self.recorder: Recorder | None = None
        self.outside: Things = {}
        """What is older than the plays; for each recorder."""

    def made(self, kind: str, thing: object) -> None:
        """Tell the recorder of a primitive of trio."""
        if self.recorder is not None:
            self.recorder.made(kind, thing)

    def touched(self, thing: object, *, changed: bool) -> None:
        """Tell the recorder of the use of a primitive of trio."""
        if self.recorder is not None:
            self.recorder.touch_made(thing, changed=changed)

    def name(self, pid: Pid) -> str:
        """Return the name of a process in the current play."""
        return "" if self.recorder is None else self.recorder.pid(pid)

    def took(self, mailbox: Mailbox, message: object, timeout: float | None) -> None:
        """Tell the recorder of a message that was taken."""
        if self.recorder is not None:
            self.recorder.took(mailbox, message, timeout)

    @contextmanager
    def in_force(self) -> Iterator[None]:  # noqa: C901 - one hook for each row of the table
        """Tell the recorder of what is touched while the block lasts."""
        signals: Any = import_module("phxactor.runtime._signals")
        names: Any = import_module("phxactor.runtime._names").Names
        deliver, alive, pid_exit = Pid.deliver, Pid.alive, Pid.exit
        runtime_exit, run_soon = Runtime.exit, Runtime.run_soon
        exit_signal = signals.exit_signal
        fatal, add_link, link_child = signals.fatal, signals.add_link, signals.link_child
        drop_link, add_monitor, drop_monitor = signals.drop_link, signals.add_monitor, signals.drop_monitor
        finish, link_signal, take_in = signals.finish, signals.link_signal, Runtime.take_in
        flush, statistics = Mailbox.flush, Mailbox.statistics
        register, unregister, whereis = names.register, names.unregister, names.whereis
        add_at, discard, fire = Timers.add_at, Timers.discard, Timers._fire  # noqa: SLF001
        current_time = MockClock.current_time
        deadlines = private("_run", "Deadlines.add", "Deadlines.remove").Deadlines
        add_deadline, remove_deadline = deadlines.add, deadlines.remove
        trapping: Any = vars(Pid)["trapping"]
        port: Any = vars(Mailbox)["port"]

        def life(pid: Pid, *, changed: bool = False) -> None:
            if self.recorder is not None:
                self.recorder.touch("life", self.recorder.pid(pid), changed=changed)

        def links(*pids: Pid) -> None:
            if self.recorder is not None:
                for pid in pids:
                    self.recorder.touch("links", self.recorder.pid(pid), changed=True)

        def touch(kind: str, *name: object, changed: bool) -> None:
            if self.recorder is not None:
                self.recorder.touch(kind, *name, changed=changed)

        def send(pid: Pid, message: object) -> None:
            pid.deliver(message)

        def delivered(pid: Pid, message: object) -> None:
            if self.recorder is not None:
                if pid.port is not None:
                    life(pid)
                    touch("memory", self.recorder.pid(pid), changed=True)
                self.recorder.sent(pid, message)
            deliver(pid, message)

        def is_alive(pid: Pid) -> bool:
            life(pid)
            living: bool = alive.fget(pid)  # type: ignore[attr-defined]
            return living

        def exit_sent(target: Pid, reason: object) -> None:
            life(target)  # also of one that has ended, which gets no signal
            pid_exit(target, reason)

        def signalled(target: Pid, source: Pid, reason: object) -> None:
            life(target)
            exit_signal(target, source, reason)

        def exited(runtime: Runtime, target: Pid, reason: object) -> None:
            life(target)
            runtime_exit(runtime, target, reason)

        def fatal_to(pid: Pid, reason: object) -> None:
            life(pid, changed=True)
            if self.recorder is not None:
                self.recorder.ends_wait(pid)
            fatal(pid, reason)

        def linked(owner: Pid, other: Pid) -> None:
            links(owner, other)
            life(other)
            add_link(owner, other)

        def child_linked(parent: Pid, child: Pid) -> None:
            links(parent)
            link_child(parent, child)

        def unlinked(owner: Pid, other: Pid) -> None:
            links(owner, other)
            drop_link(owner, other)

        def told(target: Pid, source: Pid, reason: object) -> None:
            life(target)
            link_signal(target, source, reason)

        def monitored(owner: Pid, target: Pid | None, name: object = None) -> Monitor:
            if target is not None:
                life(target)
            watch: Monitor = add_monitor(owner, target, name)
            return watch

        def taken_in(runtime: Runtime, owner: Mailbox) -> None:
            if self.recorder is not None:
                touch("mail", self.recorder.pid(owner), changed=True)
            take_in(runtime, owner)

        def demonitored(watch: Monitor, *, flush: bool = False) -> bool:
            if watch.target is not None:
                life(watch.target)
            if flush and self.recorder is not None:
                touch("mail", self.recorder.pid(watch.owner), changed=False)
            active: bool = drop_monitor(watch, flush=flush)
            return active

        def finished(runtime: Runtime, pid: Pid, reason: object) -> None:
            if self.recorder is not None:
                life(pid, changed=True)
                touch("processes", changed=False)
                if pid.port is not None:
                    touch("mail", self.recorder.pid(pid), changed=True)
                if pid.name is not None:
                    touch("name", pid.name, changed=True)
                links(pid, *pid.links or ())  # also without a link: it may have been removed just before
            finish(runtime, pid, reason)

        def flushed(mailbox: Mailbox, match: Callable[[object], bool]) -> object:
            if self.recorder is not None:
                touch("mail", self.recorder.pid(mailbox), changed=False)
            return flush(mailbox, match)

        def counted(mailbox: Mailbox) -> object:
            if self.recorder is not None:
                touch("mail", self.recorder.pid(mailbox), changed=False)
            return statistics(mailbox)

        def registered(table: object, name: str, pid: Pid) -> None:
            touch("name", name, changed=True)
            life(pid)
            register(table, name, pid)

        def unregistered(table: object, name: str) -> None:
            touch("name", name, changed=True)
            owner = whereis(table, name)
            if owner is not None:
                life(owner)
            unregister(table, name)

        def found(table: object, name: str) -> Pid | None:
            touch("name", name, changed=False)
            pid: Pid | None = whereis(table, name)
            return pid

        def timer_made(timers: Timers, deadline: float, callback: Callable[[Any], object], argument: object) -> Timer:
            timer = add_at(timers, deadline, callback, argument)
            if self.recorder is not None:
                self.recorder.made("timer", timer)
                self.recorder.touch("time", changed=False)
            return timer

        def timer_discarded(timers: Timers, timer: Timer) -> None:
            if self.recorder is not None:
                self.recorder.touch_made(timer, changed=True)
            discard(timers, timer)

        def timer_fired(timers: Timers, timer: Timer) -> None:
            if self.recorder is not None:
                self.recorder.touch_made(timer, changed=True)
            fire(timers, timer)

        def deadline_made(deadlines: object, deadline: float, scope: object) -> None:
            touch("time", changed=False)
            add_deadline(deadlines, deadline, scope)

        def deadline_gone(deadlines: object, deadline: float, scope: object) -> None:
            touch("time", changed=False)
            remove_deadline(deadlines, deadline, scope)

        def read_time(clock: MockClock) -> float:
            touch("time", changed=False)
            return current_time(clock)

        def soon(runtime: Runtime, function: Callable[[], object]) -> None:
            run_soon(runtime, function if self.recorder is None else self.recorder.in_pass(function))

        def traps(pid: Pid, *, flag: bool) -> None:
            life(pid, changed=True)
            trapping.__set__(pid, flag)

        def ported(pid: Pid, taken_by: object) -> None:
            if self.recorder is not None and taken_by is not None:
                touch("mail", self.recorder.pid(pid), changed=True)
            port.__set__(pid, taken_by)

        replaced: list[tuple[Any, str, Any]] = [
            (Pid, "send", send),
            (Pid, "deliver", delivered),
            (Pid, "alive", property(is_alive)),
            (Pid, "exit", exit_sent),
            (Runtime, "exit", exited),
            (Runtime, "run_soon", soon),
            (signals, "exit_signal", signalled),
            (signals, "fatal", fatal_to),
            (signals, "add_link", linked),
            (signals, "link_child", child_linked),
            (signals, "drop_link", unlinked),
            (signals, "link_signal", told),
            (signals, "add_monitor", monitored),
            (signals, "drop_monitor", demonitored),
            (Runtime, "take_in", taken_in),
            (signals, "finish", finished),
            (Mailbox, "flush", flushed),
            (Mailbox, "statistics", counted),
            (names, "register", registered),
            (names, "unregister", unregistered),
            (names, "whereis", found),
            (Timers, "add_at", timer_made),
            (Timers, "discard", timer_discarded),
            (Timers, "_fire", timer_fired),
            (deadlines, "add", deadline_made),
            (deadlines, "remove", deadline_gone),
            (MockClock, "current_time", read_time),
            (Pid, "trapping", property(trapping.__get__, lambda pid, flag: traps(pid, flag=flag))),
            (Pid, "port", property(port.__get__, ported)),
        ]
        with ExitStack() as stack:
            for owner, name, function in replaced:
                before = vars(owner).get(name)
                for place in [owner, *_importers(name, before)] if owner is signals else [owner]:
                    stack.enter_context(patch.object(place, name, function))
            stack.enter_context(touching_tables(touch))
            stack.enter_context(touching_primitives(self))
            stack.enter_context(reading_counts(touch, self.name))
            yield


def _importers(name: str, function: object) -> list[Any]:
    """List the modules that have imported a function by its name."""
    return [
        module
        for path, module in list(sys.modules.items())
        if path.startswith("phxactor.") and vars(module).get(name) is function and path != "phxactor.runtime._signals"
    ]
