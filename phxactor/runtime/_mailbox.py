"""A mailbox: how a process takes its messages.

A sender appends to the mailbox and wakes a waiting task (`Pid.send`). A task takes a message that is already there
without a task switch, up to `BUDGET` messages in a row. After those, or if the mailbox is empty, it lets others run. A
process that is ending takes no further message (TM13). A cancel scope around a receive loses no message (TM26).

Only this module and `waiting` take messages out: `del mailbox[...]` and `Waiter.take` hand a message to the process,
`flush` discards it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import attrs
from trio.lowlevel import checkpoint, current_task, wait_task_rescheduled

from phxactor.runtime._errors import Exit
from phxactor.runtime._messages import ref_of
from phxactor.runtime._sink import Sink
from phxactor.runtime._state import ALIVE, State
from phxactor.runtime._waiting import NOTHING, Match, Refs, Waiter, Waiting

if TYPE_CHECKING:
    from phxactor.runtime._messages import Monitor, Ref
    from phxactor.runtime._pid import Pid, Port
    from phxactor.runtime._reasons import Reason

BUDGET: Final = 100
"""Number of messages that a process takes without a checkpoint before it lets others run (DESIGN section 2)."""

ONE_TAKEN: Final = BUDGET - 1

LONG: Final = 64
"""Number of waiting messages above which a mailbox becomes a deque: an empty deque takes more memory than a list."""


@attrs.frozen
class MailboxStatistics:
    """A snapshot of a mailbox."""

    length: int
    """Number of waiting messages."""
    receiving: bool
    """Whether the process waits for a message."""


class Mailbox(Waiting):
    """The part of a process that takes its messages; `Pid` is the whole process."""

    __slots__ = (
        "arriving",
        "budget",
        "exit_reason",
        "port",
        "port_busy",
        "sink",
        "state",
    )

    arriving: list[Monitor | Pid] | None
    """What will be told soon: monitors made on dead processes (M9); monitors of, and links to, processes of nodes that
    are not there (ND31, ND34). None if there is nothing."""
    budget: int
    """Number of messages that the process may take before it lets others run; 0 once the process is ending."""
    exit_reason: Reason
    port: Port | None
    port_busy: int
    """Number of port runs and `taking` blocks in progress; while it is above 0, messages for the port wait."""
    sink: Sink
    """Takes the messages of one type in place of the port, in the sender's context."""
    state: State

    def statistics(self) -> MailboxStatistics:
        """Count the waiting messages, and tell whether the process waits for one; no message is sent for it."""
        waits = self.waiter is not None if self.waiters is None else any(one.asleep for one in self.waiters)
        return MailboxStatistics(length=len(self.mailbox), receiving=waits)

    # --------------------------------------------------------------------------------------------- taking

    async def receive(self, timeout: float | None = None) -> object:
        """Take the oldest message, or wait for one. Only the process itself may call this.

        Lets others run only if the mailbox is empty, or after `BUDGET` messages. Raises TimeoutError if no message has
        come within `timeout` seconds. A message that is already there wins over a timeout of 0 (N3).
        """
        mailbox = self.mailbox
        if mailbox:
            if not self.budget or self.waiter is not None:
                return await self._receive(timeout)
            self.budget -= 1
            message = mailbox[0]
            del mailbox[0]
            return message
        if (
            timeout is not None
            or not self.budget
            or self.port is not None
            or self.waiter is not None
            or self.arriving is not None
        ):
            return await self._receive(timeout)
        # The same as `_receive`, inlined: this is the most frequent way to wait for a message.
        self.waiter = current_task()
        await wait_task_rescheduled(self._stop_waiting)
        if not self.budget:
            await self._rest()
        mailbox = self.mailbox
        if mailbox:
            self.budget = ONE_TAKEN
            message = mailbox[0]
            del mailbox[0]
            return message
        return await self._receive(None)  # another task has taken the message, and may wait for the next one

    async def _receive(self, timeout: float | None) -> object:
        deadline = None if timeout is None else self.runtime.now() + timeout
        if self._must_rest():
            await self._rest()
        if self.waiters is not None:
            self.look()
        if not self.mailbox:
            return await self._wait(None, None, deadline)
        self.budget -= 1
        message = self.mailbox[0]
        del self.mailbox[0]
        return message

    async def receive_matching(self, match: Match, timeout: float | None = None) -> object:
        """Take the oldest message for which `match` is true; the others stay, in order (N2).

        Raises TimeoutError `timeout` seconds after the call. Messages that do not match do not extend this time (N4).
        """
        deadline = None if timeout is None else self.runtime.now() + timeout
        if self.budget:
            self.budget -= 1
        if self._must_rest():
            await self._rest()
        if self.waiters is not None:
            self.look()
        mailbox = self.mailbox
        for index, message in enumerate(mailbox):
            if match(message):
                del mailbox[index]
                return message
        return await self._wait(None, match, deadline)

    async def receive_ref(self, ref: Ref, seen: int, timeout: float | None) -> object:
        """Take the `Answer` or the `Down` whose `ref` is `ref`; no other receiving task gets it.

        The first `seen` messages are skipped: they waited when the reference was made, so they cannot carry it.
        Raises TimeoutError if the message has not come within `timeout` seconds.
        """
        if self.port is not None or self.arriving is not None or self.state is not ALIVE:
            return await self.receive_refs((ref,), seen, timeout)
        mailbox = self.mailbox
        for index in range(seen, len(mailbox)):
            if ref_of(mailbox[index]) is ref:
                return await self.receive_refs((ref,), seen, timeout)
        if timeout is not None:
            return await self._wait((ref,), None, self.runtime.now() + timeout)
        # The same as `_wait`, inlined: most calls, and each start of a server, wait here.
        waiter = Waiter(self, current_task(), (ref,), None)
        if self.waiter is None:
            self.waiter = waiter.task
            self.waiters = [waiter]
            self.sink_type = None
        else:
            self.enter(waiter)
        self.budget = BUDGET
        await wait_task_rescheduled(waiter.stop)
        self.leave(waiter)
        if not self.budget:
            await self._rest()
        return waiter.take()

    async def receive_refs(self, refs: Refs, seen: int, timeout: float | None) -> object:
        """Take the first `Answer` or `Down` with one of these references, as `receive_ref` does."""
        deadline = None if timeout is None else self.runtime.now() + timeout
        self._must_rest()
        if self.state is not ALIVE:
            await self._rest()
        mailbox = self.mailbox
        for index in range(seen, len(mailbox)):
            message = mailbox[index]
            ref = ref_of(message)
            if ref is not None and ref in refs:
                del mailbox[index]
                if self.budget:
                    self.budget -= 1
                else:
                    await self._rest_with(message)
                return message
        return await self._wait(refs, None, deadline)

    def flush(self, match: Match) -> object:
        """Remove the oldest message for which `match` is true, and return it; None if there is none."""
        for index, message in enumerate(self.mailbox):
            if match(message):
                self.remove(index)
                return message
        return None

    async def _wait(self, refs: Refs | None, match: Match | None, deadline: float | None) -> object:
        """Wait for a message; raises TimeoutError at `deadline`, a time in seconds of the runtime's clock."""
        waiter = Waiter(self, current_task(), refs, match)
        self.enter(waiter)
        timer = None
        try:
            if deadline is not None:
                if deadline <= self.runtime.now():
                    waiter.asleep = False
                    await self._rest()
                    self.look()
                    if waiter.message is NOTHING:
                        raise TimeoutError  # noqa: TRY301 - so that `give_back` ends the wait
                    self.leave(waiter)
                    return waiter.take()
                timer = self.runtime.timers.add_at(deadline, self._wake, waiter)
            while True:
                self.budget = BUDGET
                await wait_task_rescheduled(waiter.stop)
                if self.state is not ALIVE:  # killed between the wake-up and now: take no further message (TM13)
                    await self._rest()
                if waiter.message is NOTHING and refs is None:
                    if self.waiters is not None and len(self.waiters) == 1:
                        self._look_alone(waiter)
                    else:
                        self.look()
                if waiter.message is not NOTHING:
                    self.leave(waiter)
                    return waiter.take()
                if timer is not None and not timer.pending:
                    raise TimeoutError  # noqa: TRY301 - so that `give_back` ends the wait
                waiter.asleep = True
        except BaseException:
            self.give_back(waiter)
            raise
        finally:
            if timer is not None:
                self.runtime.timers.discard(timer)

    def _look_alone(self, waiter: Waiter) -> None:
        """Do the work of `look` for the only waiter."""
        mailbox, match = self.mailbox, waiter.match
        for index in range(max(0, len(mailbox) - waiter.unseen), len(mailbox)):
            message = mailbox[index]
            if match is None or match(message):
                self.waiters = self.waiter = None
                self.remove(index)
                waiter.message = message
                return
        waiter.unseen = 0

    # ------------------------------------------------------------------------------------------- resting

    def _must_rest(self) -> bool:
        """Check that the process may receive; return whether it must let others run first."""
        if self.port is not None and not self.port_busy:
            raise RuntimeError(
                f"{self!r} cannot receive: its port takes its messages. Receive inside `with taking(pid):`"
            )
        if self.arriving is not None:
            self.runtime.take_in(self)
        return not self.budget

    async def _rest(self) -> None:
        """Let others run. In a process that is ending, raises trio's `Cancelled`, or `Exit` in a shield."""
        await checkpoint()
        if self.state is not ALIVE:
            raise Exit(self.exit_reason)
        self.budget = BUDGET
        self.expect_many()

    async def _rest_with(self, message: object) -> None:
        """Let others run while holding a message; a cancellation puts the message back."""
        try:
            await self._rest()
        except BaseException:
            self.mailbox.insert(0, message)
            raise

    def expect_many(self) -> None:
        """Turn a long mailbox into a deque. A list is smaller, but taking its first item is linear in its length."""
        if len(self.mailbox) > LONG:
            self.mailbox = deque(self.mailbox)
