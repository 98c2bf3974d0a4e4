"""A program's handler that a client waits for: its time limit, and its end when the client leaves.

    the handler waits ──▶ the connection is watched, and a timer runs
        it returns or raises         the result or the exception goes to the caller
        the client leaves            the process ends with `Shutdown("closed")`
        its time is over             `late()` answers the client, and the process ends with `Shutdown("late")`

The exit signal cancels the handler. A handler that shields itself, or that waits for a thread, goes on, and so does its
process; but the client is answered in time. A handler that never waits, as most do, needs no watch and no timer.

A FIN counts as leaving, as in most servers, since a closed client shows nothing else. So a client that closes only its
sending side after a request gets an answer only from handlers that do not wait.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, Final, Generic, TypeVar, final

from phxactor.net import BaseConnection
from phxactor.runtime import Exit, Pid, Shutdown, State, fatal, fork, self_pid

T = TypeVar("T")

LEFT: Final = Shutdown("closed")
"""Exit reason of a process whose client has left."""
LATE: Final = Shutdown("late")
"""Exit reason of a process whose handler took too long."""


@final
class Attended(Generic[T]):
    """An awaitable that runs a handler, and watches its client and its time limit while it waits.

    Args:
        handler: the handler's coroutine.
        connection: the connection of the client; no task may read from it meanwhile.
        seconds: time limit for the handler in seconds, from its first wait; `math.inf` for no limit.
        late: a synchronous function that answers the client when the time is over; after it, nothing more may be
            written to the connection.

    """

    __slots__ = ("_connection", "_handler", "_late", "_seconds")

    def __init__(
        self, handler: Coroutine[Any, Any, T], connection: BaseConnection, seconds: float, late: Callable[[], None]
    ) -> None:
        self._handler = handler
        self._connection = connection
        self._seconds = seconds
        self._late = late

    def __await__(self) -> Generator[Any, Any, T]:
        """Run the handler and return its result.

        Raises the handler's exception; `Exit` if the handler returns after its client has left or was answered.
        """
        try:
            trap = self._handler.send(None)
        except StopIteration as end:
            if fork.child is not None:
                fork.stray()
            result: T = end.value
            return result
        return (yield from self._attend(trap))

    def _attend(self, trap: object) -> Generator[Any, Any, T]:
        """Drive the handler on from its first wait, as `yield from` does (PEP 380), with the watch and the timer."""
        handler, pid = self._handler, self_pid()
        patience = pid.runtime.patience
        stop = self._connection.watch(partial(fatal, pid, LEFT))
        sent: object = None
        timer = None if self._seconds == math.inf else patience.add(self._seconds, self._is_late, pid)
        try:
            while True:
                try:
                    sent = yield trap
                except BaseException as error:  # noqa: BLE001 - the handler gets it
                    trap = handler.throw(error)
                else:
                    trap = handler.send(sent)
        except StopIteration as end:
            if fork.child is not None:
                fork.stray()
            if pid.exit_reason is LEFT or pid.exit_reason is LATE:  # the handler swallowed the cancellation
                raise Exit(pid.exit_reason) from None
            result: T = end.value
            return result
        except BaseException as error:
            fork.leave(error)  # before `stop`: in a child of os.fork, the watch belongs to the parent
            raise
        finally:
            sent = None  # it may be an exception whose traceback has this frame: a reference cycle
            stop()
            if timer is not None:
                patience.discard(timer)

    def _is_late(self, pid: Pid) -> None:
        if pid.state is State.ALIVE:
            fatal(pid, LATE)
            self._late()
