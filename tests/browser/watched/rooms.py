"""The processes: rooms, of which number 42 crashes, a kitchen that crashes together, a mill that is busy."""

from __future__ import annotations

from typing import Final

import attrs
import trio

from phxactor import ChildSpec, GenServer, Supervisor, self_pid, send, send_after
from phxactor.otp import Continue, Stop, set_label

SUPERVISORS: Final = 10
"""Supervisors of rooms."""
WAITING: Final = 250
"""Messages that wait for the clerk, which never takes one."""

MALLORY: Final = "<img src=x onerror=alert(1)>"


@attrs.frozen
class Count:
    """Counts who is in a room; `people` should be a number."""

    people: str


class Room(GenServer):
    """A room. That of number 42 is told nonsense every two seconds, and crashes."""

    async def init(self, number: int) -> None:
        set_label(f"room:{number}")
        self.number = number
        self.people = 0
        self.secret = "hunter2"
        if number == 42:
            send_after(self_pid(), Count("many"), 2)

    async def handle_info(self, message: object) -> None:
        if isinstance(message, Count):
            self.people = int(message.people)


class Mill(GenServer):
    """The busiest process: it handles hundreds of messages each second."""

    async def init(self) -> None:
        self.turns = 0
        send_after(self_pid(), "turn", 0.005)

    async def handle_info(self, message: object) -> None:
        self.turns += 1
        send_after(self_pid(), "turn", 0.005)


class Clerk(GenServer):
    """Never gets to its mailbox."""

    async def init(self) -> Continue:
        for number in range(WAITING):
            send(self_pid(), {"letter": number})
        return Continue("sleep")

    async def handle_continue(self, continuation: object) -> None:
        await trio.sleep_forever()


class Cook(GenServer):
    """One of the kitchen. The one at the oven burns something every three seconds, and all of them start again."""

    async def init(self, place: str) -> None:
        set_label(place)
        if place == "oven":
            (await Apprentice.start_link()).unwrap()
            send_after(self_pid(), "burnt", 3)

    async def handle_info(self, message: object) -> None:
        raise RuntimeError("the bread is burnt")


class Mallory(GenServer):
    """Has a label that would be markup, if it were not text."""

    async def init(self) -> None:
        set_label(MALLORY)


class Bell(GenServer):
    """Has rung, and is down: its supervisor starts it again only after a failure."""

    async def init(self) -> Continue:
        return Continue("ring")

    async def handle_continue(self, continuation: object) -> Stop:
        return Stop("normal")


class Apprentice(GenServer):
    """Linked to the cook at the oven: it falls with that one."""

    async def init(self) -> None:
        set_label("apprentice")


def supervisor(name: str, children: list[ChildSpec], **options: object) -> ChildSpec:
    return ChildSpec(
        id=name,
        start=(Supervisor.start_link, (children,), {"max_restarts": 1000, "max_seconds": 60, "name": name, **options}),
        type="supervisor",
    )


def rooms(count: int) -> ChildSpec:
    halls = [
        supervisor(f"Hall {hall}", [room(number) for number in range(hall, count, SUPERVISORS)])
        for hall in range(SUPERVISORS)
    ]
    return supervisor("Halls", halls)


def room(number: int) -> ChildSpec:
    return ChildSpec(id=f"room {number}", start=(Room.start_link, (number,), {}))


def kitchen() -> ChildSpec:
    places = ("cellar", "oven", "counter")
    cooks = [ChildSpec(id=place, start=(Cook.start_link, (place,), {})) for place in places]
    return supervisor("Kitchen", cooks, strategy="rest_for_one", max_restarts=30)
