"""Plays one program: three simulated nodes, whose actors do as they are told; says what each step did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Final

import trio
from trio.testing import wait_all_tasks_blocked

from phxactor.cluster import DownReason, Node, NodeDown, NodeUp, demonitor_nodes
from phxactor.distribution import Distribution, Groups, Joined, Left, Startable
from phxactor.distribution._group_scope import Scope
from phxactor.otp import Child
from phxactor.runtime import DEAD, Down, Monitor, Pid, Ref, own, self_pid
from phxactor.testing import Nodes, Simulated, SimulatedNode, cluster
from tests.nodes.oracle.actor import Actor, Collect, Order, UnbornError
from tests.nodes.oracle.letters import Gone, Letters, Moved, from_reason, sort

GROUPS: Final = Groups("groups")
DIRECTOR: Final = -1
NODES: Final = 3
NEVER_LIVED: Final = 1_000_000
"""Added to the number of an actor whose start has failed: the number of no process."""
SOON: Final = 0.1
"""Seconds in which calls that wait a little have given up."""
BEATS: Final = 1.5
"""Seconds in which nodes that hear each other again notice."""


async def play(program: Mapping[str, object]) -> list[dict[str, object]]:
    """Run one program on a mock clock that jumps."""
    match program:
        case {"steps": list(steps)}:
            players: list[Player] = []

            async def actor(number: int, node: int) -> None:
                await players[0].be(number, node)

            def children() -> list[Child]:
                return [GROUPS.child_spec(), Startable({"actor": actor}).child_spec()]

            async with cluster(NODES, children=children) as nodes:
                await trio.sleep(BEATS)
                player = Player(nodes)
                players.append(player)
                return [await player.step(by, commands, collect=collect) for by, commands, collect in steps]
    raise ValueError(f"not a program: {program!r:.200}")


class Watcher:
    """Sees the nodes that one node sees, for what `monitor_nodes` and `monitor_node` of the BEAM have beyond ours."""

    def __init__(self, player: Player) -> None:
        self.counted: Counter[Actor] = Counter()
        self.one_shot: Counter[tuple[Actor, int]] = Counter()
        self._player = player

    def up(self, node: Node) -> None:
        """Tell the actors that monitor nodes more than once: the first time is ours."""
        for actor, times in self.counted.items():
            for _ in range(times - 1):
                actor.pid.deliver(NodeUp(node))

    def down(self, node: Node, reason: DownReason, /) -> None:
        """Tell the same, and those who monitor this node."""
        for actor, times in self.counted.items():
            for _ in range(times - 1):
                actor.pid.deliver(NodeDown(node, reason))
        index = self._player.index(node)
        for actor, watched in [pair for pair in self.one_shot if pair[1] == index]:
            for _ in range(self.one_shot.pop((actor, watched))):
                actor.pid.deliver(Gone(node))

    def end(self) -> None:
        """Do nothing."""


class Player:
    """The director, and what it sees."""

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        self.actors: dict[int, Actor] = {}
        self.unborn: dict[int, Actor] = {}
        """Actors of the present burst."""
        self.homes: dict[int, tuple[Node, int]] = {}
        """The node, of its life, and the number of each actor's process."""
        self.numbers: dict[tuple[bytes, int], int] = {}
        self.lives: dict[bytes, int] = {}
        self.monitors: dict[int, Monitor] = {}
        self.refs: dict[Monitor, int] = {}
        self.calls: dict[str, object] = {}
        self.ended: dict[str, object] = {}
        self.seen: dict[str, dict[str, object]] = {"nodes": {}, "names": {}, "groups": {}}
        self.watchers: list[Watcher] = []
        self.group = GROUPS
        self.group_monitors: dict[int, Ref] = {}
        self.group_refs: dict[Ref, int] = {}
        for number in range(NODES):
            self.lives[nodes[number].identity.id] = number
            self.watchers.append(self.watching(number))
        self.seen["nodes"] = {str(number): self.connected(number) for number in range(NODES)}

    def watching(self, number: int) -> Watcher:
        watcher = Watcher(self)
        self.nodes[number].local.view.observers.append(watcher)
        return watcher

    # ------------------------------------------------------------------------------------- what is what

    def index(self, node: object) -> int:
        """Return the number of a node, of any life."""
        assert isinstance(node, Node)
        return self.lives[node.id]

    def identity(self, node: int) -> Node:
        """Return the node of a number, of its present or last life."""
        return self.nodes[node].identity

    def connected(self, node: int) -> list[int]:
        """List the nodes that a node sees."""
        return sorted(self.index(one) for one in self.nodes[node].local.nodes())

    def actor(self, pid: Pid) -> int:
        """Return the number of an actor by its pid, as any node knows it."""
        return self.numbers[pid.node.id, pid.number]

    def pid(self, t: int, node: int) -> Pid:
        """Return an actor's pid as a node knows it."""
        if t not in self.homes or t in self.unborn:
            raise UnbornError
        home, number = self.homes[t]
        at = self.nodes[node]
        if home == at.identity:
            return self.actors[t].pid
        remote = at.runtime.remote
        assert isinstance(remote, Distribution)
        return remote.peer(home).pid(number)

    # ------------------------------------------------------------------------------------------ the steps

    async def step(self, by: int, commands: list[list[object]], *, collect: bool) -> dict[str, object]:
        """Do a step, wait until nothing moves, and say what has happened."""
        self.calls, self.ended = {}, {}
        results: object = []
        if by == DIRECTOR:
            assert isinstance(results, list)
            for command in commands:
                results.append(await self.direct(command))
                await self.quiet()
        else:
            actor = self.actors.get(by)
            if actor is None or not actor.pid.alive or actor.is_calling:
                results = "skip"
            else:
                actor.pid.send(Order(commands, results))  # type: ignore[arg-type]
                await self.quiet()
            self.unborn.clear()
        parts: dict[str, object] = {
            "res": results,
            "calls": dict(self.calls),
            "ended": dict(self.ended),
            **self.changes(),
            "mail": await self.collect() if collect else {},
        }
        return {part: value for part, value in parts.items() if value}

    async def quiet(self) -> None:
        """Wait until nothing moves, and calls that wait a little have given up."""
        await wait_all_tasks_blocked()
        await trio.sleep(SOON)
        await wait_all_tasks_blocked()

    def changes(self) -> dict[str, object]:
        """Return nodes, names and groups of the nodes where they have changed."""
        found: dict[str, object] = {}
        now: dict[str, dict[str, object]] = {"nodes": {}, "names": {}, "groups": {}}
        for number, node in enumerate(self.nodes):
            if node.runs:
                now["nodes"][str(number)] = self.connected(number)
                names = node.runtime.names.all().items()
                now["names"][str(number)] = {name: self.actor(pid) for name, pid in names if name in {"x", "y"}}
                now["groups"][str(number)] = self.groups(node)
        for part, before in self.seen.items():
            default: object = [] if part == "nodes" else {}
            changed = {key: value for key, value in now[part].items() if before.get(key, default) != value}
            if changed:
                found[part] = changed
        self.seen = now
        return found

    def groups(self, node: SimulatedNode) -> object:
        """Return the groups that have members, as a node sees them."""
        scope = Scope.found(node.runtime, GROUPS.name)
        assert scope is not None
        members = scope.members
        return {str(group): sorted(map(self.actor, members.of(group))) for group in members.groups()}

    async def collect(self) -> dict[str, dict[str, Letters]]:
        """Empty all mailboxes: actor, sender, letters in order."""
        boxes: dict[int, list[object]] = {}
        for number, actor in self.actors.items():
            if actor.pid.alive and not actor.is_calling:
                boxes[number] = []
                actor.pid.send(Collect(boxes[number]))
        await wait_all_tasks_blocked()
        named = {number: [one for each in messages for one in self.named(each)] for number, messages in boxes.items()}
        return {str(number): sort(messages, self.actor, self.index) for number, messages in named.items() if messages}

    def named(self, message: object) -> list[object]:
        """Put the number of its monitor to a message that has one; of several members make several messages."""
        match message:
            case Down(ref=ref):
                return [(message, self.refs[ref])]
            case Joined(ref=ref, pids=pids):
                return [Moved(self.group_refs[ref], "join", pid) for pid in pids]
            case Left(ref=ref, pids=pids):
                return [Moved(self.group_refs[ref], "leave", pid) for pid in pids]
        return [message]

    # --------------------------------------------------------------------------------------- the director

    async def direct(self, command: list[object]) -> object:
        """Do what acts from outside of all nodes."""
        match command:
            case ["spawn", int(number), int(node), bool(trap)]:
                if not self.nodes[node].runs:
                    return "skip"
                self.born(number, node, trap=trap)
                return "ok"
            case ["cut", int(one), int(other)]:
                return self.cut(self.nodes[one], self.nodes[other])
            case ["connect", int(one), int(other)]:
                return await self.connect(one, other)
            case ["stop", int(one)]:
                if not self.nodes[one].runs:
                    return "skip"
                self.watchers[one] = Watcher(self)
                await self.nodes[one].kill()
                return "ok"
            case ["start", int(one)]:
                return await self.start(one)
        raise ValueError(f"the director cannot {command!r}")

    def born(self, number: int, node: int, *, trap: bool = False) -> Actor:
        """Start an actor from outside: nothing links it."""
        actor = Actor(self, number, node)
        runtime = self.nodes[node].runtime
        actor.pid = runtime.start(runtime.outside, partial(actor.act, trap=trap), (), initial_call="actor")
        self.note(actor)
        return actor

    async def be(self, number: int, node: int) -> None:
        """Be an actor that another one has started: neither trapping nor known before the burst is over."""
        actor = Actor(self, number, node)
        actor.pid = self_pid()
        self.note(actor)
        self.unborn[number] = actor
        await actor.act()

    def never_lived(self, number: int, actor: Actor) -> Pid:
        """Make the pid of a process that could not be started: one of the caller's own node (ND70)."""
        runtime = self.nodes[actor.node].runtime
        pid = Pid(runtime, NEVER_LIVED + number, "never lived", None)
        pid.state = DEAD
        made = Actor(self, number, actor.node)
        made.pid = pid
        self.actors[number] = self.unborn[number] = made
        identity = self.identity(actor.node)
        self.homes[number] = identity, pid.number
        self.numbers[identity.id, pid.number] = number
        return pid

    def note(self, actor: Actor) -> None:
        """Note a new actor, whose process runs."""
        number, identity = actor.number, self.identity(actor.node)
        self.actors[number] = actor
        self.homes[number] = identity, actor.pid.number
        self.numbers[identity.id, actor.pid.number] = number
        own(actor.pid, partial(self.note_end, actor, self.nodes[actor.node]))

    def note_end(self, actor: Actor, node: SimulatedNode, pid: Pid) -> None:
        watcher = self.watchers[actor.node]
        watcher.counted.pop(actor, None)
        for pair in [pair for pair in watcher.one_shot if pair[0] is actor]:
            del watcher.one_shot[pair]
        if node.runs and not any(isinstance(one, Simulated) and one.killed for one in node.carriers):
            self.ended[str(actor.number)] = from_reason(pid.exit_reason)

    def cut(self, one: SimulatedNode, other: SimulatedNode) -> object:
        """Drop the connection of two nodes, which both notice."""
        if not one.runs:
            return "skip"
        if other.identity not in one.local.nodes():
            return False
        self.nodes.network.cut(one.name, other.name)
        for here, there in ((one, other), (other, one)):
            (carrier,) = here.carriers
            assert isinstance(carrier, Simulated)
            carrier.has_ended(there.local.id)
        return True

    async def connect(self, one: int, other: int) -> object:
        """Let two nodes hear each other."""
        if not self.nodes[one].runs:
            return "skip"
        if not self.nodes[other].runs:
            return False
        if other not in self.connected(one):
            self.nodes.network.mend(self.nodes[one].name, self.nodes[other].name)
            await trio.sleep(BEATS)
        return True

    async def start(self, number: int) -> object:
        """Start a node anew, connected to nobody."""
        node = self.nodes[number]
        if node.runs:
            return "skip"
        for other in self.nodes:
            if other is not node:
                self.nodes.network.cut(node.name, other.name)
        await self.nodes.restart(node)
        self.lives[node.identity.id] = number
        self.watchers[number] = self.watching(number)
        return "ok"

    # ------------------------------------------------------------------------- what the actors ask it for

    def tell_of_nodes(self, actor: Actor) -> None:
        """Note how often an actor monitors nodes."""
        counted = self.watchers[actor.node].counted
        if actor.ups:
            counted[actor] = actor.ups
        else:
            counted.pop(actor, None)
            demonitor_nodes()

    def monitor_node(self, actor: Actor, node: int, *, flag: bool) -> None:
        """Have an actor told once when a node goes; at once if it is not there."""
        if node == actor.node:
            return
        one_shot = self.watchers[actor.node].one_shot
        if not flag:
            one_shot[actor, node] = max(0, one_shot[actor, node] - 1)
        elif node in self.connected(actor.node):
            one_shot[actor, node] += 1
        else:
            actor.pid.deliver(Gone(self.identity(node)))
