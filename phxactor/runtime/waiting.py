"""Who waits at a mailbox, and who of them gets a message.

Mostly one task waits, for any message: `waiter` is all there is to it. Tasks that wait for certain messages, or beside
one another, each have a `Waiter`. An `Answer` or a `Down` goes to the task that waits for its `ref`, whichever other
tasks receive. Any other message goes to the first task that takes it, in the order in which the tasks began to wait.
A task of the process looks at it for all of them: what a program wants is not for the sender to ask.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final, TypeAlias, final

import attrs
from trio.lowlevel import Abort, RaiseCancelT, Task, reschedule

from phxactor.runtime.messages import Answer, Down

if TYPE_CHECKING:
    from phxactor.runtime.messages import Ref
    from phxactor.runtime.runtime import Runtime

Match: TypeAlias = Callable[[object], bool]
"""Says whether a message is one of those that are waited for."""
Refs: TypeAlias = "Collection[Ref | None]"
"""References of calls and the like that are waited for."""


@final
class Nothing:
    """The type of `NOTHING`: what a task has been given that still waits."""


NOTHING: Final = Nothing()


@final
@attrs.frozen
class Raised:
    """What a `match` has raised: it comes out of the receive that it belongs to."""

    error: BaseException


def anything(_: object) -> bool:
    """Match any message, for a task that waited for one before there was another."""
    return True


@final
class Waiter:
    """A task that waits for certain messages, or beside another one."""

    __slots__ = ("asleep", "later", "mailbox", "match", "message", "refs", "task", "unseen")

    def __init__(self, mailbox: Waiting, task: Task, refs: Refs | None, match: Match | None) -> None:
        """Make one: for a message with one of these references, for one that matches, or for any."""
        self.mailbox = mailbox
        self.task = task
        self.refs = refs
        self.match = match
        self.message: object = NOTHING
        """What it has been given: then it waits no more."""
        self.asleep = True
        """Whether somebody has to wake the task."""
        self.unseen = 0
        """How many messages, at the end of the mailbox, it has not looked at."""
        self.later: list[object] | None = None
        """What has come with its references since it was given its message: nobody else is to have that, either."""

    def take(self) -> object:
        """Return the message that it was given; raises what `match` has raised."""
        if type(self.message) is Raised:
            raise self.message.error
        return self.message

    def wants(self, message: object) -> bool:
        """Tell whether it takes a message; if that raises, it waits no more, either."""
        if self.match is None:
            return True
        try:
            return self.match(message)
        except BaseException as error:  # noqa: BLE001 - raised by its own task, see `take`
            self.message = Raised(error)
            return False

    def wake(self) -> None:
        """Let its task go on."""
        if self.asleep:
            self.asleep = False
            reschedule(self.task)

    def stop(self, _: RaiseCancelT) -> Abort:
        """Give up waiting: its task is cancelled."""
        self.asleep = False
        self.mailbox.leave(self)
        return Abort.SUCCEEDED


class Waiting:
    """A mailbox as far as those who wait are concerned; `Mailbox` takes messages out of it."""

    __slots__ = ("mailbox", "runtime", "sunk", "waiter", "waiters")

    mailbox: list[object] | deque[object]
    runtime: Runtime
    sunk: type | None
    """The type of message that the sink takes now: none while something waits ahead, or the process is ending."""
    waiter: Task | None
    """A task that waits: the only one, for any message, unless there are `waiters`."""
    waiters: list[Waiter] | None
    """The tasks that wait, first come first, where they wait for certain messages, or are several."""

    @property
    def idle(self) -> bool:
        """Whether all its tasks that wait do so for the next message, whichever that is; at least one waits."""
        if self.waiters is None:
            return self.waiter is not None
        return all(one.refs is None and one.match in (None, anything) for one in self.waiters)

    def enter(self, waiter: Waiter) -> None:
        """Begin to wait."""
        if self.waiters is None:
            self.waiters = []
            if self.waiter is not None:
                self.waiters.append(Waiter(self, self.waiter, None, anything))
        self.waiters.append(waiter)
        self.waiter = waiter.task
        self.sunk = None  # what comes now may wait: the sink takes nothing before `run_port_queue`

    def leave(self, waiter: Waiter) -> None:
        """End waiting."""
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
        """Take a message while there are `waiters`: for the one that waits for just this one, or for one that looks."""
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
            return  # nobody wants it, or somebody is about to look
        if first.match is anything:
            self.look()
        else:
            first.wake()

    def look(self) -> None:
        """Give what nobody has looked at to those who wait, each message to the first that takes it."""
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
                    index += waiter.match is anything  # it has its message at the other end of the mailbox
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
        """End a wait with its message."""
        waiter.message = message
        if self.waiters is not None and len(self.waiters) == 1:
            self.waiters = self.waiter = None
        else:
            self.leave(waiter)
        if waiter.match is anything:
            self.mailbox.insert(0, message)  # where its task looks: `receive` knows of no waiter
        if waiter.asleep:
            waiter.asleep = False
            reschedule(waiter.task)

    def leave_to_others(self, messages: list[object]) -> None:
        """Put messages into the mailbox; others take them in the next pass, if they have not been flushed by then."""
        self.mailbox.extend(messages)
        for waiter in self.waiters or ():
            waiter.unseen += len(messages)
        self.runtime.run_soon(self.look_again)

    def look_again(self) -> None:
        """Have those who wait take what lies in the mailbox."""
        if self.waiters is not None:
            self.look()
        elif self.mailbox:
            self.wake()

    def give_back(self, waiter: Waiter) -> None:
        """End a wait without its message: it goes to the next that takes it, or is the oldest in the mailbox."""
        self.leave(waiter)
        if waiter.message is not NOTHING and type(waiter.message) is not Raised:
            self.mailbox.insert(0, waiter.message)
            if self.waiters is None:
                self.wake()
            for other in self.waiters or ():
                other.unseen = len(self.mailbox)
        self.look()

    def wake(self) -> None:
        """Let all who wait go on: the process ends."""
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
        """Let one go on: its time is over."""
        waiter.wake()

    def _stop_waiting(self, _: RaiseCancelT) -> Abort:
        if self.waiters is None:
            self.waiter = None
        else:
            self.leave(next(waiter for waiter in self.waiters if waiter.match is anything))
        return Abort.SUCCEEDED

    def remove(self, index: int) -> None:
        """Take a message out that nobody is handed now."""
        mailbox = self.mailbox
        if index == len(mailbox) - 1:
            mailbox.pop()
            return
        left = list(mailbox)
        del left[index]
        mailbox.clear()
        mailbox.extend(left)
