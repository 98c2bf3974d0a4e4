"""What was said lately: kept by a process of its own, so that channels may crash."""

from __future__ import annotations

import time
from collections import deque
from itertools import count
from typing import Final

import attrs

from phxactor import From, GenServer, call
from phxactor.otp import Reply

LENGTH: Final = 50
"""Messages that are kept."""
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
    """A secret of the browser tab that said it, by which it knows its own messages."""
    body: str


async def recent() -> tuple[Said, ...]:
    """Ask what was said lately, oldest first."""
    said: tuple[Said, ...] = await call(NAME, "recent")  # type: ignore[assignment]
    return said


async def keep(name: str, user: str, body: str) -> Said:
    """Have a message kept."""
    said: Said = await call(NAME, ("keep", name, user, body))  # type: ignore[assignment]
    return said


class History(GenServer):
    """Keeps the last messages; `recent` and `keep` ask it."""

    async def init(self) -> None:
        self.messages: deque[Said] = deque(maxlen=LENGTH)
        self.ids = count(time.time_ns() // 1_000_000)  # so that they go on counting up after a restart

    async def handle_call(self, request: object, from_: From) -> Reply | None:
        match request:
            case "recent":
                return Reply(tuple(self.messages))
            case ("keep", str(name), str(user), str(body)):
                said = Said(next(self.ids), time.time(), name, user, body)
                self.messages.append(said)
                return Reply(said)
        return None
