"""A mailbox: how a process takes its messages.

Whoever sends appends to the mailbox and wakes a task that waits (`Pid.send`). A task takes a message that is there
without a task switch, up to `BUDGET` of them; then, as when there is none, it lets others run. A process that is
ending takes no further message (TM13), and a cancel scope of the program around a receive loses none (TM26).

All that takes a message out is here and in `waiting`: `del mailbox[...]` and `Waiter.take` hand it to the process,
`flush` throws it away.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import attrs
from trio.lowlevel import checkpoint, current_task, wait_task_rescheduled

from phxactor.runtime.errors import Exit
from phxactor.runtime.messages import ref_of
from phxactor.runtime.sink import Sink
from phxactor.runtime.state import ALIVE, State
from phxactor.runtime.waiting import NOTHING, Match, Refs, Waiter, Waiting

if TYPE_CHECKING:
    from phxactor.runtime.messages import Monitor, Ref
    from phxactor.runtime.pid import Port
    from phxactor.runtime.reasons import Reason

BUDGET: Final = 100
"""Messages that a process takes without a checkpoint before it lets others run (DESIGN section 2)."""

ONE_TAKEN: Final = BUDGET - 1

LONG: Final = 64
"""Messages in a mailbox from which on it is worth the memory of a deque: ten times that of a list, when empty."""


@attrs.frozen
class MailboxStatistics:
    """A mailbox at one moment."""

    length: int
    """Messages that wait."""
    receiving: bool
    """Whether the process waits for a message."""


class Mailbox(Waiting):
    """What a process takes its messages with; `Pid` is the whole process."""

    __slots__ = (
        "arriving",
        "budget",
        "exit_reason",
        "port",
        "port_busy",
        "sink",
        "state",
    )

    arriving: list[Monitor] | None
    """Monitors made on the dead, whose `Down` has not been taken in yet (M9)."""
    budget: int
    """Messages that it may still take before it lets others run; 0 once it is ending: then it takes none."""
    exit_reason: Reason
    port: Port | None
    port_busy: int
    """How many do something during which the messages for the port wait; see `taking`."""
    sink: Sink
    """Takes the messages of one type in the port's place, as whoever sends."""
    state: State

    def statistics(self) -> MailboxStatistics:
        """Look at the mailbox without being a message in it."""
        waits = self.waiter is not None if self.waiters is None else any(one.asleep for one in self.waiters)
        return MailboxStatistics(length=len(self.mailbox), receiving=waits)

    # --------------------------------------------------------------------------------------------- taking

    async def receive(self, timeout: float | None = None) -> object:
        """Take the oldest message, waiting for one; for the process itself only.

        Yields to others only when there is nothing to take, or after `BUDGET` messages. Raises TimeoutError when
        nothing has come within `timeout` seconds; a message that waits wins over a timeout of 0 (N3).
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
        # As `_receive` would, without its calls: they would be a tenth of what it costs to wait for the next message.
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
        return await self._receive(None)  # another task has taken it, and may wait for the next one

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

        Raises TimeoutError `timeout` seconds after entry; messages that do not match do not prolong it (N4).
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
        """Take the `Answer` or the `Down` whose `ref` is `ref`; other tasks that receive do not get it.

        The first `seen` messages are not looked at: those that waited when the reference was made cannot carry it.
        Raises TimeoutError.
        """
        if self.port is not None or self.arriving is not None or self.state is not ALIVE:
            return await self.receive_refs((ref,), seen, timeout)
        mailbox = self.mailbox
        for index in range(seen, len(mailbox)):
            if ref_of(mailbox[index]) is ref:
                return await self.receive_refs((ref,), seen, timeout)
        if timeout is not None:
            return await self._wait((ref,), None, self.runtime.now() + timeout)
        # As `_wait` would, without its calls: the start of a server waits so, and most calls.
        waiter = Waiter(self, current_task(), (ref,), None)
        if self.waiter is None:
            self.waiter = waiter.task
            self.waiters = [waiter]
            self.sunk = None
        else:
            self.enter(waiter)
        self.budget = BUDGET
        await wait_task_rescheduled(waiter.stop)
        self.leave(waiter)
        if not self.budget:
            await self._rest()
        return waiter.take()

    async def receive_refs(self, refs: Refs, seen: int, timeout: float | None) -> object:
        """Do as `receive_ref` for the first message that has one of these references."""
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
        """Throw away the oldest message for which `match` is true, and return it; None if there is none."""
        for index, message in enumerate(self.mailbox):
            if match(message):
                self.remove(index)
                return message
        return None

    async def _wait(self, refs: Refs | None, match: Match | None, deadline: float | None) -> object:
        """Wait for a message; raises TimeoutError when the deadline has passed."""
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
                        raise TimeoutError  # noqa: TRY301 - the same
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
                    raise TimeoutError  # noqa: TRY301 - so that the wait is ended
                waiter.asleep = True
        except BaseException:
            self.give_back(waiter)
            raise
        finally:
            if timer is not None:
                self.runtime.timers.discard(timer)

    def _look_alone(self, waiter: Waiter) -> None:
        """Do as `look` for the only one that waits."""
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
        """Check that the process may receive, and tell whether it must let others run first."""
        if self.port is not None and not self.port_busy:
            raise RuntimeError(
                f"the port of {self!r} takes its messages: receive some `with taking(pid):`, see README.md"
            )
        if self.arriving is not None:
            self.runtime.take_in(self)
        return not self.budget

    async def _rest(self) -> None:
        """Let others run; in a process that is ending, raises trio's Cancelled, or `Exit` in a shield."""
        await checkpoint()
        if self.state is not ALIVE:
            raise Exit(self.exit_reason)
        self.budget = BUDGET
        self.expect_many()

    async def _rest_with(self, message: object) -> None:
        """Let others run with a message in one's hands, which no cancellation loses."""
        try:
            await self._rest()
        except BaseException:
            self.mailbox.insert(0, message)
            raise

    def expect_many(self) -> None:
        """Change a mailbox that has become long into a deque: a list is taken from in linear time, but is smaller."""
        if len(self.mailbox) > LONG:
            self.mailbox = deque(self.mailbox)
