"""How many connections an endpoint takes: in all, and from one address.

They are counted by the processes that hold them, each for itself, so that what is refused costs a process for a moment,
and accepting goes on as fast as ever.
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
from phxactor.http import PeerData, last_answer
from phxactor.net._address import LOCAL
from phxactor.net._base_connection import BaseConnection
from phxactor.runtime import self_pid

LINGER: Final = 1.0
"""Seconds that a client who is refused has to read why."""
LINGERING: Final = 64
"""Clients that have them at once; any other is closed without, so that a flood holds no more than this."""
PREFIX: Final = 64
"""Bits of an IPv6 address that stand for one client: it has all of the others."""


class TooManyError(Exception):
    """One connection too many: the status that says so, and why, for the log."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


def check_limits(total: object, per_address: object) -> None:
    """Raise ValueError or TypeError for what is no number from 1, and not None, which is any number."""
    for name, value in (("max_connections", total), ("max_connections_per_address", per_address)):
        if value is not None:
            check.whole(name, value)


class ConnectionLimits:
    """The connections that there are, and how many there may be; None for any number (see `check_limits`)."""

    @classmethod
    def of(cls, total: int | None, per_address: int | None) -> Self | None:
        """Return what counts them; None where there is no limit, so that nothing has to be counted."""
        return None if total is None and per_address is None else cls(total, per_address)

    def __init__(self, total: int | None, per_address: int | None) -> None:
        check_limits(total, per_address)
        self._total = total
        self._per_address = per_address
        self.count = 0
        """Connections that there are."""
        self._by_address: Counter[str] = Counter()
        self._lingering = 0

    @contextmanager
    def place(self, peer: PeerData) -> Iterator[None]:
        """Take a place as long as it lasts. Raises TooManyError."""
        address = self.enter(peer)
        try:
            yield
        finally:
            self.leave(address)

    def enter(self, peer: PeerData) -> str:
        """Take a place; returns what `leave` gives it back by. Raises TooManyError: 503, or 429 for an address."""
        if self._total is not None and self.count >= self._total:
            why = f"there are {self.count} connections, and no more than {self._total} may be"
            raise TooManyError(HTTPStatus.SERVICE_UNAVAILABLE, why)
        address = "" if self._per_address is None or peer is LOCAL else _client(peer.address)
        if address and self._by_address[address] >= (self._per_address or 0):
            why = f"there are {self._by_address[address]} connections from {address}, and no more may be"
            raise TooManyError(HTTPStatus.TOO_MANY_REQUESTS, why)
        self.count += 1
        if address:
            self._by_address[address] += 1
        return address

    def leave(self, address: str) -> None:
        """Give a place back."""
        self.count -= 1
        if address:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    async def refuse(self, connection: BaseConnection, status: HTTPStatus) -> None:
        """Answer a client who has no place, whatever he has asked for, and close."""
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
    """Return what an address has in common with all others of its client."""
    if ":" not in address:
        return address
    network = int(IPv6Address(address)) >> (128 - PREFIX) << (128 - PREFIX)
    return f"{IPv6Address(network)}/{PREFIX}"
