"""The messages that a client has received, in order. Assertions search them, and failed assertions show them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import attrs
import trio
from trio.lowlevel import ParkingLot

from phxactor.socket import Broadcast, Message, Reply
from phxactor.testing._patterns import Fit
from phxactor.testing._settle import settle

Item: TypeAlias = Message | Reply | Broadcast

INDENT: Final = " " * 6
NOTABLE: Final = 0.001
"""Seconds after the first message from which the delay is shown."""


@attrs.define(eq=False)
class Arrival:
    """A received message."""

    item: Item
    at: float
    """The time of arrival, in seconds of the test's clock."""
    asserted: bool = False
    """Whether an assertion has matched it. Each message matches one assertion only."""


@attrs.frozen
class Expected:
    """What an assertion looks for."""

    what: str
    """The description for error texts, such as `push 'shout' with {'body': 'hi'} on 'room:1'`."""
    meant: Callable[[Item], bool]
    """Returns whether an item has the expected kind, topic and name."""
    compare: Callable[[Item], Fit | list[str]]
    """Returns a Fit if such an item has the expected content, else the differences, one line each."""


class ClientInbox:
    """The list of received messages; `describe` returns an item as one line."""

    def __init__(self, describe: Callable[[Item], str]) -> None:
        self.all: list[Arrival] = []
        self._describe = describe
        self._waiting = ParkingLot()
        self._over = False

    def add(self, item: Item) -> None:
        """Add a received message."""
        self.all.append(Arrival(item, trio.current_time()))
        self._waiting.unpark_all()

    def end(self) -> None:
        """Stop all waiting: no more messages will come."""
        self._over = True
        self._waiting.unpark_all()

    async def take(self, expected: Expected, within: float, explain: Callable[[], list[str]]) -> tuple[Item, Any]:
        """Return the oldest item that fits, and its payload; each item is returned once.

        It waits until nothing more happens (`settle`), then up to `within` seconds of the test's clock. Raises
        AssertionError if no item fits; `explain` returns further lines for the error text.
        """
        __tracebackhide__ = True
        found = self._find(expected)
        if found is None:
            await settle()
            found = self._find(expected)
        if found is None and within > 0:
            with trio.move_on_after(within):
                while found is None and not self._over:
                    await self._waiting.park()
                    found = self._find(expected)
        if found is None and within > 0:
            await settle()
            found = self._find(expected)
        if found is None:
            waited = f" within {within:g} s" if within > 0 else ""
            story = [f"no {expected.what} came{waited}", *self.story(expected), *explain()]
            raise AssertionError("\n".join(story))
        arrival, value = found
        arrival.asserted = True
        return arrival.item, value

    async def refute(self, expected: Expected, within: float) -> None:
        """Wait `within` seconds, then until nothing more happens. Raise AssertionError if a fitting item has come."""
        __tracebackhide__ = True
        if within > 0:
            await trio.sleep(within)
        await settle()
        found = self._find(expected)
        if found is not None:
            raise AssertionError("\n".join([f"unexpected {expected.what}", *self.story(expected, found[0])]))

    async def new(self, meant: Callable[[Item], bool]) -> list[Item]:
        """Wait until nothing more happens; mark as asserted and return all `meant` items that no assertion matched."""
        await settle()
        arrivals = [arrival for arrival in self.all if not arrival.asserted and meant(arrival.item)]
        for arrival in arrivals:
            arrival.asserted = True
        return [arrival.item for arrival in arrivals]

    def _find(self, expected: Expected) -> tuple[Arrival, object] | None:
        for arrival in self.all:
            if not arrival.asserted and expected.meant(arrival.item):
                compared = expected.compare(arrival.item)
                if isinstance(compared, Fit):
                    return arrival, compared.value
        return None

    def story(self, expected: Expected | None = None, found: Arrival | None = None) -> list[str]:
        """Return the received items as lines, with their differences from `expected`, or with a mark at `found`."""
        lines = ["what came, in order:" if self.all else "nothing came"]
        start = self.all[0].at if self.all else 0.0
        for number, arrival in enumerate(self.all, 1):
            notes = ["asserted"] if arrival.asserted else []
            if arrival.at - start >= NOTABLE:
                notes.append(f"{arrival.at - start:.3g} s later")
            note = f"    ({', '.join(notes)})" if notes else ""
            mark = ">" if arrival is found else " "
            lines.append(f"{mark}{number:3}. {self._describe(arrival.item)}{note}")
            if expected and found is None and not arrival.asserted and expected.meant(arrival.item):
                compared = expected.compare(arrival.item)
                lines += [f"{INDENT}{line}" for line in compared] if isinstance(compared, list) else []
        return lines
