"""The part of the conformance app whose channels call sharded servers: one tally for each topic, in all nodes."""

from __future__ import annotations

import os
from typing import Any, Final

from phxactor import Channel, Error, Exit, From, GenServer, NoReply, Ok, Reply, call, on
from phxactor.channels import Payload
from phxactor.runtime import Crash
from phxactor.sharded import Sharded, Token

CALL_TIMEOUT: Final = 30.0
"""Seconds that a channel waits for a tally."""
SHORT: Final = 0.1
"""Seconds that it waits for one that does not answer."""


class Tally(GenServer):
    """Adds; and does what goes wrong with servers."""

    async def init(self, topic: str, token: Token) -> None:
        self.total = 0

    async def handle_call(self, request: Any, from_: From) -> Reply | NoReply:  # noqa: ANN401 - any request
        match request:
            case ("add", int(count)):
                self.total += count
                return Reply({"total": self.total, "os_pid": os.getpid()})
            case "stay_silent":
                return NoReply()
        raise RuntimeError("crashed on demand")

    async def hand_over(self) -> int:
        return self.total

    async def take_over(self, total: int) -> None:
        self.total += total


TALLIES: Final = Sharded("tallies", Tally)


async def ask(topic: str, request: object, timeout: float = CALL_TIMEOUT) -> Ok[Payload] | Error:
    """Ask the tally of a topic; what goes wrong with it is an error reply."""
    try:
        return Ok(await call(TALLIES[topic], request, timeout))
    except Exit as end:
        why = end.reason[0] if isinstance(end.reason, tuple) else end.reason
        return Error({"reason": "crashed" if isinstance(why, Crash) else str(why)})


class TallyChannel(Channel):
    """Asks the tally of its topic, wherever that runs."""

    @on("add")
    async def add(self, payload: Payload) -> Ok[Payload] | Error:
        return await ask(self.topic, ("add", payload["count"]))

    @on("crash")
    async def crash(self, payload: Payload) -> Ok[Payload] | Error:
        return await ask(self.topic, "crash")

    @on("stay_silent")
    async def stay_silent(self, payload: Payload) -> Ok[Payload] | Error:
        return await ask(self.topic, "stay_silent", SHORT)

    @on("where")
    async def where(self, payload: Payload) -> Ok[Payload]:
        return Ok({"os_pid": os.getpid()})
