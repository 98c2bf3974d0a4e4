"""The servers that the tests shard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from phxactor import From, GenServer, NoReply, Reply, Stop, call, self_pid
from phxactor.runtime import Exit, Reason
from phxactor.sharded import Sharded, Token
from phxactor.testing import Nodes, SimulatedNode

STARTED: list[tuple[str, str]] = []
"""Key and node of each start."""
ENDED: list[tuple[str, object]] = []
"""Key and reason of each end by itself."""


class Room(GenServer):
    """Keeps a list of what was added."""

    async def init(self, key: str, token: Token) -> None:
        self.key = key
        self.token = token
        self.items: list[object] = []
        self.busy = False
        self.waiting: list[From] = []
        STARTED.append((key, str(self_pid().node)))

    async def handle_call(self, request: Any, from_: From) -> Reply | NoReply | Stop | None:  # noqa: ANN401 - any request
        match request:
            case ("add", item):
                self.items.append(item)
                return Reply(len(self.items))
            case "items":
                return Reply([*self.items])
            case "where":
                return Reply(str(self_pid().node))
            case "pid":
                return Reply(self_pid())
            case "token":
                return Reply(self.token)
            case "hold":
                self.waiting.append(from_)
                return NoReply()
            case ("call", other, what):
                return Reply(await self.call(other, what))
            case "crash":
                raise RuntimeError("boom")
            case "stop":
                return Stop()
        return None

    async def handle_cast(self, request: Any) -> None:  # noqa: ANN401 - any request
        match request:
            case ("add", item):
                self.items.append(item)
            case ("busy", flag):
                self.busy = flag
            case "answer":
                for from_ in self.waiting:
                    from_.reply("held")
                self.waiting.clear()

    async def handle_info(self, message: Any) -> None:  # noqa: ANN401 - any message
        self.items.append(message)

    async def terminate(self, reason: object) -> None:
        ENDED.append((self.key, reason))

    def is_busy(self) -> bool:
        return self.busy

    async def hand_over(self) -> list[object]:
        return self.items

    async def take_over(self, state: list[object]) -> None:
        self.items = state + self.items


ROOMS = Sharded("rooms", Room)
KEYS = [f"room:{number}" for number in range(20)]


def rooms() -> list[Sharded]:
    STARTED.clear()
    return [ROOMS]


async def ask(node: SimulatedNode, key: str, request: object, sharded: Sharded = ROOMS) -> Any:  # noqa: ANN401 - an answer
    async def asks() -> object:
        return await call(sharded[key], request)

    return await node.run(asks)


async def owners(node: SimulatedNode, keys: Sequence[str] = KEYS) -> list[str]:
    return [await ask(node, key, "where") for key in keys]


def running(nodes: Nodes, name: str = "rooms") -> dict[str, list[str]]:
    """Return the nodes that run each key."""
    found: dict[str, list[str]] = {}
    for node in nodes:
        if node.runs:
            for pid in node.runtime.processes.values():
                if isinstance(pid.label, str) and pid.initial_call.endswith("Room.init"):
                    found.setdefault(pid.label, []).append(node.name)
    return found


def reason_of(end: Exit) -> Reason:
    assert isinstance(end.reason, tuple)
    return end.reason[0]
