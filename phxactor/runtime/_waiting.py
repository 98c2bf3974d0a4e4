"""The tasks that wait at a mailbox, and the choice of the task that gets a message.

Usually one task waits, for any message: `waiter` alone records it. If tasks wait for certain messages, or if several
tasks wait, each has a `Waiter`. An `Answer` or a `Down` goes to the task that waits for its `ref`, whichever other
tasks receive. Any other message goes to the first task that takes it, in the order in which the tasks began to wait.
One task of the process tries the message on all of them: the sender must not run the program's `match` functions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final, TypeAlias, final

import attrs
from trio.lowlevel import Abort, RaiseCancelT, Task, reschedule

from phxactor.runtime._messages import Answer, Down

if TYPE_CHECKING:
    from phxactor.runtime._messages import Ref
    from phxactor.runtime._runtime import Runtime

Match: TypeAlias = Callable[[object], bool]
"""Returns whether a task takes a message."""
Refs: TypeAlias = "Collection[Ref | None]"
"""The references of the `Answer`s and `Down`s that a task waits for."""


@final
class Nothing:
    """The type of `NOTHING`: the `message` of a waiter that has been given none yet."""


NOTHING: Final = Nothing()


@final
@attrs.frozen
class Raised:
    """An exception that a `match` has raised; its own receive raises it."""

    error: BaseException


def anything(_: object) -> bool:
    """Match any message; for a task that waited for any message before another task began to wait."""
    return True


@final
class Waiter:
    """A task that waits for certain messages, or beside another waiting task."""

    __slots__ = ("asleep", "later", "mailbox", "match", "message", "refs", "task", "unseen")

    def __init__(self, mailbox: Waiting, task: Task, refs: Refs | None, match: Match | None) -> None:
        """Wait for a message with one of `refs`, for a message that `match` takes, or for any message."""
        self.mailbox = mailbox
        self.task = task
        self.refs = refs
        self.match = match
        self.message: object = NOTHING
        """The message that the task has been given, which ends its wait; `NOTHING` before that."""
        self.asleep = True
        """Whether the task is still to be woken."""
        self.unseen = 0
        """Number of messages, at the end of the mailbox, that the task has not seen."""
        self.later: list[object] | None = None
        """Messages with its references that came after its message; they go to the mailbox when the task leaves."""

    def take(self) -> object:
        """Return the message that the task was given; raises what `match` has raised."""
        if type(self.message) is Raised:
            raise self.message.error
        return self.message

    def wants(self, message: object) -> bool:
        """Return whether the task takes a message; an exception of `match` ends its wait too."""
        if self.match is None:
            return True
        try:
            return self.match(message)
        except BaseException as error:  # noqa: BLE001 - the waiter's own task raises it, see `take`
            self.message = Raised(error)
            return False

    def wake(self) -> None:
        """Wake the task."""
        if self.asleep:
            self.asleep = False
            reschedule(self.task)

    def stop(self, _: RaiseCancelT) -> Abort:
        """End the wait of a cancelled task."""
        self.asleep = False
        self.mailbox.leave(self)
        return Abort.SUCCEEDED


class Waiting:
    """The part of a mailbox that concerns waiting tasks; `Mailbox` takes messages out of it."""

    __slots__ = ("mailbox", "runtime", "sink_type", "waiter", "waiters")

    mailbox: list[object] | deque[object]
    runtime: Runtime
    sink_type: type | None
    """The type of message that the sink takes now; None while messages wait ahead, or the process is ending."""
    waiter: Task | None
    """The task that waits for any message. If there are `waiters`, any task of them. None if no task waits."""
    waiters: list[Waiter] | None
    """The waiting tasks, first come first, if they wait for certain messages or are several; else None."""

    @property
    def idle(self) -> bool:
        """Whether at least one task waits, and all waiting tasks wait for any message."""
        if self.waiters is None:
            return self.waiter is not None
        return all(one.refs is None and one.match in (None, anything) for one in self.waiters)

    def enter(self, waiter: Waiter) -> None:
        """Add a waiting task."""
        if self.waiters is None:
            self.waiters = []
            if self.waiter is not None:
                self.waiters.append(Waiter(self, self.waiter, None, anything))
        self.waiters.append(waiter)
        self.waiter = waiter.task
        self.sink_type = None  # messages may wait from now on, so the sink takes none before `run_port_queue`

    def leave(self, waiter: Waiter) -> None:
        """Remove a waiting task."""
        waiters = self.waiters
        if waiters is None or waiter not in waiters:
            return
        waiters.remove(waiter)
        if not waiters:
            self.waiters = self.waiter = None
        elif len(waiters) == 1 and waiters[0].match is anything:
            self.waiters, self.waiter = None, waiters[0].task
        if waiter.later is not None:
            self.leave_to_others(waiter.later)

    def offer(self, message: object) -> None:
        """Take in a message while there are `waiters`.

        It goes to the task that waits for its `ref`. Any other message goes to the mailbox, and wakes the first task
        that may take it.
        """
        waiters = self.waiters or []
        if type(message) is Answer or type(message) is Down:
            ref = message.ref
            for waiter in waiters:
                if waiter.refs is not None and ref in waiter.refs:
                    if waiter.message is NOTHING:
                        waiter.message = message
                        waiter.wake()
                    elif waiter.later is None:
                        waiter.later = [message]
                    else:
                        waiter.later.append(message)
                    return
        self.mailbox.append(message)
        first: Waiter | None = None
        for waiter in waiters:
            if waiter.refs is None:
                waiter.unseen += 1
                if first is None or not waiter.asleep:
                    first = waiter
        if first is None or not first.asleep:
            return  # no task takes other messages, or one is about to look
        if first.match is anything:
            self.look()
        else:
            first.wake()

    def look(self) -> None:
        """Offer the unseen messages to the waiting tasks; each message goes to the first task that takes it."""
        waiters = self.waiters or []
        if len(waiters) != 1:
            waiters = [waiter for waiter in waiters if waiter.refs is None]
        index = max(0, len(self.mailbox) - max([waiter.unseen for waiter in waiters], default=0))
        while index < len(self.mailbox) and waiters:
            message, left = self.mailbox[index], len(self.mailbox) - index
            for waiter in waiters:
                if waiter.unseen < left:
                    continue
                if waiter.wants(message):
                    self.remove(index)
                    waiters = [other for other in waiters if other is not waiter]
                    self._give(waiter, message)
                    index += waiter.match is anything  # `_give` has put the message at the front of the mailbox
                    break
                if waiter.message is not NOTHING:
                    waiters = [other for other in waiters if other is not waiter]
                    self._give(waiter, waiter.message)
                    break
            else:
                index += 1
        for waiter in waiters:
            waiter.unseen = 0

    def _give(self, waiter: Waiter, message: object) -> None:
        """End the wait of a task with `message`."""
        waiter.message = message
        if self.waiters is not None and len(self.waiters) == 1:
            self.waiters = self.waiter = None
        else:
            self.leave(waiter)
        if waiter.match is anything:
            self.mailbox.insert(0, message)  # where its task will look: `receive` does not use its `Waiter`
        if waiter.asleep:
            waiter.asleep = False
            reschedule(waiter.task)

    def leave_to_others(self, messages: list[object]) -> None:
        """Put messages into the mailbox; in the next pass other tasks may take those that were not flushed."""
        self.mailbox.extend(messages)
        for waiter in self.waiters or ():
            waiter.unseen += len(messages)
        self.runtime.run_soon(self.look_again)

    def look_again(self) -> None:
        """Let the waiting tasks take messages from the mailbox."""
        if self.waiters is not None:
            self.look()
        elif self.mailbox:
            self.wake()

    def give_back(self, waiter: Waiter) -> None:
        """End a wait, and give its message to the next task that takes it, or put it back at the mailbox's front."""
        self.leave(waiter)
        if waiter.message is not NOTHING and type(waiter.message) is not Raised:
            self.mailbox.insert(0, waiter.message)
            if self.waiters is None:
                self.wake()
            for other in self.waiters or ():
                other.unseen = len(self.mailbox)
        self.look()

    def wake(self) -> None:
        """Wake all waiting tasks, since the process ends or messages wait."""
        if self.waiters is None:
            waiter = self.waiter
            if waiter is not None:
                self.waiter = None
                reschedule(waiter)
            return
        for one in list(self.waiters):
            if one.match is anything:
                self.leave(one)
            one.wake()

    def _wake(self, waiter: Waiter) -> None:
        """Wake a waiter whose time is over; the callback of its timer."""
        waiter.wake()

    def _stop_waiting(self, _: RaiseCancelT) -> Abort:
        if self.waiters is None:
            self.waiter = None
        else:
            self.leave(next(waiter for waiter in self.waiters if waiter.match is anything))
        return Abort.SUCCEEDED

    def remove(self, index: int) -> None:
        """Remove a message from the mailbox at any index."""
        mailbox = self.mailbox
        if index == len(mailbox) - 1:
            mailbox.pop()
            return
        left = list(mailbox)
        del left[index]
        mailbox.clear()
        mailbox.extend(left)
