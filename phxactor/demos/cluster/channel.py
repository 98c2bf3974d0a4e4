"""The channel of a visitor: it says which worker it is in, passes on what is said, and kills its worker."""

from __future__ import annotations

import os
import signal
from typing import Final

import attrs
from attrs.validators import max_len, min_len

from phxactor import Channel, Ok, on
from phxactor.channels import JoinResult, Payload
from phxactor.cluster import NodeDown, NodeUp, monitor_nodes
from phxactor.demos.own_worker import own_number, workers_up

MAX_NAME: Final = 24
MAX_BODY: Final = 200


def text(limit: int) -> str:
    """Declare a field for a text of 1 to `limit` characters."""
    field: str = attrs.field(validator=[min_len(1), max_len(limit)])
    return field


@attrs.frozen
class Say:
    """The payload of `say`; `number` counts what a visitor says, so that the others notice what they have missed."""

    number: int
    name: str = text(MAX_NAME)
    body: str = text(MAX_BODY)


class VisitorChannel(Channel):
    """One visitor in the lobby."""

    async def join(self, topic: str, payload: Payload) -> JoinResult:
        monitor_nodes(gaps=False)
        return Ok({"worker": own_number(), "pid": os.getpid(), "workers": workers_up()})

    @on("say")
    async def say(self, wanted: Say) -> Ok[None]:
        self.broadcast("said", {**attrs.asdict(wanted), "worker": own_number()})
        return Ok()

    @on("kill")
    async def kill(self, payload: Payload) -> None:
        """End this worker as `kill -9` does: it cannot say goodbye."""
        os.kill(os.getpid(), signal.SIGKILL)

    async def handle_info(self, message: object) -> None:
        if isinstance(message, NodeUp | NodeDown):
            self.push("workers", {"workers": workers_up()})
