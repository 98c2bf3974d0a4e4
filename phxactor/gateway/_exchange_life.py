"""The life of an exchange: whether it goes on, and which process is told of its end.

An exchange has two processes: the connection's waits until it is over, the request's calls `receive` and `send`.

    open ─┬─ complete: the answer is written whole ───────────────────────────────────────▶ over
          ├─ broken: the connection is taken away from the application ───────────────────▶ over
          └─ left: the client has left ── the application has its whole body, or it breaks ─▶ over

It is over once. Then the connection's process gets the exchange itself as a message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from phxactor.gateway._types import ClientDisconnectedError
from phxactor.runtime import Pid, self_pid

if TYPE_CHECKING:
    from phxactor.gateway._hosted import HostedApplication
    from phxactor.gateway._request_body import RequestBody
    from phxactor.net import BaseConnection


class ExchangeLife:
    """How far an exchange is; `Exchange` adds `receive` and `send`."""

    __slots__ = (
        "_body",
        "_changed",
        "_connection",
        "_hosted",
        "_owner",
        "_stop_watch",
        "broken",
        "complete",
        "heard",
        "left",
        "over",
        "reading",
    )

    def __init__(self, hosted: HostedApplication, connection: BaseConnection, body: RequestBody) -> None:
        """Begin; the caller is the connection's process."""
        self._hosted = hosted
        self._connection = connection
        self._body = body
        self._owner: Pid = self_pid()
        """The connection's process."""
        self._changed: trio.Event | None = None
        self._stop_watch: Callable[[], None] | None = None
        self.heard = 0.0
        """When the client was heard of last, by the runtime's clock: a piece of its body came, or it left."""
        self.complete = False
        """Whether the answer has been written whole."""
        self.left = False
        """Whether the client has left."""
        self.broken = False
        """Whether the connection is taken away from the application: nothing more is read or written by it."""
        self.over = False
        """Whether the connection's process has nothing more to wait for."""
        self.reading: trio.CancelScope | None = None
        """The scope of a read that is under way; None without one."""

    def watch(self) -> None:
        """Watch from now on whether the client leaves, unless the body is being read."""
        if self._stop_watch is None and self.reading is None and not self.over:
            self._stop_watch = self._connection.watch(self.client_left)

    def unwatch(self) -> None:
        """End the watch."""
        stop, self._stop_watch = self._stop_watch, None
        if stop is not None:
            stop()

    def client_left(self) -> None:
        """Note that the client has left; the application hears of it by `receive` and `send`."""
        if not self.left and not self.complete:
            self.left = True
            self.heard = self._owner.runtime.now()
            self._tell()
            if not self._body.left or self.broken:
                self._end()

    def break_off(self) -> None:
        """Take the connection away from the application."""
        if not self.complete:
            self.broken = True
        self.unwatch()
        self._tell()
        self._end()

    def _finish(self) -> None:
        """Note that the answer has been written whole."""
        self.complete = True
        self.unwatch()
        self._tell()
        self._end()

    def _end(self) -> None:
        """Tell the connection's process that it need not wait any longer."""
        if self.reading is not None:
            self.reading.cancel(reason="the exchange is over")
        if not self.over:
            self.over = True
            self._owner.send(self)

    def ended(self, pid: Pid) -> None:
        """Note that the request's process has ended; it may have been killed."""
        self._hosted.requests.discard(pid)
        if not self.over:
            self.break_off()

    def _raise_if_left(self) -> None:
        """Raise ClientDisconnectedError if nothing can be written any more."""
        if self._connection.closed:
            self.client_left()
        if self.left or self.broken:
            raise ClientDisconnectedError("the client has left")

    async def _change(self) -> None:
        """Wait until something has changed."""
        if self._changed is None:
            self._changed = trio.Event()
        await self._changed.wait()

    def _tell(self) -> None:
        """Wake all that wait in `_change`."""
        if self._changed is not None:
            self._changed.set()
            self._changed = None
