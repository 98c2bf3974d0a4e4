"""psycopg's AsyncConnection, with trio waiting for its socket."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, Self, TypeVar, cast

import psycopg
import trio
from psycopg import errors, pq, waiting
from psycopg.abc import PQGen
from psycopg.rows import AsyncRowFactory, Row, tuple_row

RV = TypeVar("RV")

GRACE: Final = 2.0
"""Seconds to cancel a query on the server and to read the rest of its answer; then the connection is closed."""
CLOSED: Final = "the connection was closed while it was waited for"


class TrioConnection(psycopg.AsyncConnection[Row]):
    """A connection to PostgreSQL for tasks of trio; all methods of `psycopg.AsyncConnection` but those of asyncio.

        async with await TrioConnection.connect(conninfo) as connection:
            cursor = await connection.execute("select name from users where id = %s", [1])

    If a task is cancelled within a query, the query is cancelled on the server; the connection can be used after that,
    or is closed.
    """

    def __init__(self, pgconn: pq.abc.PGconn, row_factory: AsyncRowFactory[Row] | None = None) -> None:
        """Take an open connection of libpq; `connect` makes one."""
        super().__init__(pgconn, cast("AsyncRowFactory[Row]", row_factory or tuple_row))
        self.lock = trio.Lock()  # type: ignore[assignment]
        self._opened: psycopg.Connection[Any] | None = None
        """The connection that has opened `pgconn`, in a thread."""

    @classmethod
    async def connect(
        cls,
        conninfo: str = "",
        *,
        autocommit: bool = False,
        row_factory: AsyncRowFactory[Row] | None = None,
        **kwargs: Any,  # noqa: ANN401 - psycopg's
    ) -> Self:
        """Connect; `conninfo` and the other parameters are those of `psycopg.connect`.

        Raises psycopg.OperationalError if there is no server, or after `connect_timeout` seconds. A caller that is
        cancelled does not wait for the thread that connects.
        """
        opened = await _connect(lambda: psycopg.Connection.connect(conninfo, **kwargs))
        connection = cls(opened.pgconn, row_factory)
        connection._opened = opened
        connection._autocommit = autocommit
        return connection

    async def wait(self, gen: PQGen[RV], interval: float = 0.0, timeout: float | None = None) -> RV:
        """Run a generator of psycopg, and wait for the socket when it says so; `interval` is not needed.

        Raises psycopg's errors, OperationalError if the connection is closed meanwhile.
        """
        try:
            with trio.move_on_after(math.inf if timeout is None else timeout):
                return await self._run(gen, next(gen))
            raise errors._WaitTimeout("wait timeout expired")  # noqa: SLF001 - psycopg's `notifies` waits for this one
        except StopIteration as stop:
            return cast("RV", stop.value)
        except trio.Cancelled:
            if not self.closed and self.pgconn.transaction_status == pq.TransactionStatus.ACTIVE:
                await self._end_query(gen)
            raise

    async def _run(self, gen: PQGen[RV], state: waiting.Wait) -> RV:
        while True:
            try:
                ready = await _ready(self.pgconn.socket, state)
            except trio.ClosedResourceError:
                raise errors.OperationalError(CLOSED) from None
            try:
                state = gen.send(ready)
            except StopIteration as stop:
                return cast("RV", stop.value)

    async def _end_query(self, gen: PQGen[RV]) -> None:
        """Cancel the query on the server, and read the rest of its answer; or close the connection."""
        try:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + GRACE):
                await self.cancel_safe(timeout=GRACE)
                await self._run(gen, waiting.Wait.R)
        except errors.QueryCanceled:
            return
        except psycopg.Error:
            pass
        if not self.closed and self.pgconn.transaction_status == pq.TransactionStatus.ACTIVE:
            self.close_now()

    async def cancel_safe(self, *, timeout: float = 30.0) -> None:
        """Ask the server to cancel the query that runs, within `timeout` seconds."""
        if self._opened is not None:
            opened = self._opened
            await trio.to_thread.run_sync(lambda: opened.cancel_safe(timeout=timeout), abandon_on_cancel=True)

    def close_now(self) -> None:
        """Close the connection without waiting; a task that waits for it gets OperationalError."""
        if not self.closed:
            trio.lowlevel.notify_closing(self.pgconn.socket)
            self.pgconn.finish()

    async def close(self) -> None:
        """Close the connection."""
        self.close_now()


async def _connect(connect: Callable[[], psycopg.Connection[Any]]) -> psycopg.Connection[Any]:
    """Connect in a thread. If the caller is cancelled before, close the connection that comes too late."""
    made: list[psycopg.Connection[Any]] = []
    late = False

    def in_thread() -> None:
        made.append(connect())
        if late:
            made[0].close()

    try:
        await trio.to_thread.run_sync(in_thread, abandon_on_cancel=True)
    except trio.Cancelled:
        late = True
        if made:
            made[0].close()
        raise
    return made[0]


async def _ready(socket: int, state: waiting.Wait) -> waiting.Ready:
    """Wait until a socket is ready as a generator asks for, and say for what it is."""
    if state == waiting.Wait.R:
        await trio.lowlevel.wait_readable(socket)
        return waiting.Ready.R
    if state == waiting.Wait.W:
        await trio.lowlevel.wait_writable(socket)
        return waiting.Ready.W
    ready = 0

    async def one(wait: Any, bit: waiting.Ready) -> None:  # noqa: ANN401 - a function of trio
        nonlocal ready
        await wait(socket)
        ready |= bit
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one, trio.lowlevel.wait_readable, waiting.Ready.R)
        nursery.start_soon(one, trio.lowlevel.wait_writable, waiting.Ready.W)
    return waiting.Ready(ready)
