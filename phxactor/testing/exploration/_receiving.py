"""Receives as steps: while a schedule plays, a receive begins a step.

A receive that finds a message lets others run first. So a schedule may put the steps of others between any two
messages, and a step takes at most one message. A receive that finds none waits in the same step, and the message that
ends the wait begins the next one. A task that was woken by a message that it does not want is not asked for: it looks,
and waits again (EX21 to EX23).

The methods of mailboxes are replaced while a schedule plays. So this costs nothing when none does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, TypeAlias, final
from unittest.mock import patch

from outcome import Error  # a dependency of trio
from trio.lowlevel import Task, cancel_shielded_checkpoint, current_task

from phxactor.runtime import NOTHING, Mailbox, Pid, Ref, State, private, ref_of

private("_run", "Task._next_send")

Match: TypeAlias = Callable[[Any], bool]
Took: TypeAlias = Callable[[Mailbox, object, float | None], object]
"""Is told of each taken message, with the time-out of its receive; of None if there was none in time."""
_ALIVE: Final = State.ALIVE


@final
class Receiving:
    """The receives in progress."""

    def __init__(self) -> None:
        """Start with none."""
        self.pending: dict[Task, tuple[Mailbox, float | None]] = {}
        """The tasks that wait for a message: at which mailbox, and until when."""

        self.took: Took | None = None
        self.resting: set[Task] = set()
        """The tasks that are about to take a message that is there. Without a schedule, no other task would run now."""

    def _told(self, mailbox: Mailbox, message: object, timeout: float | None) -> object:
        if self.took is not None:
            self.took(mailbox, message, timeout)
        return message

    async def _rest(self) -> None:
        self.resting.add(current_task())
        await cancel_shielded_checkpoint()

    def in_vain(self, task: Task) -> bool:
        """Return whether a ready task that waited for a message will find none, and wait again."""
        mailbox, deadline = self.pending[task]
        if (
            mailbox.state is not _ALIVE
            or isinstance(task._next_send, Error)  # noqa: SLF001 - checked above
            or (deadline is not None and mailbox.runtime.now() >= deadline)
        ):
            return False
        if mailbox.waiters is None:
            return not mailbox.mailbox
        for waiter in mailbox.waiters:
            if waiter.task is task:
                if waiter.message is not NOTHING or waiter.match is None:
                    return False
                return not _wanted(mailbox, waiter.match, len(mailbox.mailbox) - waiter.unseen)
        return False

    @contextmanager
    def stepwise(self) -> Iterator[None]:
        """Let each receive begin a step while the block lasts."""
        pending = self.pending
        receive, receive_matching, receive_refs = Mailbox.receive, Mailbox.receive_matching, Mailbox.receive_refs

        async def receive_stepwise(mailbox: Mailbox, timeout: float | None = None) -> object:
            if mailbox.state is _ALIVE and (mailbox.mailbox or mailbox.arriving is not None):
                await self._rest()
            task = current_task()
            pending[task] = mailbox, None if timeout is None else mailbox.runtime.now() + timeout
            try:
                return self._told(mailbox, await receive(mailbox, timeout), timeout)
            except TimeoutError:
                self._told(mailbox, None, timeout)
                raise
            finally:
                del pending[task]

        async def match_stepwise(mailbox: Mailbox, match: Match, timeout: float | None = None) -> object:
            if mailbox.state is _ALIVE and (mailbox.arriving is not None or _wanted(mailbox, match)):
                await self._rest()
            task = current_task()
            pending[task] = mailbox, None if timeout is None else mailbox.runtime.now() + timeout
            try:
                return self._told(mailbox, await receive_matching(mailbox, match, timeout), timeout)
            except TimeoutError:
                self._told(mailbox, None, timeout)
                raise
            finally:
                del pending[task]

        async def refs_stepwise(
            mailbox: Mailbox, refs: Collection[Ref | None], seen: int, timeout: float | None
        ) -> object:
            if mailbox.state is _ALIVE and (
                mailbox.arriving is not None
                or any((ref := ref_of(message)) is not None and ref in refs for message in mailbox.mailbox)
            ):
                await self._rest()
                seen = 0  # another task may have taken messages meanwhile
            try:
                return self._told(mailbox, await receive_refs(mailbox, refs, seen, timeout), timeout)
            except TimeoutError:
                self._told(mailbox, None, timeout)
                raise

        async def ref_stepwise(mailbox: Mailbox, ref: Ref, seen: int, timeout: float | None) -> object:
            return await refs_stepwise(mailbox, (ref,), seen, timeout)

        with ExitStack() as stack:
            stack.enter_context(patch.object(Mailbox, "receive", receive_stepwise))
            stack.enter_context(patch.object(Mailbox, "receive_matching", match_stepwise))
            stack.enter_context(patch.object(Mailbox, "receive_refs", refs_stepwise))
            stack.enter_context(patch.object(Mailbox, "receive_ref", ref_stepwise))
            yield


def _wanted(mailbox: Mailbox | Pid, match: Match, first: int = 0) -> bool:
    """Return whether `match` takes a waiting message, or raises."""
    try:
        return any(match(message) for message in list(mailbox.mailbox)[max(0, first) :])
    except BaseException:  # noqa: BLE001 - the receive will raise it
        return True
