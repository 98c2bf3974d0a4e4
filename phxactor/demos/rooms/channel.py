"""The channel of a visitor: it adds to rooms, wherever they are, and ends or drains its own worker."""

from __future__ import annotations

import os
import signal

import attrs
from attrs.validators import in_

from phxactor import Channel, Error, Exit, Ok, call, on
from phxactor.channels import JoinResult, Payload
from phxactor.cluster import NodeDown, NodeUp, monitor_nodes
from phxactor.demos.own_worker import own_number, workers_up
from phxactor.demos.rooms.counter import NAMES, Counted, counters


@attrs.frozen
class Add:
    """The payload of `add`."""

    room: str = attrs.field(validator=in_(NAMES))


class VisitorChannel(Channel):
    """One visitor in the house."""

    async def join(self, topic: str, payload: Payload) -> JoinResult:
        monitor_nodes(gaps=False)
        return Ok({"worker": own_number(), "pid": os.getpid(), "workers": workers_up(), "rooms": NAMES})

    @on("add")
    async def add(self, wanted: Add) -> Ok[Counted] | Error:
        """Add one to a room, and tell all. Whether it counts is unknown if the room's worker is lost meanwhile."""
        try:
            counted: Counted = await call(counters[wanted.room], "add")
        except Exit:
            return Error({"reason": "unknown"})
        self.broadcast("counted", counted)
        return Ok(counted)

    @on("kill")
    async def kill(self, payload: Payload) -> None:
        """End this worker as `kill -9` does: what its rooms have counted is lost."""
        os.kill(os.getpid(), signal.SIGKILL)

    @on("drain")
    async def drain(self, payload: Payload) -> None:
        """Stop this worker in order: its rooms move, with what they have counted; then another one starts."""
        os.kill(os.getpid(), signal.SIGTERM)

    async def handle_info(self, message: object) -> None:
        if isinstance(message, NodeUp | NodeDown):
            self.push("workers", {"workers": workers_up()})
