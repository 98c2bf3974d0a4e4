"""A program that is told to stop while many clients push: what it has received is answered, and they see 1012."""

from __future__ import annotations

import signal
from collections import Counter
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import orjson
import pytest
import trio

from tests.conformance.client import Client, Closed
from tests.demos.program import serving
from tests.endpoint import drained
from tests.sockets.serving import eventually

pytestmark = [pytest.mark.socket, pytest.mark.slow]

CLIENTS = 500
AT_ONCE = 3
"""Pushes of one client that wait for an answer, at least until the server stops reading."""
WAITS = (
    f"INFO draining; connections with busy channels: 1; waiting at most {drained.LIMIT:g} s; "
    "a second Ctrl-C kills them\n"
)
AFTER = 2 * CLIENTS
"""Answers after which the program is told to stop."""


class Crowd:
    """Clients that push for as long as they can."""

    def __init__(self) -> None:
        self.answered: Counter[str] = Counter()
        self.ends: Counter[Closed] = Counter()
        self.warm = trio.Event()

    async def push_to_the_end(self, client: Client, topic: str) -> None:
        """Push, and push again after each answer, until the server closes."""
        pushed = 0
        while True:
            with suppress(trio.BrokenResourceError):  # it has closed, or will: what it has sent is still to be read
                while pushed < self.answered[topic] + AT_ONCE:
                    pushed += 1
                    await client.send(["1", str(pushed), topic, "push", pushed])
            event = await client.next()
            if isinstance(event, Closed):
                self.ends[event] += 1
                return
            assert isinstance(event, str)
            self.answered[topic] += 1
            number = self.answered[topic]
            payload = {"status": "ok", "response": number}
            assert orjson.loads(event) == ["1", str(number), topic, "phx_reply", payload]
            if self.answered.total() >= AFTER:
                self.warm.set()


async def test_five_hundred_clients_that_push_while_the_program_stops() -> None:
    crowd = Crowd()
    with serving(python=str(Path(drained.__file__))) as program:
        url = program.url.replace("http", "ws") + "/socket/websocket?vsn=2.0.0"
        async with AsyncExitStack() as open_clients, trio.open_nursery() as nursery:
            clients = {f"room:{number}": await Client.open(url) for number in range(CLIENTS)}
            for topic, client in clients.items():
                await open_clients.enter_async_context(client)
                await client.ask(["1", "0", topic, "phx_join", {}])
            for topic, client in clients.items():
                nursery.start_soon(crowd.push_to_the_end, client, topic)
            await crowd.warm.wait()
            code, printed = await trio.to_thread.run_sync(program.stop, signal.SIGTERM)
    assert code == 0, printed
    assert crowd.ends == {Closed(1012): CLIENTS}
    assert crowd.answered == orjson.loads(printed.splitlines()[-1])
    assert "ERROR" not in printed
    assert "still busy" not in printed
    assert f"INFO stopping; connections to drain: {CLIENTS}" in printed


async def test_a_busy_channel_is_waited_for_until_a_second_ctrl_c() -> None:
    with serving(python=str(Path(drained.__file__))) as program:
        url = program.url.replace("http", "ws") + "/socket/websocket?vsn=2.0.0"
        async with await Client.open(url) as client:
            await client.ask(["1", "0", "room:1", "phx_join", {}])
            await client.send(["1", "1", "room:1", "busy", {}])
            assert await client.ask([None, "2", "phoenix", "heartbeat", {}]) is not None  # it has been read
            program.process.send_signal(signal.SIGINT)
            await eventually(lambda: WAITS in program.lines)
            assert program.process.poll() is None
            code, printed = await trio.to_thread.run_sync(program.stop)
            assert (await client.until_closed())[1] in (Closed(1006), Closed(1011), Closed(1012))
    assert code == 1
    assert "Exit" in printed.splitlines()[-1]
