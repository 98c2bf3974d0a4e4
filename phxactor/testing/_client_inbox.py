"""What has come for a client, in order: what tests look through, and what a failed assertion shows."""

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
"""Seconds after the first thing that came which are worth telling."""


@attrs.define(eq=False)
class Arrival:
    """Something that came."""

    item: Item
    at: float
    """When, by the clock of the test."""
    asserted: bool = False
    """Whether an assertion has taken it: another one needs another of its like."""


@attrs.frozen
class Expected:
    """What an assertion looks for."""

    what: str
    """In words, such as `push 'shout' with {'body': 'hi'} on 'room:1'`."""
    meant: Callable[[Item], bool]
    """Whether an item is of the kind and the name that is looked for."""
    compare: Callable[[Item], Fit | list[str]]
    """Whether such an item is the one, or where it differs."""


class ClientInbox:
    """The list; `describe` shows an item in a line."""

    def __init__(self, describe: Callable[[Item], str]) -> None:
        self.all: list[Arrival] = []
        self._describe = describe
        self._waiting = ParkingLot()
        self._over = False

    def add(self, item: Item) -> None:
        """Take note of something that came."""
        self.all.append(Arrival(item, trio.current_time()))
        self._waiting.unpark_all()

    def end(self) -> None:
        """Take note that nothing more comes: nobody needs to wait."""
        self._over = True
        self._waiting.unpark_all()

    async def take(self, expected: Expected, within: float, explain: Callable[[], list[str]]) -> tuple[Item, Any]:
        """Return the oldest item that fits, and what of it was looked for; each is found once.

        It is waited for until nothing happens any more, and then for `within` seconds of the clock. Raises
        AssertionError; `explain` may know more of why.
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
        """See that nothing that fits has come when nothing happens any more, `within` seconds from now.

        Raises AssertionError.
        """
        __tracebackhide__ = True
        if within > 0:
            await trio.sleep(within)
        await settle()
        found = self._find(expected)
        if found is not None:
            raise AssertionError("\n".join([f"unexpected {expected.what}", *self.story(expected, found[0])]))

    async def new(self, meant: Callable[[Item], bool]) -> list[Item]:
        """Take all that has come and that no assertion has taken, when nothing happens any more."""
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
        """Tell what came instead, in order, and how what comes closest differs; or which of it was not to come."""
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
