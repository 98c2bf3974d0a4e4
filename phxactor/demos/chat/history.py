"""The recent messages, kept by a process of its own, so that they survive crashes of channels."""

from __future__ import annotations

import time
from collections import deque
from itertools import count
from typing import Final

import attrs

from phxactor import From, GenServer
from phxactor.otp import Reply, TypedRequest

LENGTH: Final = 50
"""The number of messages kept."""
NAME: Final = "history"
"""The registered name of the process."""


@attrs.frozen
class Said:
    """A message of the chat."""

    id: int
    """Counts up from 1."""
    at: float
    """Seconds since 1970."""
    name: str
    user: str
    """A secret of the browser tab that sent the message, by which its channel recognises its own messages."""
    body: str


@attrs.frozen
class Recent(TypedRequest[tuple[Said, ...]]):
    """Asks for the recent messages, oldest first."""


@attrs.frozen
class Keep(TypedRequest[Said]):
    """Asks to keep a message. The answer is the message as it is kept."""

    name: str
    user: str
    body: str


class History(GenServer):
    """Keeps the last messages: `await call(NAME, Recent())`, `await call(NAME, Keep(name, user, body))`."""

    async def init(self) -> None:
        self.messages: deque[Said] = deque(maxlen=LENGTH)
        self.ids = count(time.time_ns() // 1_000_000)  # from the clock, so that ids keep growing after a restart

    async def handle_call(self, request: Recent | Keep, from_: From) -> Reply:
        match request:
            case Recent():
                return Reply(tuple(self.messages))
            case Keep(name, user, body):
                said = Said(next(self.ids), time.time(), name, user, body)
                self.messages.append(said)
                return Reply(said)
