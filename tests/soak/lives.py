"""What clients do from coming to leaving: well behaved, in a hurry, wrong, or gone in the middle of it."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import quote

import attrs
import orjson
import trio

from tests.conformance.client import Client, Closed
from tests.patience import PATIENCE
from tests.soak.server import WINDOW
from tests.transport.frames import TEXT, frame

WORDS: Final = " ".join(f"word{number}" for number in range(3000))


@attrs.define
class Visitor:
    """Who leads one life."""

    port: int
    number: int
    """Which life it is: every third one is compressed."""
    chance: random.Random

    @property
    def compress(self) -> bool:
        """Whether it offers permessage-deflate."""
        return self.number % 3 == 0

    def text(self, most: int = 8000) -> str:
        """Make text of any length up to that, most of it short."""
        start = self.chance.randrange(1000)
        return WORDS[start : start + int(most ** self.chance.random())]

    async def connect(self, path: str = "/socket") -> Client:
        """Open a WebSocket."""
        url = f"ws://127.0.0.1:{self.port}{path}/websocket?vsn=2.0.0&who={self.number}"
        return await Client.open(url, compress=self.compress)

    async def joined(self, topic: str) -> Client:
        """Open a WebSocket, and join."""
        client = await self.connect()
        await ask(client, "1", "1", topic, "phx_join", {"text": self.text()})
        return client

    async def request(self, data: bytes) -> bytes:
        """Send a request over a connection of its own, and return the answer's body."""
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        answer = b""
        try:
            with trio.fail_after(PATIENCE):
                await stream.send_all(data)
                while some := await stream.receive_some():
                    answer += some
        finally:
            await trio.aclose_forcefully(stream)
        return answer.partition(b"\r\n\r\n")[2]

    async def poll(self, method: str, token: str | None = None, message: object = None) -> Any:  # noqa: ANN401
        """Send a long-poll request, and return the answer."""
        query = "" if token is None else f"&token={quote(token)}"
        body = b"" if message is None else orjson.dumps(message)
        head = (
            f"{method} /socket/longpoll?vsn=2.0.0{query} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return orjson.loads(await self.request(head.encode() + body))


async def ask(client: Client, *message: object) -> Any:  # noqa: ANN401
    """Send a message, and wait for its reply; what else comes is dropped."""
    await client.send(message)
    while True:
        event = await client.next()
        if isinstance(event, Closed):
            return event
        if isinstance(event, str) and (got := orjson.loads(event))[1] == message[1] and got[3] == "phx_reply":
            return got


async def polite(visitor: Visitor) -> None:
    """Join some rooms, talk, leave one, and close."""
    async with await visitor.connect() as client:
        for topic in ("room:lobby", "room:slow", f"room:{visitor.number}"):
            await ask(client, topic, topic, topic, "phx_join", {})
        for number in range(5):
            await ask(client, "room:lobby", str(number), "room:lobby", "echo", {"text": visitor.text()})
        await client.send(["room:lobby", "6", "room:lobby", "shout", {"text": visitor.text()}])
        await client.send([f"room:{visitor.number}", "7", f"room:{visitor.number}", "timer", "tick"])
        await ask(client, "room:slow", "8", "room:slow", "phx_leave", {})
        await ask(client, None, "9", "phoenix", "heartbeat", {})
        await client.close()
        await client.until_closed()


async def reset(visitor: Visitor) -> None:
    """Join, ask something, and crash before the answer."""
    client = await visitor.joined("room:lobby")
    await client.send(["1", "2", "room:lobby", "echo", {"text": visitor.text()}])
    await client.abort()


async def end_in_a_fragment(visitor: Visitor) -> None:
    """Leave in the middle of a message, or of a frame."""
    async with await visitor.joined("room:lobby") as client:
        if visitor.number % 2:
            await client.send_bare(frame(TEXT, visitor.text().encode(), fin=False))
        else:
            await client.send_bare(frame(TEXT, b"x" * 9000)[:4000])


async def crash(visitor: Visitor) -> None:
    """Crash a channel, join again, and crash it once more."""
    async with await visitor.joined(f"room:{visitor.number}") as client:
        topic = f"room:{visitor.number}"
        for ref in ("2", "3"):
            await client.send([str(int(ref) - 1), "x", topic, "crash", {"text": visitor.text()}])
            while isinstance(event := await client.next(), str) and orjson.loads(event)[3] != "phx_error":
                pass
            await ask(client, ref, ref, topic, "phx_join", {})
        await client.close()


async def join_again(visitor: Visitor) -> None:
    """Join the same room again and again, without waiting."""
    async with await visitor.connect() as client:
        for ref in ("1", "2", "3"):
            await client.send([ref, ref, "room:slow", "phx_join", {"text": visitor.text()}])
        await ask(client, "4", "4", "room:slow", "phx_join", {})


async def leave_while_joining(visitor: Visitor) -> None:
    """Go before the join has been answered."""
    async with await visitor.connect() as client:
        await client.send(["1", "1", "room:slow", "phx_join", {"text": visitor.text()}])


async def wrong(visitor: Visitor) -> None:
    """Send what no client may, and be closed."""
    async with await visitor.joined("room:lobby") as client:
        await client.send_bare(visitor.chance.choice([b"\xff\xff\xff\xff", frame(TEXT, b"{"), frame(3, b"")]))
        await client.until_closed()


async def raw(visitor: Visitor) -> None:
    """Talk with a socket without channels, and crash it now and then."""
    async with await visitor.connect("/raw") as client:
        for _ in range(3):
            await client.send(visitor.text().encode())
            await client.next()
        if visitor.number % 2:
            await client.send("crash")
            await client.until_closed()


async def half_open(visitor: Visitor) -> None:
    """Leave in the middle of a request."""
    stream = await trio.open_tcp_stream("127.0.0.1", visitor.port)
    await stream.send_all(b"GET /socket/websocket HTTP/1.1\r\nhost: a\r\nupgrade: webso")
    await trio.aclose_forcefully(stream)


async def lost(visitor: Visitor) -> None:
    """Ask for what is not there."""
    await visitor.request(b"GET /nowhere HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")


async def polling(visitor: Visitor) -> None:
    """Join by long polling, talk and leave."""
    token = (await visitor.poll("GET"))["token"]
    await visitor.poll("POST", token, ["1", "1", "room:lobby", "phx_join", {}])
    await visitor.poll("POST", token, ["1", "2", "room:lobby", "echo", {"text": visitor.text()}])
    await visitor.poll("GET", token)
    await visitor.poll("POST", token, ["1", "3", "room:lobby", "shout", {"text": visitor.text()}])
    await visitor.poll("POST", token, ["1", "4", "room:lobby", "phx_leave", {}])
    await visitor.poll("GET", token)


async def polling_crash(visitor: Visitor) -> None:
    """Crash a channel by long polling, and never poll again."""
    token = (await visitor.poll("GET"))["token"]
    await visitor.poll("POST", token, ["1", "1", f"room:{visitor.number}", "phx_join", {}])
    await visitor.poll("POST", token, ["1", "2", f"room:{visitor.number}", "crash", {"text": visitor.text()}])


async def polling_abandoned(visitor: Visitor) -> None:
    """Go while a poll waits."""
    token = (await visitor.poll("GET"))["token"]
    with trio.move_on_after(WINDOW / 2):
        await visitor.poll("GET", token)


LIVES: Final[tuple[Callable[[Visitor], Awaitable[None]], ...]] = (
    polite,
    reset,
    end_in_a_fragment,
    crash,
    join_again,
    leave_while_joining,
    wrong,
    raw,
    half_open,
    lost,
    polling,
    polling_crash,
    polling_abandoned,
)
"""All of them. Their number is none that three divides, so that each is compressed now and then."""


async def listen(client: Client) -> None:
    """Stay, and read all broadcasts of what was joined."""
    async with client:
        while not isinstance(await client.receive(), Closed):
            pass
