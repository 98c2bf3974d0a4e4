"""Everything at once, at random, in virtual time: whatever happens, a reply is that of its push, and order is kept."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from random import Random

import pytest
import trio
from trio.testing import MockClock
from trio_websocket import ConnectionClosed

from phxactor.client import Channel, ChannelCrashed, ConnectionLost, ReplyError
from phxactor.socket import Message
from tests.client.network import Network, Peer, call, open_network

TOPICS = 3
PUSHES = 40
DEEDS = [*["reply"] * 12, "refuse", "late", "twice", "never", "drop", "crash", "close"]


class Chaos:
    """A server that drops connections, crashes channels, answers late, twice or not at all; until it is tame."""

    def __init__(self, network: Network, random: Random) -> None:
        self.tame = False
        self._network = network
        self._random = random
        self._sent = 0

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            while True:
                nursery.start_soon(self._play, await self._network.peer())

    async def _play(self, peer: Peer) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._broadcast, peer)
            with suppress(trio.EndOfChannel):
                while True:
                    nursery.start_soon(self._answer, peer, await peer.next())

    async def _broadcast(self, peer: Peer) -> None:
        """Number what is sent, so that it shows in what order it arrives."""
        with suppress(ConnectionClosed):
            while True:
                self._sent += 1
                for number in range(TOPICS):
                    await peer.send(f"room:{number}", "news", self._sent)
                await trio.sleep(0.1)

    async def _answer(self, peer: Peer, message: Message) -> None:
        deed = "reply" if self.tame else self._random.choice(DEEDS)
        with suppress(ConnectionClosed):
            match deed:
                case "reply":
                    await peer.reply(message, message.payload)
                case "refuse":
                    await peer.reply(message, message.payload, status="error")
                case "late":
                    await trio.sleep(self._random.uniform(0, 15))
                    await peer.reply(message, message.payload)
                case "twice":
                    await peer.reply(message, message.payload)
                    await peer.reply(message, "again")
                case "drop":
                    self._network.answers += self._random.choices([OSError(), 503, None], k=3)
                    await peer.hang_up()
                case "close":
                    await peer.websocket.aclose(self._random.choice([1000, 1001, 1012]))
                case "crash":
                    await peer.send(message.topic, "phx_error", {}, join_ref=message.join_ref)


@pytest.mark.parametrize("seed", range(8))
async def test_chaos(autojump_clock: MockClock, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - no secret
    outcomes: Counter[str] = Counter()

    async def push(room: Channel, worker: int) -> None:
        for number in range(PUSHES):
            payload = {"by": worker, "n": number}
            with trio.move_on_after(random.choice([0.01, 1, 100])) as impatience:
                try:
                    answer = await room.push("echo", payload, timeout=20)
                    outcomes["ok" if answer == payload else "wrong"] += 1
                except ReplyError as error:
                    outcomes["ReplyError" if error.payload == payload else "wrong"] += 1
                except (ChannelCrashed, ConnectionLost, TimeoutError) as error:
                    outcomes[type(error).__name__] += 1
            outcomes["cancelled"] += impatience.cancelled_caught

    async def listen(room: Channel) -> None:
        last = 0
        async for message in room:
            if message.event == "news":
                assert isinstance(message.payload, int)
                assert message.payload > last
                last = message.payload
            outcomes[message.event] += 1

    async with open_network() as network, trio.open_nursery() as nursery:
        chaos = Chaos(network, random)
        chaos.tame = True
        nursery.start_soon(chaos.run)
        network.polite = {"phx_leave", "heartbeat"}
        async with call(network) as socket, trio.open_nursery() as users:
            rooms = [await socket.join(f"room:{number}") for number in range(TOPICS)]
            for room in rooms:
                users.start_soon(listen, room)
            chaos.tame = False
            async with trio.open_nursery() as pushers:
                for worker in range(2 * TOPICS):
                    pushers.start_soon(push, rooms[worker % TOPICS], worker)
            chaos.tame = True
            network.answers.clear()
            for room in rooms:
                assert await room.push("echo", "at last", timeout=100) == "at last"
                assert room.statistics().awaited == 0
                await room.leave()
            assert socket.statistics().topics == 0
        nursery.cancel_scope.cancel()
    assert outcomes["ok"] > PUSHES
    assert "wrong" not in outcomes
    assert outcomes["phx_join"] > 0
    assert set(outcomes) >= {"ReplyError", "ChannelCrashed", "ConnectionLost", "cancelled"}
