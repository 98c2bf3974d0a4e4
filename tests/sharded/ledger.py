"""What happens in one simulated program, and the server that is sharded in it: it keeps what was added."""

from __future__ import annotations

from typing import Any, Final

import attrs
import trio

from phxactor import From, GenServer, Reply, Shutdown, self_pid
from phxactor.cluster import Node
from phxactor.runtime import Pid
from phxactor.sharded import Token
from phxactor.sharded._regions import found
from phxactor.sharded._view import View

KEYS: Final = [f"key:{number}" for number in range(6)]


@attrs.define
class Ledger:
    """What has happened in one program."""

    started: list[tuple[Pid, str, View | None]] = attrs.field(factory=list)
    """The servers that have started, each with its key and its view."""
    added: dict[str, list[tuple[str, int]]] = attrs.field(factory=lambda: {key: [] for key in KEYS})
    """What was answered."""
    sent: dict[tuple[str, str], list[int]] = attrs.field(factory=dict)
    """What each sender has sent to each key."""
    open_calls: int = 0
    failed: list[str] = attrs.field(factory=list)
    leaving: set[Node] = attrs.field(factory=set)
    """Nodes whose own processes are told to end."""
    ending: set[str] = attrs.field(factory=set)
    """Senders that were still there as their node was told to end."""
    killed: bool = False
    starts_of: int = 0
    """How many servers have started."""
    regions: int = 0
    """How many regions were killed."""
    cut: bool = False
    slowness: float = 0.0
    """Seconds that a server takes to give its state away, or to keep it."""
    is_alone: bool = False
    """Whether a key may run only once at any time, by whatever views: nothing is cut, or the small side stops."""
    tokens: dict[str, Token] = attrs.field(factory=dict)
    """The token of the last start of each key."""
    kept: dict[str, list[tuple[str, int]]] = attrs.field(factory=dict)
    """What servers have kept that ended as nothing came."""

    def running(self, key: str) -> list[tuple[Pid, View | None]]:
        """List the servers of a key that run, each with its view."""
        self.started = [one for one in self.started if one[0].alive]
        return [(pid, view) for pid, its_key, view in self.started if its_key == key]

    def starts(self, pid: Pid, key: str, token: Token, view: View | None) -> None:
        """Check that a server may start."""
        for other, its_view in self.running(key):
            if its_view == view is not None or self.is_alone:
                self.failed.append(f"two of {key} by view {view}: on {other.node} and {pid.node}")
        if self.is_alone and key in self.tokens and not token > self.tokens[key]:
            self.failed.append(f"{key} starts with {token}, after {self.tokens[key]}")
        self.tokens[key] = token
        self.starts_of += 1
        self.started.append((pid, key, view))


class Sum(GenServer):
    """Keeps what was added."""

    ledger: Ledger

    async def init(self, key: str, token: Token) -> None:
        ledger, pid = self.ledger, self_pid()
        self.key = key
        self.items: list[tuple[str, int]] = ledger.kept.pop(key, [])
        self.region = found(pid.runtime, "sums")
        view = self.region.view
        assert view is not None
        if view.number != token.view:  # it has changed since the start
            view = None
        ledger.starts(pid, key, token, view)

    async def handle_call(self, request: Any, from_: From) -> Reply:  # noqa: ANN401 - any request
        if request == "items":
            return Reply([*self.items])
        if self.region.suspended:
            self.ledger.failed.append(f"{self.key} answers on a node that runs no key")
        self.items.append(request)
        return Reply(len(self.items))

    async def handle_cast(self, request: Any) -> None:  # noqa: ANN401 - any request
        self.items.append(request)

    async def hand_over(self) -> list[tuple[str, int]]:
        await trio.sleep(self.ledger.slowness)
        return self.items

    async def take_over(self, state: list[tuple[str, int]]) -> None:
        self.items = [*state, *(item for item in self.items if item not in state)]

    async def terminate(self, reason: object) -> None:
        if reason == Shutdown("idle"):
            await trio.sleep(self.ledger.slowness)
            self.ledger.kept[self.key] = self.items
