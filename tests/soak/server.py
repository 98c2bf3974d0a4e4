"""The program that clients come to and go from: python -m tests.soak.server. Its first line is its port."""

from __future__ import annotations

import gc
import sys
from typing import Any

import orjson
import trio

import phxactor
from phxactor import (
    Channel,
    Endpoint,
    LongPollOptions,
    Ok,
    RawSocket,
    Request,
    Response,
    Socket,
    WebSocketOptions,
    channel,
    get,
    mount,
    on,
    runtime,
    self_pid,
)
from phxactor.net.events import listening
from phxactor.runtime import _timers

WINDOW = 0.5
"""Seconds that a poll waits; a session that nobody polls ends after one and a half of it."""
WEBSOCKET = WebSocketOptions(check_origin=False, compress=True)
LONGPOLL = LongPollOptions(check_origin=False, window=WINDOW)


class Room(Channel):
    """Answers, broadcasts, crashes, and takes its time."""

    async def join(self, topic: str, payload: Any) -> Ok[Any]:  # noqa: ANN401
        if topic == "room:slow":
            await trio.sleep(0.05)
        self.assign(seen=payload)
        return Ok({"topic": topic})

    @on("echo")
    async def echo(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        return Ok(payload)

    @on("shout")
    async def shout(self, payload: Any) -> None:  # noqa: ANN401
        self.broadcast("shout", payload)

    @on("crash")
    async def crash(self, payload: Any) -> None:  # noqa: ANN401
        raise RuntimeError(payload)

    @on("timer")
    async def timer(self, payload: Any) -> None:  # noqa: ANN401
        phxactor.send_after(self_pid(), payload, 0.01)

    async def handle_info(self, message: Any) -> None:  # noqa: ANN401
        self.push("timer", {"of": message})


class UserSocket(Socket, log=False):
    """Any room."""

    channels = (channel("room:*", Room),)


class Echo(RawSocket):
    """Echoes, and crashes when it is told so."""

    async def handle_in(self, data: str | bytes) -> None:
        if data == "crash":
            raise RuntimeError(data)
        self.push(data)


async def figures(request: Request) -> Response:
    """Tell what there is; with `?sweep`, after a collection of everything."""
    found = runtime.sweep() if "sweep" in request.params else None
    counts = {
        "processes": len(self_pid().runtime.processes),
        "blocks": sys.getallocatedblocks(),
        "frozen": gc.get_freeze_count(),
        "found": found,
    }
    return Response.text(orjson.dumps(counts).decode())


endpoint = Endpoint(
    sockets=[
        mount("/socket", UserSocket, websocket=WEBSOCKET, longpoll=LONGPOLL),
        mount("/raw", Echo, websocket=WEBSOCKET),
    ],
    routes=[get("/figures", figures)],
    port=0,
)


def main() -> None:
    """Serve until told to stop."""
    vars(_timers)["_COMPACT_ABOVE"] = 5  # a hundred timers that have been cancelled would look like a leak
    listening.attach(lambda _, fields: print(str(fields["url"]).rpartition(":")[2], flush=True))  # noqa: T201
    phxactor.run(endpoint)


if __name__ == "__main__":
    main()
