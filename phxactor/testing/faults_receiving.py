"""A process that dies with its nth message in its hands, whether it reads its messages or has a port take them.

Who takes a message takes it out of a mailbox, so for as long as a fault is in force mailboxes are lists that notice;
only what comes to an idle port has been in none.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import CodeType
from typing import Any, Final, SupportsIndex, final
from unittest.mock import patch

from phxactor.runtime import KILL, Exit, Pid, Reason
from phxactor.runtime.pid import Port, current
from phxactor.runtime.receiving import Receiver
from phxactor.runtime.signals import exit_signal

TAKING: Final[frozenset[CodeType]] = frozenset(
    method.__code__
    for method in (Receiver.receive, Receiver._receive, Receiver.receive_matching, Pid.run_port_queue)  # noqa: SLF001
)
"""What takes messages out of a mailbox to hand them to its process; others throw away what nobody is to have."""


def anybody(pid: Pid) -> bool:
    """Choose every process but the first, which a test is itself."""
    return pid is not pid.runtime.main


@contextmanager
def dying_at(nth: int, who: Callable[[Pid], bool] = anybody, *, reason: Reason = KILL) -> Iterator[list[Pid]]:
    """Send a process an exit signal when it has taken its nth message, before it does anything with it.

    Each process that is chosen has a count of its own, from the beginning of the block on: of all messages that it
    receives, answers to its own calls too, or that its port is given. Chosen are processes of the caller's runtime, and
    those that start within the block. With another reason than `KILL`, one that traps exits lives on, and takes the
    signal as a message. The block is given a list of those who have been hit. Raises ValueError if `nth` is below 1.
    """
    if nth < 1:
        raise ValueError(f"the first message is number 1: there is no {nth}")
    fault = Fault(nth, who, reason)
    with fault.in_force():
        yield fault.hit


@final
class Fault:
    """What is to happen to whom."""

    def __init__(self, nth: int, who: Callable[[Pid], bool], reason: Reason) -> None:
        self.hit: list[Pid] = []
        """Who has been sent the signal."""
        self._nth = nth
        self._who = who
        self._reason = reason
        self._taken: Counter[Pid] = Counter()
        self._mailboxes: list[Mailbox] = []

    def took(self, pid: Pid) -> None:
        """Take note of a message that a process has in its hands; raises `Exit` in one that ends by the signal."""
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
        init, run_port, deliver = Pid.__init__, Pid._run_port, Pid.deliver  # noqa: SLF001

        def watched_init(pid: Pid, *args: Any) -> None:  # noqa: ANN401 - those of the method
            init(pid, *args)
            self._watch(pid)

        def watched_port(pid: Pid, port: Port, message: object) -> None:
            run_port(pid, partial(self._hand_over, pid, port), message)

        def watched_deliver(pid: Pid, message: object) -> None:
            pid.drop_sink()  # it saves time, and does nothing else that the port does not
            deliver(pid, message)

        with ExitStack() as stack:
            stack.enter_context(patch.object(Pid, "__init__", watched_init))
            stack.enter_context(patch.object(Pid, "_run_port", watched_port))
            stack.enter_context(patch.object(Pid, "deliver", watched_deliver))
            stack.enter_context(patch.object(Receiver, "expect_many", _stay))
            yield
        for mailbox in self._mailboxes:
            mailbox.leave(self)

    def _watch(self, pid: Pid) -> None:
        if not isinstance(pid.mailbox, Mailbox):
            pid.mailbox = Mailbox(pid)
        pid.mailbox.faults.append(self)
        self._mailboxes.append(pid.mailbox)

    def _hand_over(self, pid: Pid, port: Port, message: object) -> None:
        self.took(pid)
        port(message)


@final
class Mailbox(list[object]):
    """A mailbox that tells its faults when a message is taken."""

    def __init__(self, pid: Pid) -> None:
        """Take the place of the process's mailbox."""
        super().__init__(pid.mailbox)
        self.faults: list[Fault] = []
        self._pid = pid

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        """Remove a message."""
        super().__delitem__(index)
        if sys._getframe(1).f_code in TAKING:  # noqa: SLF001 - it is the runtime's own
            for fault in self.faults:
                fault.took(self._pid)

    def leave(self, fault: Fault) -> None:
        """Tell a fault no more; the last one leaves a plain mailbox behind."""
        self.faults.remove(fault)
        if not self.faults and self._pid.mailbox is self:
            self._pid.mailbox = list(self)


def _stay(_: Receiver) -> None:
    """Leave the mailbox what it is, however long."""
