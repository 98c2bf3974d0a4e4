"""Limits on the number of connections of an endpoint: in all, and per client address.

The process of each connection counts it, not the listener. So a refused connection costs a short-lived process, and
the listener accepts at full speed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from ipaddress import IPv6Address
from typing import Final, Self

import trio

from phxactor import _checks as check
from phxactor.http import LOCAL, PeerData, last_answer
from phxactor.net._base_connection import BaseConnection
from phxactor.net._shared_counts import Share
from phxactor.runtime import self_pid

LINGER: Final = 1.0
"""Seconds that a refused client has to read the refusal before its connection is closed."""
LINGERING: Final = 64
"""At most this many refused clients get `LINGER` seconds; others are closed at once. This bounds a flood's cost."""
PREFIX: Final = 64
"""Length of the prefix that identifies an IPv6 client, in bits: a client can use every address of its /64."""


class TooManyError(Exception):
    """A connection is over a limit: carries the HTTP status of the refusal, and the reason for the log."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


def check_limits(total: object, per_address: object) -> None:
    """Check that each limit is None (no limit) or a whole number from 1. Raises TypeError or ValueError."""
    for name, value in (("max_connections", total), ("max_connections_per_address", per_address)):
        if value is not None:
            check.whole(name, value, also=", or None for no limit")


class ConnectionLimits:
    """The count of open connections and the limits on it; None for no limit (see `check_limits`)."""

    @classmethod
    def of(cls, total: int | None, per_address: int | None, share: Share | None = None) -> Self | None:
        """Return the limits; None if there is no limit, so that no connection is counted."""
        return None if total is None and per_address is None else cls(total, per_address, share)

    def __init__(self, total: int | None, per_address: int | None, share: Share | None = None) -> None:
        """Make the limits of an endpoint; with `share`, `total` counts for all workers together."""
        check_limits(total, per_address)
        self.count = 0
        """Number of connections that hold a place here."""
        self._total = total
        self._per_address = per_address
        self._share = None if total is None else share
        if self._share is not None:
            self._share.own_count = None  # the limit counts
        self._by_address: Counter[str] = Counter()
        self._lingering = 0

    @contextmanager
    def place(self, peer: PeerData | None) -> Iterator[None]:
        """Hold a place for the length of the block, as `enter` does. Raises TooManyError if no place is free."""
        address = self.enter(peer)
        try:
            yield
        finally:
            self.leave(address)

    def enter(self, peer: PeerData | None) -> str:
        """Take a place; return the key to give to `leave`. None for a proxy: only the limit in all counts then.

        Raises:
            TooManyError: with 503 for the limit in all, with 429 for the limit per address.

        """
        self._enter_total()
        try:
            address = "" if peer is None or peer is LOCAL else self.enter_address(peer.address)
        except TooManyError:
            self._leave_total()
            raise
        return address

    def _enter_total(self) -> None:
        if self._total is not None:
            if self._share is None:
                count, full = self.count, self.count >= self._total
            else:
                full = not self._share.enter(self._total)
                count = self._share.total() if full else 0
            if full:
                why = f"there are {count} connections; max_connections is {self._total}"
                raise TooManyError(HTTPStatus.SERVICE_UNAVAILABLE, why)
        self.count += 1

    def _leave_total(self) -> None:
        self.count -= 1
        if self._share is not None:
            self._share.leave()

    def enter_address(self, address: str) -> str:
        """Take a place under an address only; return the key to give to `leave_address`, "" without a limit.

        Raises:
            TooManyError: with 429.

        """
        if self._per_address is None:
            return ""
        key = _client(address)
        if self._by_address[key] >= self._per_address:
            why = (
                f"there are {self._by_address[key]} connections from {key}; "
                f"max_connections_per_address is {self._per_address}"
            )
            raise TooManyError(HTTPStatus.TOO_MANY_REQUESTS, why)
        self._by_address[key] += 1
        return key

    def leave(self, address: str) -> None:
        """Give back the place that `enter` returned this key for."""
        self._leave_total()
        self.leave_address(address)

    def leave_address(self, address: str) -> None:
        """Give back the place that `enter_address` returned this key for."""
        if address:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    async def refuse(self, connection: BaseConnection, status: HTTPStatus) -> None:
        """Answer a client that has no place with `status`, without reading its request, and close."""
        self._lingering += 1
        try:
            with self_pid().runtime.patience.move_on_after(LINGER), suppress(trio.BrokenResourceError):
                await connection.send_all(last_answer(status))
                if self._lingering <= LINGERING:
                    await connection.hang_up()
        finally:
            self._lingering -= 1
            connection.close()


def _client(address: str) -> str:
    """Return the key of a client: its IPv4 address, or the /64 of its IPv6 address."""
    if ":" not in address:
        return address
    network = int(IPv6Address(address)) >> (128 - PREFIX) << (128 - PREFIX)
    return f"{IPv6Address(network)}/{PREFIX}"
