"""A program whose channels crash as often as they are told to, with a log of the kind that its argument says."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

import phxactor
from phxactor import Channel, Endpoint, Ok, Socket, WebSocketOptions, channel, mount, on
from phxactor.runtime import events
from phxactor.telemetry import EVENTS, Event, NonBlockingHandler


class Room(Channel):
    """Crashes and echoes."""

    @on("crash")
    async def crash(self, payload: Any) -> None:  # noqa: ANN401
        raise ValueError("x" * 100)

    @on("echo")
    async def echo(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        return Ok(payload)

    @on("own")
    async def own(self, payload: Any) -> None:  # noqa: ANN401
        for number in range(payload):
            logging.getLogger("own").warning("of the program %d %s", number, "x" * 100)

    @on("tell")
    async def tell(self, payload: Any) -> None:  # noqa: ANN401
        events.timer_failed.emit(exception=RuntimeError("told"))


class UserSocket(Socket):
    """Lets everybody in."""

    channels = (channel("room:*", Room),)


class Sleeping(logging.Handler):
    """Takes long for each line."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def emit(self, record: logging.LogRecord) -> None:
        """Take long."""
        time.sleep(self.seconds)


endpoint = Endpoint(sockets=[mount("/socket", UserSocket, websocket=WebSocketOptions(check_origin=False))])


def say_where(_: Event, fields: Mapping[str, object]) -> None:
    """Say it where it is read."""
    os.write(1, f"listening on {fields['url']}\n".encode())


def main() -> None:
    """Serve."""
    match sys.argv[1]:
        case "stderr":
            logging.basicConfig(level=logging.INFO)
        case "nothing":
            pass  # what is set up: warnings go to stderr by logging's last resort
        case "non-blocking":
            logging.basicConfig(level=logging.INFO, handlers=[NonBlockingHandler(logging.StreamHandler())])
        case "sleeps":
            logging.basicConfig(level=logging.INFO, handlers=[Sleeping(float(sys.argv[2]))])
        case _:
            raise SystemExit(sys.argv)
    EVENTS["phxactor.endpoint.listening"].attach(say_where)
    phxactor.run(endpoint, port=0)
    os.write(1, b"stopped\n")


if __name__ == "__main__":
    main()
