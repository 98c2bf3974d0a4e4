"""Bugs of channels: what clients, channels and a crash do at the same time."""

from __future__ import annotations

from typing import Any

from trio.lowlevel import checkpoint

from phxactor import Channel, Error, Ok, Socket, channel, on
from phxactor.otp import GenServer, Reply, call
from phxactor.runtime import From, Reason
from phxactor.testing import connect
from phxactor.testing.explore import Faults
from tests.testing.planted.bug import Bug, steps


class Doorman(GenServer):
    """Counts who is in a room; the room counts its end itself."""

    async def init(self) -> None:
        self.inside = 0

    async def handle_call(self, request: object, from_: From) -> Reply:
        if isinstance(request, int):
            self.inside += request
        return Reply(self.inside)


class Counted(Channel):
    """Asks the doorman, and lets one in; between the question and the answer another one may come."""

    async def join(self, topic: str, payload: Any) -> Ok[Any] | Error:  # noqa: ANN401
        if await call("doorman", "how many?") >= 1:
            return Error({"reason": "full"})
        await checkpoint()
        return Ok({"inside": await call("doorman", 1)})

    async def terminate(self, reason: Reason) -> None:
        await call("doorman", -1)

    @on("inside")
    async def inside(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        return Ok({"inside": await call("doorman", "how many?")})


class CountedSocket(Socket):
    """Lets everybody in."""

    channels = (channel("counted:*", Counted),)


async def two_in_a_room_for_one() -> None:
    (await Doorman.start_link(name="doorman")).unwrap()
    clients = [await connect(CountedSocket), await connect(CountedSocket)]
    clients[0].begin_join("counted:a")
    await steps(12)
    clients[1].begin_join("counted:b")
    await steps(40)
    assert await call("doorman", "how many?") <= 1


async def a_place_that_is_never_given_back() -> None:
    """A channel that is killed does not come to its `terminate`."""
    (await Doorman.start_link(name="doorman")).unwrap()
    room = await (await connect(CountedSocket)).join("counted:a")
    room.leave()
    await steps(30)
    assert await call("doorman", "how many?") == 0


class Named(Channel):
    """Has a name of its own as long as it lives, and gives it back in a step of its own."""

    async def join(self, topic: str, payload: Any) -> Ok[Any] | Error:  # noqa: ANN401
        if topic in _taken:
            return Error({"reason": "taken"})
        _taken.add(topic)
        return Ok({})

    async def terminate(self, reason: Reason) -> None:
        await checkpoint()
        _taken.discard(self.topic)


_taken: set[str] = set()


class NamedSocket(Socket):
    """Lets everybody in."""

    channels = (channel("named:*", Named),)


async def a_join_crosses_a_leave() -> None:
    """Another client takes the place of one that has left, which has not given it back yet."""
    _taken.clear()
    first, second = await connect(NamedSocket), await connect(NamedSocket)
    room = await first.join("named:a")
    room.leave()
    await steps(12)
    await second.join("named:a")


class Announcing(Channel):
    """Tells those who are there of those who come."""

    async def join(self, topic: str, payload: Any) -> Ok[Any]:  # noqa: ANN401
        _here.append(payload["name"])
        await checkpoint()
        return Ok({"here": list(_here)})

    @on("here")
    async def here(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        return Ok({"here": list(_here)})


_here: list[str] = []


class AnnouncingSocket(Socket):
    """Lets everybody in."""

    channels = (channel("here:*", Announcing),)


async def each_is_the_only_one() -> None:
    """Takes what its own join has answered for what is so when the answer comes."""
    _here.clear()
    clients = [await connect(AnnouncingSocket), await connect(AnnouncingSocket)]
    rooms = []
    for number, client in enumerate(clients):
        rooms.append(client.begin_join("here:a", {"name": str(number)}))
        await steps(14)
    joined = await rooms[0].assert_joined(within=30)
    assert joined["here"] == ["0"]


BUGS = [
    Bug(two_in_a_room_for_one),
    Bug(a_join_crosses_a_leave),
    Bug(each_is_the_only_one),
    Bug(a_place_that_is_never_given_back, Faults(kills=1, who=lambda pid: pid.label == "counted:a")),
]
