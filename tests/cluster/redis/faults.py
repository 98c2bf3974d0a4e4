"""Faults of a real Redis under nodes that talk all the time, and what must hold after each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias

import attrs
import trio

from tests.cluster.redis.nodes import Member, all_see_all, until
from tests.cluster.redis.server import RedisServer

EVERY: Final = 0.02
"""Seconds between two messages of a node."""
TOPIC: Final = "talk"

Fault: TypeAlias = Callable[[RedisServer], Awaitable[None]]
"""Does something to Redis, and returns when Redis is well again."""
_in_thread = trio.to_thread.run_sync


async def killed(redis: RedisServer, seconds: float = 1.0) -> None:
    """Kill -9, and start it again later."""
    await _in_thread(redis.kill)
    await trio.sleep(seconds)
    await _in_thread(redis.start)


async def clients_killed_twice(redis: RedisServer) -> None:
    """CLIENT KILL for every node, twice in a row."""
    await _in_thread(redis.kill_clients)
    await trio.sleep(0.5)
    await _in_thread(redis.kill_clients)


async def stopped(redis: RedisServer, seconds: float) -> None:
    """SIGSTOP, and SIGCONT later."""
    redis.stand_still()
    await trio.sleep(seconds)
    redis.go_on()


async def too_large(redis: RedisServer) -> None:
    """A message of 4 MB, which is over Redis's limit for what may wait for a subscriber."""

    def publish() -> None:
        with redis.client() as client:
            client.config_set("client-output-buffer-limit", "pubsub 1mb 1mb 1")
            client.publish("phxactor:all", bytes(4 * 1024 * 1024))

    await _in_thread(publish)


async def password(redis: RedisServer, seconds: float = 1.0) -> None:
    """A password appears, all clients are thrown out, and the password goes again."""

    def appears() -> None:
        with redis.client() as client:
            client.config_set("requirepass", "hunter2")
        with redis.client(password="hunter2") as client:
            client.client_kill_filter(_type="pubsub", skipme=True)

    def goes() -> None:
        with redis.client(password="hunter2") as client:
            client.config_set("requirepass", "")

    await _in_thread(appears)
    await trio.sleep(seconds)
    await _in_thread(goes)


FAULTS: Final[dict[str, Fault]] = {
    "killed and started again": killed,
    "CLIENT KILL twice": clients_killed_twice,
    "SIGSTOP for 3 s": partial(stopped, seconds=3.0),
    "SIGSTOP for 12 s": partial(stopped, seconds=12.0),
    "a message of 4 MB": too_large,
    "a password appears": password,
}


@attrs.frozen
class Result:
    """What a fault did."""

    back: float
    """Seconds from Redis to messages of each node at each other."""
    missed: int
    """Messages that did not arrive, over all pairs of nodes."""
    gaps: int
    """Gaps that were told, over all pairs."""


class Talk:
    """Nodes that say a number all the time, and hear those of the others."""

    def __init__(self, members: list[Member]) -> None:
        self.members = members
        self._said: Counter[str] = Counter()

    async def run(self) -> None:
        """Talk."""
        while True:
            for one in self.members:
                name = one.node.identity.name
                one.say(TOPIC, f"{name} {self._said[name]}".encode())
                self._said[name] += 1
            await trio.sleep(EVERY)

    def heard(self, member: Member) -> dict[str, list[int]]:
        """Return the numbers that a node has heard, by sender."""
        by_name: dict[str, list[int]] = defaultdict(list)
        for one in member.came:
            name, number = one.decode().split()
            by_name[name].append(int(number))
        return by_name

    async def all_hear_all(self) -> None:
        """Wait until each node hears each other."""
        await all_see_all(self.members)
        start = [len(one.came) for one in self.members]

        def hear() -> bool:
            return all(
                len({message.split()[0] for message in one.came[before:]}) == len(self.members) - 1
                for one, before in zip(self.members, start, strict=True)
            )

        await until(hear)

    async def survive(self, fault: Fault, redis: RedisServer) -> Result:
        """Talk through a fault, and check that every loss was told, once, and that nothing came twice."""
        for one in self.members:
            one.told.clear()
            one.came.clear()
        await self.all_hear_all()
        await fault(redis)
        well = trio.current_time()
        await self.all_hear_all()
        back = trio.current_time() - well
        await trio.sleep(2.5)  # beats, which tell what their senders have lost
        await self.all_hear_all()
        missed = gaps = 0
        for one in self.members:
            told = Counter(gap.removeprefix("gap ") for gap in one.gaps())
            for name, numbers in self.heard(one).items():
                assert numbers == sorted(set(numbers)), "doubled, or out of order"
                holes = numbers[-1] - numbers[0] + 1 - len(numbers)
                assert told[name] <= 2, f"{told[name]} gaps of one node for one fault: {one.told}"
                assert told[name] >= (holes > 0), f"{holes} messages lost and no gap told: {one.told}"
                missed += holes
                gaps += told[name]
        return Result(back, missed, gaps)
