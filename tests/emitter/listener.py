"""Hears what is published on a Redis server, and opens it as a node does."""

from __future__ import annotations

from typing import Self

import redis

from phxactor.envelope import Frame, Message, Seal, decode
from tests.patience import PATIENCE

SECRET = "a secret of the tests, which is long enough"


class Listener:
    """Subscribed to every channel of the prefix `shop`."""

    def __init__(self, port: int, secret: str | None = SECRET) -> None:
        self._seal = Seal(secret)
        self._client = redis.Redis(port=port)
        self._subscription = self._client.pubsub()  # type: ignore[no-untyped-call]

    def __enter__(self) -> Self:
        self._subscription.psubscribe("shop:*")
        self._next()
        return self

    def __exit__(self, *_: object) -> None:
        self._subscription.close()
        self._client.close()

    def frame(self) -> Frame:
        """Wait for the next frame."""
        told = self._next()
        return self._seal.open(told["channel"], told["data"])

    def message(self) -> Message:
        """Wait for the next message."""
        return decode(self.frame().message)

    def raw(self) -> tuple[bytes, bytes]:
        """Wait for what comes next: its channel and its bytes."""
        told = self._next()
        return told["channel"], told["data"]

    def nothing(self) -> bool:
        """Say whether all that was published has been taken."""
        self._client.publish("shop:end", b"")
        return self._next()["channel"] == b"shop:end"

    def _next(self) -> dict[str, bytes]:
        told: dict[str, bytes] | None = self._subscription.get_message(timeout=PATIENCE)
        assert told is not None, "nothing came"
        return told
