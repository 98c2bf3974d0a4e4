"""The counter of one room: a server that runs on one worker, and moves with its count."""

from __future__ import annotations

from typing import Final, TypedDict

from phxactor import From, GenServer, Reply
from phxactor.demos.own_worker import own_number
from phxactor.sharded import Sharded, Token

NAMES: Final = (
    "attic",
    "bath",
    "cellar",
    "den",
    "garage",
    "hall",
    "kitchen",
    "library",
    "nursery",
    "pantry",
    "porch",
    "study",
)
"""The rooms: clients choose one of these, so they cannot fill the memory with others."""


class Counted(TypedDict):
    """What an addition answers."""

    room: str
    count: int
    worker: int
    """Where the counter runs."""
    term: list[int]
    """Larger for each later start of this room: the view and the number of the start, of the fencing token."""
    began: int
    """The count with which this start began: what came along, or 0."""


class Counter(GenServer):
    """Counts, and gives its count away when another worker takes over."""

    async def init(self, room: str, token: Token) -> None:
        self.room = room
        self.term = [token.view, token.start]
        self.count = self.began = 0

    async def handle_call(self, request: object, from_: From) -> Reply:
        self.count += 1
        return Reply(Counted(room=self.room, count=self.count, worker=own_number(), term=self.term, began=self.began))

    async def hand_over(self) -> int:
        return self.count

    async def take_over(self, count: int) -> None:
        self.count += count
        self.began += count


counters: Final = Sharded("counters", Counter)
"""One counter for each room, in all workers together."""
