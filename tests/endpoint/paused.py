"""A program that is stopped for a while: clients have 3 seconds, and tell it that they are alive.

    python -m tests.endpoint.paused [certificate]

Its first line of output is the port that it listens on.
"""

from __future__ import annotations

import logging
import ssl
import sys

import trio

from phxactor import Channel, Endpoint, LongPollOptions, RawSocket, Socket, WebSocketOptions, channel, mount
from phxactor.net.events import listening
from phxactor.runtime import run

TIMEOUT = 3.0
"""Seconds that a client may be silent, and a session not be polled."""


class Room(Channel):
    """Does nothing."""


class UserSocket(Socket):
    """Any room."""

    channels = (channel("room:*", Room),)


class Raw(RawSocket):
    """Echoes."""

    async def handle_in(self, data: str | bytes) -> str | bytes:
        return data


def main() -> None:
    """Serve until told to stop."""
    websocket = WebSocketOptions(check_origin=False, timeout=TIMEOUT)
    tls = None
    if len(sys.argv) > 1:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(sys.argv[1])
    endpoint = Endpoint(
        sockets=[
            mount("/s", UserSocket, websocket=websocket, longpoll=LongPollOptions(check_origin=False, window=2.0)),
            mount("/raw", Raw, websocket=websocket),
        ],
        tls=tls,
        port=0,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
    listening.attach(lambda _, fields: print(str(fields["url"]).rpartition(":")[2], flush=True))  # noqa: T201 - for the test

    async def serve() -> None:
        (await endpoint.start_link()).unwrap()
        await trio.sleep_forever()

    run(serve, stuck_after=1.0)  # nor does the watchdog blame anybody


if __name__ == "__main__":
    main()
