"""A program to be told to stop while many clients push: it says at last what it has handled of whom.

python tests/endpoint/drained.py
"""

from __future__ import annotations

import logging
from collections import Counter

import orjson
import trio

import phxactor
from phxactor import Channel, DrainOptions, Endpoint, Ok, Socket, WebSocketOptions, channel, mount, on
from phxactor.channels import Payload

LIMIT = 120.0
"""Seconds; a busy machine needs most of a minute to answer all that clients have sent."""
handled: Counter[str] = Counter()


class Room(Channel):
    """Takes a while."""

    @on("push")
    async def pushed(self, payload: Payload) -> Ok[Payload]:
        handled[self.topic] += 1
        await trio.sleep(0.02)
        return Ok(payload)

    @on("busy")
    async def busy(self, payload: Payload) -> None:
        await trio.sleep_forever()


class UserSocket(Socket, log=False):
    """Any room."""

    channels = (channel("room:*", Room),)


endpoint = Endpoint(
    sockets=[mount("/socket", UserSocket, websocket=WebSocketOptions(check_origin=False))],
    drain=DrainOptions(batch_size=100, interval=0.2, limit=LIMIT),
    port=0,
)

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    phxactor.run(endpoint)
    print(orjson.dumps(handled).decode(), flush=True)  # noqa: T201 - for the test
