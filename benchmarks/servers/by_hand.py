"""Channels by hand: as much of Phoenix's protocol (V2) as the loads ask for, and nothing else.

No supervision, no limits, no time-outs: what a programmer writes who wants to see it work, and the least that a library
without channels can cost. How a server reads and writes is its own affair.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Generic, TypeVar

import orjson

ConnectionT = TypeVar("ConnectionT")


class Topics(Generic[ConnectionT]):
    """Who has joined what."""

    def __init__(self) -> None:
        self._members: defaultdict[str, set[ConnectionT]] = defaultdict(set)
        self._joined: defaultdict[ConnectionT, set[str]] = defaultdict(set)

    def answer(self, connection: ConnectionT, text: str | bytes) -> tuple[bytes, list[ConnectionT]]:
        """Take a message; returns what is to be sent, and to whom."""
        join_ref, ref, topic, event, payload = orjson.loads(text)
        match event:
            case "phx_join":
                self._members[topic].add(connection)
                self._joined[connection].add(topic)
                payload = {}
            case "shout":
                return orjson.dumps([None, None, topic, event, payload]), list(self._members[topic])
        return orjson.dumps([join_ref, ref, topic, "phx_reply", {"status": "ok", "response": payload}]), [connection]

    def gone(self, connection: ConnectionT) -> None:
        """Forget a connection."""
        for topic in self._joined.pop(connection, ()):
            self._members[topic].discard(connection)
