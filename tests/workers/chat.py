"""A chat that workers serve: each message goes to all members of a room, whichever worker they are on."""

from __future__ import annotations

import os
import signal
import socket

from phxactor import Channel, DrainOptions, Endpoint, Ok, Socket, WebSocketOptions, channel, mount, on
from phxactor.channels import JoinResult, Payload
from phxactor.cluster import LocalNode, this_node
from phxactor.cluster.carriers.workers import Workers


def cut(*_: object) -> None:
    """Break the line to another worker, by SIGUSR1: both find it at its end, and both live."""
    assert Here.node is not None
    workers = Here.node._carriers.by_name["workers"].carrier  # noqa: SLF001 - a fault, not a use
    assert isinstance(workers, Workers)
    line = next(iter(workers.lines.values()))
    with socket.socket(fileno=os.dup(line.fileno)) as sock:
        sock.shutdown(socket.SHUT_RDWR)


class Here:
    """The node of this worker, once somebody has joined."""

    node: LocalNode | None = None


signal.signal(signal.SIGUSR1, cut)


class Room(Channel):
    async def join(self, topic: str, payload: Payload) -> JoinResult:
        Here.node = this_node()
        return Ok({"pid": os.getpid()})

    @on("say")
    async def say(self, payload: Payload) -> None:
        self.broadcast("said", payload)


class UserSocket(Socket, log=False):
    channels = (channel("room:*", Room),)


endpoint = Endpoint(
    sockets=[mount("/socket", UserSocket, websocket=WebSocketOptions(check_origin=False, timeout=300.0))],
    drain=DrainOptions(limit=10.0),
    port=0,
)
