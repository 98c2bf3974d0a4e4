"""The network of simulated nodes: it delays, loses and cuts off what they send, and remembers who watches what.

    node a ── wire a to b: numbers, what is on its way, in order ──▶ inbox of b
           ── lanes: who watches what, known to all ───────────────▶

Between two nodes there are two wires, one in each direction. What a wire brings is in order; what it does not bring
leaves a hole in its numbers. The lanes are as those of a Redis server: known to all nodes at once, a delay after they
were watched. A node that is stopped still gets what fits into its inbox, as a socket's buffer does.

All chances are numbers that `choose` gives: 0 is always what a network without faults does, so that a failure shrinks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Final, final

import attrs
import trio

from phxactor.testing import _network_fate
from phxactor.testing._network_fate import Fate

if TYPE_CHECKING:
    from phxactor.testing._simulated_carrier import Simulated

INBOX: Final = 16 * 1024 * 1024
"""Bytes that may wait for one node, from each other node: beyond that messages are lost."""
_PERCENT: Final = 100
_SLOWER: Final = (1, 10, 100)
"""How many times the delay a message may take."""


@attrs.define(eq=False)
class Counts:
    """What a network has carried."""

    messages: int = 0
    """Messages that were put on a wire, each copy of a broadcast."""
    bytes: int = 0
    """Their bytes, with frames."""
    lost: int = 0
    """Messages that did not arrive."""


@final
class Wire:
    """What is on its way from one node to another."""

    __slots__ = ("due", "holes", "losing", "number", "waiting")

    def __init__(self) -> None:
        self.number = 0
        """The number of the last message that was given to the wire."""
        self.due = 0.0
        """When the last one arrives."""
        self.waiting = 0
        """Bytes that the receiver has not read yet."""
        self.holes = 0
        """How often something was lost that something else came after: so many gaps the receiver must be told."""
        self.losing = False
        """Whether the last message was lost."""


@final
class Network:
    """The wires between all simulated nodes of a test."""

    def __init__(
        self,
        *,
        delay: float = 0.0,
        loss: float = 0.0,
        uneven: bool = False,
        choose: Callable[[int], int] = lambda _: 0,
        tell: Callable[[str], object] = lambda _: None,
        inbox: int = INBOX,
    ) -> None:
        """Start without nodes.

        Args:
            delay: seconds that a message takes.
            loss: the share of messages that are lost, from 0 to 1.
            uneven: whether a message may take up to a hundred times as long; what follows on its wire waits for it.
            choose: returns a number below the one given; 0 is no fault.
            tell: is told of each fault, in words.
            inbox: bytes that may wait for one node from each other node.

        """
        self.delay = delay
        self.loss = loss
        self.uneven = uneven
        self.inbox = inbox
        self.counts = Counts()
        self.tell = tell
        self.tap: Callable[[Simulated, Simulated, bytes, bytes], object] | None = None
        """Called with each frame before its fate is drawn: the carriers, the channel and the frame; for a test that
        counts them, or sends one again."""
        self.kill: Callable[[str], object] = lambda _: None
        """Kills a node by its name, as a schedule has chosen."""
        self._choose = choose
        self.carriers: dict[bytes, Simulated] = {}
        """The carriers of all nodes that are connected, by the id of the node."""
        self._lanes: dict[str, tuple[Simulated, ...]] = {}
        self._wires: dict[tuple[Simulated, Simulated], Wire] = {}
        self._alone: set[Simulated] = set()
        self._cut: set[tuple[str, str]] = set()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._changed = trio.Event()

    # ------------------------------------------------------------------------------------------- faults

    def cut(self, one: str, other: str) -> None:
        """Let two nodes not hear each other, by their names."""
        self._cut |= {(one, other), (other, one)}
        self.tell(f"{one} and {other} cannot hear each other")

    def deafen(self, one: str, to: str) -> None:
        """Let a node not hear another one, which hears it all the same; by their names."""
        self._cut.add((to, one))
        self.tell(f"{one} cannot hear {to}")

    def isolate(self, one: str) -> None:
        """Let a node and all others not hear each other."""
        for other in self.carriers.values():
            if other.node.identity.name != one:
                self.cut(one, other.node.identity.name)

    def mend(self, one: str, other: str) -> None:
        """Let two nodes hear each other again, by their names."""
        self._cut -= {(one, other), (other, one)}
        self.tell(f"{one} and {other} can hear each other")

    def heal(self) -> None:
        """Let all nodes hear one another again."""
        self._cut.clear()
        self.tell("all can hear one another")

    def is_cut(self, one: Simulated, other: Simulated) -> bool:
        """Say whether nothing comes from one carrier to the other."""
        return bool(self._cut) and (one.node.identity.name, other.node.identity.name) in self._cut

    # ------------------------------------------------------------------------------------- for the carriers

    def connect(self, carrier: Simulated) -> None:
        """Take a node in."""
        self.carriers[carrier.node.id] = carrier

    def disconnect(self, carrier: Simulated, *, told: bool) -> None:
        """Let a node go. With `told` the others notice, as by the end of a line; else it is silent from now on."""
        if self.carriers.pop(carrier.node.id, None) is None:
            return
        for pair in [pair for pair in self._wires if carrier in pair]:
            del self._wires[pair]
        self._unwatched(carrier, carrier.node.lanes())
        if told:
            for other in self.others(carrier):
                self._later(self.delay, lambda other=other: other.has_ended(carrier.node.id))  # type: ignore[misc]

    def others(self, carrier: Simulated) -> list[Simulated]:
        """List all carriers but this one."""
        return [one for one in self.carriers.values() if one is not carrier]

    def watching(self, lane: str) -> Iterable[Simulated]:
        """List the carriers that watch a lane."""
        return self._lanes.get(lane, ())

    def watch(self, carrier: Simulated, lanes: Sequence[str]) -> None:
        """Add a carrier to lanes after a delay, and tell it so after another one."""
        self._later(self.delay, lambda: self._watched(carrier, lanes))

    def unwatch(self, carrier: Simulated, lanes: Sequence[str]) -> None:
        """Take a carrier from lanes after a delay."""
        self._later(self.delay, lambda: self._unwatched(carrier, lanes))

    def wire(self, one: Simulated, other: Simulated) -> Wire:
        """Return the wire from one carrier to another."""
        pair = one, other
        wire = self._wires.get(pair)
        if wire is None:
            wire = self._wires[pair] = Wire()
        return wire

    def carry(self, one: Simulated, other: Simulated, wire: Wire, frame: bytes, channel: bytes) -> bool:
        """Bring a frame from one carrier to another. Returns False if it does not fit into the inbox of the other."""
        self.counts.messages += 1
        self.counts.bytes += len(frame)
        if self.tap is not None:
            self.tap(one, other, channel, frame)
        fits = wire.waiting + len(frame) <= self.inbox
        if not fits or self._loses(one, other):
            wire.losing = True
            self.counts.lost += 1
            return fits
        wire.holes += wire.losing
        wire.losing = False
        wire.waiting += len(frame)
        delay = self._takes()
        if delay or wire.due > trio.current_time():
            wire.due = max(wire.due, trio.current_time() + delay)
            self._at(wire.due, lambda: other.arrived(wire, channel, frame))
        else:
            other.arrived(wire, channel, frame)
        return True

    # --------------------------------------------------------------------------------------------- its task

    def close(self) -> None:
        """Forget all nodes, after they have ended."""
        self.carriers.clear()
        self._lanes.clear()
        self._wires.clear()
        self._due.clear()
        self.tap = None

    async def run(self) -> None:
        """Bring what is due: the body of a task beside all nodes."""
        while True:
            self._changed = trio.Event()
            with trio.CancelScope(deadline=self._due[0][0] if self._due else float("inf")):
                await self._changed.wait()
            now = trio.current_time()
            while self._due and self._due[0][0] <= now:
                heappop(self._due)[2]()

    def _later(self, delay: float, function: Callable[[], None]) -> None:
        if delay:
            self._at(trio.current_time() + delay, function)
        else:
            function()

    def _at(self, due: float, function: Callable[[], None]) -> None:
        heappush(self._due, (due, next(self._order), function))
        self._changed.set()

    def _loses(self, one: Simulated, other: Simulated) -> bool:
        if self.is_cut(one, other):
            return True
        fate = _network_fate.fate_of(one.node.identity.name, other.node.identity.name)
        if fate is not Fate.ARRIVES:
            self._fails(fate, one.node.identity.name, other.node.identity.name)
            return True
        if self.loss and self._choose(_PERCENT) >= _PERCENT - round(self.loss * _PERCENT):
            self.tell(f"a message from {one.node.identity.name} to {other.node.identity.name} is lost")
            return True
        return False

    def _fails(self, fate: Fate, one: str, other: str) -> None:
        if fate is Fate.CUT:
            self.cut(one, other)
        elif fate is not Fate.LOST:
            self.kill(one if fate is Fate.SENDER_DIES else other)

    def _takes(self) -> float:
        return self.delay * _SLOWER[self._choose(len(_SLOWER))] if self.uneven else self.delay

    def _watched(self, carrier: Simulated, lanes: Sequence[str]) -> None:
        if carrier.node.id not in self.carriers:
            return
        for lane in lanes:
            known = self._lanes.get(lane, ())
            if carrier not in known:
                self._lanes[lane] = (*known, carrier)
        self._later(self.delay, lambda: carrier.confirmed(lanes))

    def _unwatched(self, carrier: Simulated, lanes: Sequence[str]) -> None:
        for lane in lanes:
            left = tuple(one for one in self._lanes.get(lane, ()) if one is not carrier)
            if left:
                self._lanes[lane] = left
            else:
                self._lanes.pop(lane, None)


Inbox = deque[tuple[Wire, bytes, bytes]]
"""What has come for a node: the wire, the channel and the frame."""
