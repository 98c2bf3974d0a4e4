"""Stories: what befalls a cluster with people in it, as values; drawn by Hypothesis or by a number, and checked.

A step that does not apply (a node is stopped that has ended, somebody goes where nobody is) changes nothing. So any
part of a story is a story, and a failure shrinks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, Final, TypeAlias
from unittest import mock

import attrs
import trio
from trio.testing import MockClock

from phxactor import KILL, Broadcast, Pid, Presence, PubSub, receive, self_pid
from phxactor.cluster import Node
from phxactor.envelope import Message
from phxactor.otp import Child
from phxactor.presence import Grouped
from phxactor.presence._replication import BEAT, FORGET
from phxactor.presence._tables import Receiving
from phxactor.testing import Nodes, SimulatedNode, cluster
from phxactor.testing.outages import Cut, Freeze, Heal, Isolate, Kill, Leave, Outage, Pass, Restart, Thaw, calm
from phxactor.testing.schedule import Schedule
from tests.presence.rooms import apply

NODES: Final = ("a", "b", "c")
TOPICS: Final = ("t", "u")
KEYS: Final = ("ann", "bob", "")


class Crowd(Presence, pubsub=PubSub("news")):
    """Has no callbacks."""


def children() -> Sequence[Child]:
    """Make what each node runs."""
    return [PubSub("news"), Crowd]


@attrs.frozen
class Come:
    """Somebody comes, at a node."""

    node: str
    topic: str
    key: str

    async def play(self, story: Story) -> None:
        """Start a process that is tracked."""
        node = story.nodes.named(self.node)
        if node.runs and not node.is_stopped:
            await story.come(node, self.topic, self.key)


@attrs.frozen
class Change:
    """Somebody's meta changes."""

    who: int

    async def play(self, story: Story) -> None:
        """Update it."""
        person = story.find(self.who)
        if person is not None:
            await story.change(person)


@attrs.frozen
class Go:
    """Somebody goes: untracked, or killed."""

    who: int
    killed: bool = False

    async def play(self, story: Story) -> None:
        """End it."""
        person = story.find(self.who)
        if person is not None:
            await story.go(person, killed=self.killed)


@attrs.frozen
class Anew:
    """The Presence of a node dies, with those it tracks, and its supervisor starts it anew."""

    node: str

    async def play(self, story: Story) -> None:
        """Kill its supervisor."""
        node = story.nodes.named(self.node)
        if node.runs and not node.is_stopped:
            await story.start_anew(node)


@attrs.frozen
class Again:
    """A message between trackers comes once more, late."""

    node: str
    number: int

    async def play(self, story: Story) -> None:
        """Hand it to the tracker again."""
        node = story.nodes.named(self.node)
        if node.runs and not node.is_stopped:
            story.again(node, self.number)


@attrs.frozen
class Lose:
    """From now on so large a share of the messages is lost."""

    share: float

    async def play(self, story: Story) -> None:
        """Set it."""
        story.nodes.network.loss = self.share


@attrs.frozen
class Jump:
    """All clocks jump while nothing runs, as when a machine was suspended; that of the wall in any direction."""

    seconds: float
    wall: float

    async def play(self, story: Story) -> None:
        """Set them."""
        story.wall += self.wall
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, MockClock)
        clock.jump(self.seconds)


_take: Final = Receiving.__call__

Step: TypeAlias = Come | Change | Go | Anew | Again | Lose | Jump | Outage


@attrs.define(eq=False)
class Person:
    """One who is tracked."""

    node: SimulatedNode
    pid: Pid
    topic: str
    key: str
    n: int


class Watcher:
    """A process of a node that folds the diffs of one topic as phoenix.js does, and minds what must never be."""

    def __init__(
        self, node: SimulatedNode, topic: str, owners: dict[str, tuple[str, str]], listed: set[tuple[bytes, str]]
    ) -> None:
        self.node = node
        self.topic = topic
        self.folded: Grouped = {}
        self.diffs = 0
        self._owners = owners
        self._listed = listed
        self.pid = node.spawn(self._run)

    async def _run(self) -> None:
        PubSub("news").subscribe(self.topic)
        self.folded = Crowd.list(self.topic)
        while True:
            message = await receive()
            assert isinstance(message, Broadcast)
            self._take(message.payload)

    def _take(self, diff: Any) -> None:  # noqa: ANN401 - JSON
        self.diffs += 1
        assert diff["joins"] or diff["leaves"], "PR38: a diff that says nothing"
        for key, entry in diff["joins"].items():
            for meta in entry["metas"]:
                owner = self._owners.setdefault(meta["phx_ref"], (self.topic, key))
                assert owner == (self.topic, key), f"PR134: {meta} was of {owner}"
        for key, entry in diff["leaves"].items():
            known = {meta["phx_ref"] for meta in self.folded.get(key, {"metas": []})["metas"]}
            came = {meta["phx_ref"] for meta in diff["joins"].get(key, {"metas": []})["metas"]}
            left = {meta["phx_ref"] for meta in entry["metas"]}
            listed = {
                ref for ref in left if (self.node.identity.id, ref) in self._listed
            }  # such a leave is told (PR45a)
            assert left <= known | listed, f"PR41: {left} leave, and {known} were there"
            assert not left & came, "PR41: one ref joins and leaves in one diff"
        apply(self.folded, diff)


class Story:
    """A cluster while its story is played, and the truth about it."""

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        self.wall = 0.0
        """By how much the clock on the wall has jumped."""
        self.people: list[Person] = []
        self.watchers: dict[bytes, list[Watcher]] = {}
        """The watchers of each life of a node, by its id."""
        self._came: list[tuple[Node | None, Message]] = []
        self._owners: dict[str, tuple[str, str]] = {}
        self._listed: set[tuple[bytes, str]] = set()
        """The refs that a list of a life of a node has shown, between its diffs perhaps."""
        self._numbers = 0
        self._meet()

    def _meet(self) -> None:
        """Have watchers at each node that has begun a new life, and forget whose node has ended."""
        for node in self.nodes:
            if node.runs and node.identity.id not in self.watchers:
                self.watchers[node.identity.id] = [Watcher(node, topic, self._owners, self._listed) for topic in TOPICS]
        alive = {node.identity.id: node for node in self.nodes if node.runs}
        self.people = [one for one in self.people if one.pid.alive and one.node.runs]
        self.watchers = {life: watchers for life, watchers in self.watchers.items() if life in alive}

    def find(self, number: int) -> Person | None:
        """Return somebody at a node that runs and is not stopped."""
        free = [one for one in self.people if not one.node.is_stopped]
        return free[number % len(free)] if free else None

    async def come(self, node: SimulatedNode, topic: str, key: str) -> None:
        """Start somebody."""
        self._numbers += 1
        number, tracked = self._numbers, trio.Event()

        async def live() -> None:
            Crowd.track(topic, key, {"n": number})
            tracked.set()
            await trio.sleep_forever()

        self.people.append(Person(node, node.spawn(live), topic, key, number))
        await tracked.wait()

    async def change(self, person: Person) -> None:
        """Update somebody's meta."""
        self._numbers += 1
        person.n = number = self._numbers

        async def update() -> None:
            Crowd.update(person.topic, person.key, {"n": number}, pid=person.pid)

        await person.node.run(update)

    async def go(self, person: Person, *, killed: bool) -> None:
        """End somebody."""
        self.people.remove(person)

        async def untrack() -> None:
            Crowd.untrack(person.topic, person.key, pid=person.pid)

        if killed:
            person.node.runtime.exit(person.pid, KILL)
        else:
            await person.node.run(untrack)

    async def start_anew(self, node: SimulatedNode) -> None:
        """Kill the Presence of a node, and wait until it runs again; its watchers read the list anew."""
        supervisor = node.runtime.names.whereis("Crowd")
        assert supervisor is not None
        for watcher in self.watchers.pop(node.identity.id):
            node.runtime.exit(watcher.pid, KILL)
        node.runtime.exit(supervisor, KILL)
        await trio.sleep(3)  # more often than it may end by the limits of its supervisor is another story

    def again(self, node: SimulatedNode, number: int) -> None:
        """Hand a message to a node that has come to it or to another one before; none of its own."""
        if self._came:
            sender, message = self._came[number % len(self._came)]
            if sender in node.local.nodes():
                _take(Receiving(node.runtime), sender, message)

    async def play(self, steps: Sequence[Step]) -> None:
        """Play steps, check what must hold after each, and what must at the end."""

        def heard(receiving: Receiving, sender: Node | None, message: Message) -> None:
            self._came.append((sender, message))
            _take(receiving, sender, message)

        with mock.patch("time.time", self._time), mock.patch.object(Receiving, "__call__", heard):
            for step in steps:
                if isinstance(step, Outage):
                    await step.play(self.nodes)
                else:
                    await step.play(self)
                self._meet()
                await self._check_own()
            await calm(self.nodes)
            self._meet()
            await self._check_all()

    def _time(self) -> float:
        return 1.7e9 + self.wall

    async def _check_own(self) -> None:
        """Each node that runs shows its own people as they are, whatever has come (PR126)."""
        for node in self.nodes:
            if node.runs and not node.is_stopped:
                shown = await node.run(_lists)
                for topic in shown.values():
                    for entry in topic.values():
                        self._listed |= {(node.identity.id, meta["phx_ref"]) for meta in entry["metas"]}
                for one in self.people:
                    if one.node is node:
                        numbers = [meta["n"] for meta in shown[one.topic].get(one.key, {"metas": []})["metas"]]
                        assert one.n in numbers, f"PR126: {node.identity.name} does not show its own {one}"

    async def _check_all(self) -> None:
        truth = sorted((one.topic, one.key, one.n) for one in self.people)
        for node in self.nodes:
            if node.runs:
                shown = await node.run(_lists)
                assert sorted(_numbers(shown)) == truth, f"PR123: {node.identity.name} shows {shown}, not {truth}"
                for watcher in self.watchers[node.identity.id]:
                    assert watcher.folded == shown[watcher.topic], f"PR127: {watcher.folded}, not {shown}"
        before = [watcher.diffs for watchers in self.watchers.values() for watcher in watchers]
        await trio.sleep(FORGET + 2 * BEAT)
        after = [watcher.diffs for watchers in self.watchers.values() for watcher in watchers]
        assert before == after, "PR133: nothing changes, and there are diffs"
        for node in self.nodes:
            if node.runs:
                names = {one.identity.name: "up" for one in self.nodes if one.runs and one is not node}
                replicas = await node.run(_replicas)
                assert replicas == names, f"PR131: {node.identity.name} knows {replicas}, not {names}"


async def _lists() -> dict[str, Grouped]:
    assert self_pid().alive
    return {topic: Crowd.list(topic) for topic in TOPICS}


async def _replicas() -> dict[str, str]:
    return dict(Crowd.statistics().replicas)


def _numbers(shown: dict[str, Grouped]) -> Iterator[tuple[str, str, int]]:
    for topic, presences in shown.items():
        for key, entry in presences.items():
            for meta in entry["metas"]:
                yield topic, key, meta["n"]


def tell(steps: Sequence[Step], schedule: Schedule, *, uneven: bool = False) -> None:
    """Play a story; raises AssertionError if anything does not hold."""

    async def main() -> None:
        async with cluster(len(NODES), children=children, delay=0.02, uneven=uneven, schedule=schedule) as nodes:
            await trio.sleep(1)
            await Story(nodes).play(steps)

    schedule.run(main)


def drawn(random: Random, most: int) -> list[Step]:
    """Draw a story by a source of random numbers."""

    def step() -> Step:
        node, other = random.choice(NODES), random.choice(NODES)
        come = Come(node, random.choice(TOPICS), random.choice(KEYS))
        kinds: list[Step] = [
            *[come] * 4,
            Change(random.randrange(9)),
            Change(random.randrange(9)),
            Go(random.randrange(9), random.random() < 0.5),
            Go(random.randrange(9), random.random() < 0.5),
            *[Pass(random.choice([0.03, 0.5, 2.0, 6.0, 70.0]))] * 4,
            Anew(node),
            *[Again(node, random.randrange(100))] * 2,
            Lose(random.choice([0.0, 0.2, 0.5])),
            Jump(random.choice([0.0, 2.0, 30.0, 3600.0]), random.choice([-86400.0, 0.0, 86400.0])),
            Cut(node, other),
            Isolate(node),
            Heal(),
            Freeze(node),
            Thaw(node),
            Kill(node, random.random() < 0.5),
            Leave(node),
            *[Restart(node)] * 2,
        ]
        return random.choice(kinds)

    return [step() for _ in range(random.randrange(most))]


def shortest(steps: Sequence[Step], fails: Callable[[Sequence[Step]], bool]) -> Sequence[Step]:
    """Leave out steps of a story that fails for as long as what is left fails too."""
    size = len(steps)
    while size := size // 2:
        for at in range(len(steps) - size, -1, -1):
            fewer = [*steps[:at], *steps[at + size :]]
            if fails(fewer):
                steps = fewer
    return steps
