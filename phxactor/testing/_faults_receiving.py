"""A fault that ends a process when it has taken its nth message, by `receive` or by its port.

A process takes a message out of its mailbox, or gets it while it waits, or by its port. So while a fault is in force,
mailboxes are lists that report each taken message, and the methods of waiters and ports are wrapped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, SupportsIndex, final
from unittest.mock import patch

from phxactor.runtime import KILL, Exit, Mailbox, Pid, Port, Reason, Waiter, current, exit_signal


def anybody(pid: Pid) -> bool:
    """Choose every process except the first one, `main`, which is the test."""
    return pid is not pid.runtime.main


@contextmanager
def dying_at(nth: int, who: Callable[[Pid], bool] = anybody, *, reason: Reason = KILL) -> Iterator[list[Pid]]:
    """Send a process an exit signal when it has taken its nth message, before it handles that message.

    Messages are counted for each chosen process, from the beginning of the block: all that it receives or that its port
    gets, including answers to its own calls. `who` chooses among the processes of the caller's runtime, and those that
    start within the block. With another reason than `KILL`, a process that traps exits lives on and gets the signal as
    a message.

    The block gets a list of the processes that were sent the signal. Raises ValueError if `nth` is below 1.
    """
    if nth < 1:
        raise ValueError(f"the first message is number 1: there is no {nth}")
    fault = Fault(nth, who, reason)
    with fault.in_force():
        yield fault.hit


@final
class Fault:
    """One fault: the number of the message, the chosen processes, and the exit reason."""

    def __init__(self, nth: int, who: Callable[[Pid], bool], reason: Reason) -> None:
        self.hit: list[Pid] = []
        """The processes that were sent the signal."""
        self._nth = nth
        self._who = who
        self._reason = reason
        self._taken: Counter[Pid] = Counter()
        self._mailboxes: list[WatchedMailbox] = []

    def took(self, pid: Pid) -> None:
        """Count a message that a process has taken. Raises `Exit` in a process that ends by the signal."""
        if not self._who(pid):
            return
        self._taken[pid] += 1
        if self._taken[pid] == self._nth:
            self.hit.append(pid)
            exit_signal(pid, pid.runtime.outside, self._reason)
            if not pid.alive:
                raise Exit(pid.exit_reason)

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Watch mailboxes and ports while the block lasts."""
        caller = current.get(None)
        for pid in [] if caller is None else caller.runtime.processes.values():
            self._watch(pid)
        init, run_port, deliver, take = Pid.__init__, Pid._run_port, Pid.deliver, Waiter.take  # noqa: SLF001

        def watched_init(pid: Pid, *args: Any) -> None:  # noqa: ANN401 - those of the method
            init(pid, *args)
            self._watch(pid)

        def watched_port(pid: Pid, port: Port, message: object) -> None:
            run_port(pid, partial(self._hand_over, pid, port), message)

        def watched_deliver(pid: Pid, message: object) -> None:
            pid.drop_sink()  # a sink is a shortcut for the port: without it, the port gets the message
            deliver(pid, message)

        def watched_take(waiter: Waiter) -> object:
            message = take(waiter)
            mailbox = waiter.mailbox.mailbox
            if isinstance(mailbox, WatchedMailbox) and self in mailbox.faults:
                self.took(mailbox.pid)
            return message

        with ExitStack() as stack:
            stack.enter_context(patch.object(Pid, "__init__", watched_init))
            stack.enter_context(patch.object(Pid, "_run_port", watched_port))
            stack.enter_context(patch.object(Pid, "deliver", watched_deliver))
            stack.enter_context(patch.object(Waiter, "take", watched_take))
            stack.enter_context(patch.object(Mailbox, "expect_many", _stay))
            yield
        for mailbox in self._mailboxes:
            mailbox.leave(self)

    def _watch(self, pid: Pid) -> None:
        if not isinstance(pid.mailbox, WatchedMailbox):
            pid.mailbox = WatchedMailbox(pid)
        pid.mailbox.faults.append(self)
        self._mailboxes.append(pid.mailbox)

    def _hand_over(self, pid: Pid, port: Port, message: object) -> None:
        self.took(pid)
        port(message)


@final
class WatchedMailbox(list[object]):
    """A mailbox that reports each taken message to its faults."""

    def __init__(self, pid: Pid) -> None:
        """Copy the process's mailbox."""
        super().__init__(pid.mailbox)
        self.faults: list[Fault] = []
        self.pid = pid

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        """Remove a message that the process takes; discarded messages are removed in other ways."""
        super().__delitem__(index)
        for fault in self.faults:
            fault.took(self.pid)

    def leave(self, fault: Fault) -> None:
        """Stop reporting to a fault. After the last fault, the process gets a plain mailbox again."""
        self.faults.remove(fault)
        if not self.faults and self.pid.mailbox is self:
            self.pid.mailbox = list(self)


def _stay(_: Mailbox) -> None:
    """Keep the mailbox a list, however long it is."""
