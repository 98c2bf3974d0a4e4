"""Hears what is published on a Redis server, and opens it as a node does; it beats as a node, too."""

from __future__ import annotations

import os
import threading
import time
from typing import Self

import redis

from phxactor.envelope import Frame, Message, Seal, channel_of_all, decode
from tests.patience import PATIENCE

SECRET = "a secret of the tests, which is long enough"


class Listener:
    """Subscribed to every channel of the prefix `shop` but that of beats."""

    def __init__(self, port: int, secret: str | None = SECRET) -> None:
        self._seal = Seal(secret)
        self._client = redis.Redis(port=port)
        self._subscription = self._client.pubsub()  # type: ignore[no-untyped-call]
        self._over = threading.Event()
        self._beats = threading.Thread(target=self._beat)

    def __enter__(self) -> Self:
        self._subscription.psubscribe("shop:[^a]*")
        self._next()
        self._beats.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._beats.join()
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

    def _beat(self) -> None:
        """Run the thread."""
        channel, sender, number = channel_of_all("shop"), os.urandom(16), 0
        while not self._over.wait(0.05):
            number += 1
            frame = Frame(sender, number, 0, time.time_ns() // 1_000_000, b"a beat")
            self._client.publish(channel, self._seal.seal(channel, frame))

    def _next(self) -> dict[str, bytes]:
        told: dict[str, bytes] | None = self._subscription.get_message(timeout=PATIENCE)
        assert told is not None, "nothing came"
        return told
