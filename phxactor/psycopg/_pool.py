"""Connections to PostgreSQL for many processes."""

from __future__ import annotations

import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import trio
from psycopg import pq

from phxactor import _checks as check
from phxactor.psycopg._connection import GRACE, TrioConnection


class Pool:
    """Connections that are lent, each to one task at a time; `open_pool` makes it."""

    def __init__(self, conninfo: str, size: int, kwargs: dict[str, Any]) -> None:
        """Prepare a pool without connections."""
        self._conninfo, self._kwargs = conninfo, kwargs
        self._limiter = trio.CapacityLimiter(size)
        self._idle: list[TrioConnection[Any]] = []
        self._lent: set[TrioConnection[Any]] = set()
        self._closed = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[TrioConnection[Any]]:
        """Lend a connection for a transaction: it is committed at the end of the block, or rolled back if that raises.

        Waits while all connections are lent. Raises psycopg.OperationalError if there is no server, or if the pool has
        been closed.
        """
        async with self._limiter:
            if self._closed:
                raise psycopg.OperationalError("the pool has been closed")
            connection = self._take() or await self._connect()
            self._lent.add(connection)
            try:
                yield connection
                await connection.commit()
            finally:
                self._lent.discard(connection)
                await self._take_back(connection)

    async def _connect(self) -> TrioConnection[Any]:
        return await TrioConnection[Any].connect(self._conninfo, **self._kwargs)

    def _take(self) -> TrioConnection[Any] | None:
        """Return an idle connection; None without one. One with unread input was ended by the server, and is closed."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed and not _is_readable(connection.pgconn.socket):
                return connection
            connection.close_now()
        return None

    async def _take_back(self, connection: TrioConnection[Any]) -> None:
        if _is_in_transaction(connection):
            try:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + GRACE):
                    await connection.rollback()
            except psycopg.Error:
                pass
        if self._closed or connection.closed or connection.pgconn.transaction_status != pq.TransactionStatus.IDLE:
            connection.close_now()
        else:
            self._idle.append(connection)

    def close(self) -> None:
        """Close all connections, also those that are lent: their tasks get OperationalError."""
        self._closed = True
        for connection in (*self._idle, *self._lent):
            connection.close_now()
        self._idle.clear()


@asynccontextmanager
async def open_pool(conninfo: str = "", *, size: int = 10, **kwargs: Any) -> AsyncIterator[Pool]:  # noqa: ANN401
    """Open a pool of at most `size` connections, for a `Resource`; the other parameters are those of `psycopg.connect`.

        DATABASE = Resource("database", open_pool, "host=db dbname=app")

        async with DATABASE.value.connection() as connection:
            await connection.execute("insert into notes (text) values (%s)", [text])

    One connection is made at once. Raises psycopg.OperationalError if there is no server.
    """
    check.whole("size", size)
    pool = Pool(conninfo, size, kwargs)
    try:
        async with pool.connection():
            pass
        yield pool
    finally:
        pool.close()


def _is_in_transaction(connection: TrioConnection[Any]) -> bool:
    states = (pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR)
    return not connection.closed and connection.pgconn.transaction_status in states


def _is_readable(socket: int) -> bool:
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))
