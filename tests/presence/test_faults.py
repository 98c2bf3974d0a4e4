"""Callbacks of a program that fail in any way: each is one line in the log, and nobody ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest
import trio

from phxactor import Presence, Tracker, open_runtime
from phxactor.presence import Grouped, events
from phxactor.runtime import Exit


@pytest.fixture
def failures() -> Iterator[list[str]]:
    """Collect the callbacks that have failed."""
    found: list[str] = []

    def note(_: object, fields: Mapping[str, object]) -> None:
        found.append(str(fields["callback"]))

    events.callback_failed.attach(note)
    yield found
    events.callback_failed.detach(note)


class Faulty(Tracker):
    """Each of its callbacks fails in the way that the topic names."""

    async def init(self) -> int:
        await fail(self.way)
        return 0

    async def handle_diff(self, diff: dict[str, Any], state: int) -> int:
        await fail(*diff)
        return state

    async def handle_first(self, topic: str, key: str) -> None:
        await fail(topic)

    async def handle_last(self, topic: str, key: str) -> None:
        await fail(topic)

    way: ClassVar[str] = ""


class FaultyMetas(Presence):
    """The same for a Presence."""

    async def handle_metas(self, topic: str, diff: Grouped, presences: dict[str, Any], state: Any) -> Any:  # noqa: ANN401
        await fail(topic)

    handle_first, handle_last = Faulty.handle_first, Faulty.handle_last


async def fail(way: str) -> None:
    """Fail in a way."""
    if way == "raise":
        raise ZeroDivisionError
    if way == "exit":
        raise Exit("noproc")
    if way == "hang":
        await trio.sleep_forever()
    if way == "group":
        raise BaseExceptionGroup("several", [ZeroDivisionError(), Exit("noproc")])


@pytest.mark.parametrize("way", ["raise", "exit", "hang", "group"])
@pytest.mark.parametrize("presence", [Faulty, FaultyMetas])
async def test_PR29_PR31_PR132_callbacks_that_fail_in_any_way_are_one_line_each_and_nobody_ends(
    autojump_clock: trio.abc.Clock,
    failures: list[str],
    monkeypatch: pytest.MonkeyPatch,
    presence: type[Presence | Tracker],
    way: str,
) -> None:
    monkeypatch.setattr(Faulty, "way", way)
    async with open_runtime() as runtime:
        await presence.start_link()
        await trio.sleep(6)
        processes = set(runtime.processes)
        for _ in range(5):
            presence.track(way, "ann").unwrap()
            presence.untrack(way, "ann")
        presence.track("fine", "bob").unwrap()
        await trio.sleep(120)
        assert set(runtime.processes) == processes
        assert presence.count("fine") == 1
        diff = "handle_diff" if presence is Faulty else "handle_metas"
        wanted = [diff, "handle_first", diff, "handle_last"] * 5
        assert [callback for callback in failures if callback != "init"] == wanted
        assert [callback for callback in failures if callback == "init"] == ["init"] * (presence is Faulty)
