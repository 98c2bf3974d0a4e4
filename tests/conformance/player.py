"""Plays scenarios against a server that serves the zoo, and compares what it answers with what was recorded.

    python -m tests.conformance.player http://127.0.0.1:4100 [-f FILE] [-k TEXT]

A scenario names its clients and lists steps; its record of a step holds what each client got because of it. A step is
over when all that was recorded has come, and nothing more comes for a while. Scenarios that share a topic are played
one after the other, all others at once. How a step is written: see `Scenario`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, Self

import attrs
import orjson
import trio

from tests.conformance.actors import Actor, LongPollActor, Record, Step, WebSocketActor, request
from tests.patience import PATIENCE

TRANSCRIPTS: Final = Path(__file__).with_name("transcripts.json")
"""Recorded from Phoenix 1.8.12."""
PRESENCE: Final = Path(__file__).with_name("presence.json")
"""The same, of presence."""
SETTLE: Final = 0.1
"""Seconds to wait at the end for what should not come."""
BRIEF: Final = 0.01
"""The same within a scenario, where what comes too late shows at the next step."""
AT_ONCE: Final = 40
"""Groups of scenarios that are played at the same time: more would only make the machine late."""


@attrs.frozen
class Scenario:
    """What is played, and what was recorded.

    A client is `{path, params, vsn, headers, origin, subprotocols, user_agent, compress}`, all of them optional, or one
    with `"transport": "longpoll"`. A step names its client with `on` (`a` unless given), who connects with its first
    step, and does one of: `send` JSON, send `text`, send `binary` (base64) or `fragments`, `ping`, `close` with a code,
    `abort`; by long polling: `poll`, `publish` JSON or text (with a `content_type`), ask by another `method` (with
    headers, `with`), `set_token`; `wait` for seconds; or, without a client, it is an `http` request (method and path,
    with a `body`) or `raw_http`. `show` names headers of an answer. `reopen` connects anew. A step with `quiet` 0 is
    not waited for: what comes of it counts for the next step.
    """

    name: str
    about: str
    steps: Sequence[Step]
    records: Sequence[Record]
    clients: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    unordered: bool = False
    """Whether the events of a step may come in any order."""
    quiet: float | None = None

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Self:
        """Make one of JSON."""
        return cls(**fields)

    @property
    def hurries(self) -> bool:
        """Whether what comes depends on how soon one step follows another."""
        return self.quiet is not None or any({"quiet", "wait", "publish"} & set(step) for step in self.steps)

    @property
    def connects_often(self) -> bool:
        """Whether it opens several connections, which may come to several processes that serve."""
        return len(self.clients) > 1 or any({"publish", "poll", "http", "reopen"} & set(step) for step in self.steps)

    def topics(self) -> set[str]:
        """Name what it shares with other scenarios."""
        found = set()
        for step in self.steps:
            match step.get("send", step.get("publish")):
                case [_, _, str(topic), *_] | {"topic": str(topic)}:
                    found.add(topic)
        if any("room:terminate:" in topic for topic in found):
            found.add("audit:log")
        return found - {"phoenix"}

    def wanted(self) -> Iterator[tuple[Sequence[Step], Record]]:
        """Gather the steps that are not waited for with the one that is, and say what comes of them together."""
        steps: list[Step] = []
        record: Record = {}
        for step, more in zip(self.steps, self.records, strict=True):
            steps.append(step)
            for name, events in more.items():
                record[name] = [*record.get(name, ()), *events] if isinstance(events, list) else events
            if step.get("quiet", self.quiet) != 0:
                yield steps, record
                steps, record = [], {}

    def differences(self, played: Sequence[Record]) -> list[str]:
        """Compare; a line for what was wanted and for what came, of each step that differs."""
        lines = []
        for (steps, want), got in zip(self.wanted(), played, strict=True):
            if _comparable(want, unordered=self.unordered) != _comparable(got, unordered=self.unordered):
                lines += [*map(str, steps), f"  want {want}", f"  got  {got}"]
        return lines


def load(path: Path = TRANSCRIPTS) -> list[Scenario]:
    """Read scenarios from a file."""
    return [Scenario.read(fields) for fields in orjson.loads(path.read_bytes())]


def _comparable(record: Record, *, unordered: bool) -> object:
    if not unordered:
        return record
    return {
        name: sorted(map(_sortable, events)) if isinstance(events, list) else events for name, events in record.items()
    }


def _sortable(event: object) -> bytes:
    """Write an event so that the order of an object's keys does not matter."""
    return orjson.dumps(event, option=orjson.OPT_SORT_KEYS)


# ---------------------------------------------------------------------------------------------------- playing


async def play(url: str, scenario: Scenario) -> list[Record]:
    """Play a scenario; return what came at each step that is waited for."""
    played: list[Record] = []
    async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
        specs = scenario.clients or {"a": {}}
        actors = {name: _actor(url, spec, nursery, stack) for name, spec in specs.items()}
        moments = list(scenario.wanted())
        for number, (steps, want) in enumerate(moments, 1):
            record: Record = {}
            for step in steps:
                if "http" in step or "raw_http" in step:
                    record["http"] = await request(url, step)
                elif "wait" not in step:
                    actor = actors[step.get("on", "a")]
                    if not actor.opened or step.get("reopen"):
                        await actor.open()
                    await actor.act(step)
                elif not want:
                    await trio.sleep(step["wait"])
            hidden = any("publish" in step for step in steps)  # what comes of it, only the next poll shows
            await _settle(actors, want, SETTLE if hidden or number == len(moments) else BRIEF)
            for name, actor in actors.items():
                if actor.events:
                    record[name], actor.events = actor.events, []
            played.append(record)
        nursery.cancel_scope.cancel()
    return played


def _actor(url: str, spec: Mapping[str, Any], nursery: trio.Nursery, stack: AsyncExitStack) -> Actor:
    if spec.get("transport") == "longpoll":
        return LongPollActor(url, spec, nursery)
    return WebSocketActor(url, spec, nursery, stack)


async def _settle(actors: Mapping[str, Actor], want: Record, seconds: float) -> None:
    """Wait until what is wanted has come, and nothing else does."""
    with trio.move_on_after(PATIENCE):
        for name, actor in actors.items():
            while len(actor.events) < len(want.get(name, ())):
                await actor.stirred.wait()
    deadline = trio.current_time() + PATIENCE
    while trio.current_time() < deadline:
        stirred = [actor.stirred for actor in actors.values()]
        with trio.move_on_after(seconds) as still:
            async with trio.open_nursery() as nursery:
                for event in stirred:
                    nursery.start_soon(_end_with, event, nursery)
        if still.cancelled_caught or not actors:
            return


async def _end_with(event: trio.Event, nursery: trio.Nursery) -> None:
    await event.wait()
    nursery.cancel_scope.cancel()


def groups(scenarios: Iterable[Scenario]) -> list[list[Scenario]]:
    """Gather scenarios that share topics."""
    gathered: list[tuple[set[str], list[Scenario]]] = []
    for scenario in scenarios:
        topics, members = scenario.topics(), [scenario]
        for group in [group for group in gathered if group[0] & topics]:
            gathered.remove(group)
            topics |= group[0]
            members = group[1] + members
        gathered.append((topics, members))
    return [members for _, members in gathered]


async def play_all(
    url: str, scenarios: Iterable[Scenario], report: Callable[[Scenario, list[str]], None]
) -> dict[str, list[str]]:
    """Play all; return the differences of each, and report them as they come.

    One that differs and hurries is played once more, alone: with all the others, a busy machine may be too late for it.
    """
    results: dict[str, list[str]] = {}
    late: list[Scenario] = []
    limit = trio.CapacityLimiter(AT_ONCE)

    async def play_one(scenario: Scenario, *, again: bool = False) -> None:
        try:
            with trio.fail_after(6 * PATIENCE):
                differences = scenario.differences(await play(url, scenario))
        except Exception as error:  # noqa: BLE001 - one that cannot be played must not hide the others
            differences = [f"could not be played: {error!r}"]
        if differences and scenario.hurries and not again:
            late.append(scenario)
            return
        results[scenario.name] = differences
        report(scenario, differences)

    async def play_group(members: list[Scenario]) -> None:
        for scenario in members:
            async with limit:
                await play_one(scenario)

    async with trio.open_nursery() as nursery:
        # The longest first: the end waits for it.
        for group in sorted(groups(scenarios), key=len, reverse=True):
            nursery.start_soon(play_group, group)
    for scenario in late:
        await play_one(scenario, again=True)
    return results


def main() -> int:
    """Play a file against a server, and tell."""
    parser = argparse.ArgumentParser(description="play recorded scenarios against a server of the zoo")
    parser.add_argument("url", help="such as http://127.0.0.1:4100")
    parser.add_argument("-f", "--file", type=Path, default=TRANSCRIPTS, help="by default the recorded transcripts")
    parser.add_argument("-k", metavar="TEXT", default="", help="only scenarios whose name contains this")
    arguments = parser.parse_args()
    scenarios = [one for one in load(arguments.file) if arguments.k in one.name]

    def report(scenario: Scenario, differences: list[str]) -> None:
        _say(f"{'DIFFERS' if differences else 'agrees'} {scenario.name}: {scenario.about}")
        for line in differences:
            _say(f"    {line:.1000}")

    results = trio.run(play_all, arguments.url.rstrip("/"), scenarios, report)
    agree = sum(not differences for differences in results.values())
    _say(f"{agree} of {len(results)} agree")
    return 0 if agree == len(results) else 1


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - this is a program for people, too


if __name__ == "__main__":
    sys.exit(main())
