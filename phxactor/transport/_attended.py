"""A handler of the program that a client waits for: how long it may take, and what becomes of it when the client goes.

    the handler waits ──▶ the connection is watched, and a timer runs
        it returns, raises           that, to whoever awaits
        the client leaves            the process ends with `Shutdown("closed")`
        its time is over             `late()` answers the client, and the process ends with `Shutdown("late")`

So it is cancelled, as by any exit signal. One that shields itself, or waits for a thread, goes on, and its process with
it; but its client has been answered. A handler that never waits, as most do, costs nothing of this.

A FIN is taken for leaving, as by most servers: it is all that there is to see of a client that has closed. So who
closes only the sending side after a request is answered by handlers that do not wait, and by no others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, Final, Generic, TypeVar, final

from phxactor.net import BaseConnection
from phxactor.runtime import Exit, Pid, Shutdown, State, fork, self_pid
from phxactor.runtime.signals import fatal

T = TypeVar("T")

LEFT: Final = Shutdown("closed")
"""Why a process ends whose client has left."""
LATE: Final = Shutdown("late")
"""Why it ends when the handler's time is over."""


@final
class Attended(Generic[T]):
    """An awaitable: the handler, at which somebody looks while it waits.

    Args:
        handler: what it runs.
        connection: of the client that waits; nobody reads from it meanwhile.
        seconds: that it may take, from when it waits first; `math.inf` for any.
        late: answers the client when they are over, synchronously; nothing may be written to the connection after it.

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
        """Run the handler: raises what it raises, and `Exit` when there is nobody any more to be answered."""
        try:
            trap = self._handler.send(None)
        except StopIteration as end:
            if fork.child is not None:
                fork.stray()
            result: T = end.value
            return result
        return (yield from self._attend(trap))

    def _attend(self, trap: object) -> Generator[Any, Any, T]:
        """Go on from where the handler waits, as `yield from` does (PEP 380)."""
        handler, pid = self._handler, self_pid()
        patience = pid.runtime.patience
        stop = self._connection.watch(partial(fatal, pid, LEFT))
        sent: object = None
        timer = None if self._seconds == math.inf else patience.add(self._seconds, self._is_late, pid)
        try:
            while True:
                try:
                    sent = yield trap
                except BaseException as error:  # noqa: BLE001 - it is the handler's
                    trap = handler.throw(error)
                else:
                    trap = handler.send(sent)
        except StopIteration as end:
            if fork.child is not None:
                fork.stray()
            if pid.exit_reason is LEFT or pid.exit_reason is LATE:  # it has kept its end away
                raise Exit(pid.exit_reason) from None
            result: T = end.value
            return result
        except BaseException as error:
            fork.leave(error)  # before the watch is touched, which is the parent's too
            raise
        finally:
            sent = None  # the outcome of a cancelled wait is the exception that has this frame in its traceback
            stop()
            if timer is not None:
                patience.discard(timer)

    def _is_late(self, pid: Pid) -> None:
        if pid.state is State.ALIVE:
            fatal(pid, LATE)
            self._late()
