"""Process groups over the simulated cluster, by the rules of the BEAM (ND100 to ND107) and NO17."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from phxactor.distribution import Groups, Joined, Left
from phxactor.runtime import KILL, NotLocalError, Pid, receive
from phxactor.testing import Nodes, SimulatedNode, cluster, settle

CHAT = Groups("chat")


def groups() -> list[Groups]:
    return [CHAT]


async def _wait() -> None:
    await trio.sleep_forever()


def member(node: SimulatedNode, *joins: str) -> Pid:
    """Start a process of a node that joins groups."""

    async def body() -> None:
        for group in joins:
            CHAT.join(group)
        while True:
            function, done = await receive()
            function()
            done.set()

    return node.spawn(body)


async def acts(pid: Pid, function: Callable[[], object]) -> None:
    done = trio.Event()
    pid.send((function, done))
    await done.wait()
    await settle()


async def seen(node: SimulatedNode, group: str) -> list[str]:
    """List the members that a node sees, by their nodes."""

    async def names() -> list[str]:
        return sorted(str(pid.node) for pid in CHAT.members(group))

    return await node.run(names)


async def all_see(nodes: Nodes, group: str) -> list[list[str]]:
    await settle()
    await trio.sleep(1)
    return [await seen(node, group) for node in nodes if node.runs]


async def test_ND100_members_of_all_nodes_are_seen_everywhere(autojump_clock: MockClock) -> None:
    async with cluster(3, children=groups) as nodes:
        for node in nodes:
            member(node, "room")
        assert await all_see(nodes, "room") == [["a", "b", "c"]] * 3


async def test_ND100_who_joins_twice_is_there_twice_and_leaves_twice(autojump_clock: MockClock) -> None:
    async with cluster(2, children=groups) as nodes:
        pid = member(nodes[0], "room", "room")
        assert await all_see(nodes, "room") == [["a", "a"]] * 2
        left: list[bool] = []
        for expected in (["a"], [], []):
            await acts(pid, lambda: left.append(CHAT.leave("room")))
            assert await all_see(nodes, "room") == [expected] * 2
        assert left == [True, True, False]


async def test_ND100_the_end_of_a_process_takes_all_its_entries(autojump_clock: MockClock) -> None:
    async with cluster(2, children=groups) as nodes:
        pid = member(nodes[0], "room", "room", "other")
        assert await all_see(nodes, "room") == [["a", "a"]] * 2
        pid.exit(KILL)
        assert await all_see(nodes, "room") == [[], []]
        assert await all_see(nodes, "other") == [[], []]

        async def named() -> list[object]:
            return CHAT.groups()

        assert await nodes[1].run(named) == []  # ND107: groups of the gone are not listed


async def test_ND100_a_process_of_another_node_cannot_join(autojump_clock: MockClock) -> None:
    async with cluster(2, children=groups) as nodes:
        member(nodes[0], "room")
        await all_see(nodes, "room")

        async def join_another() -> None:
            (other,) = CHAT.members("room")
            CHAT.join("room", other)

        with pytest.raises(NotLocalError):
            await nodes[1].run(join_another)


async def test_ND102_members_are_those_of_nodes_that_are_up(autojump_clock: MockClock) -> None:
    async with cluster(3, children=groups) as nodes:
        for node in nodes:
            member(node, "room")
        await all_see(nodes, "room")
        nodes.network.cut("a", "b")
        await trio.sleep(30)
        assert await all_see(nodes, "room") == [["a", "c"], ["b", "c"], ["a", "b", "c"]]


async def test_ND103_after_healing_each_has_exactly_what_the_others_have_now(autojump_clock: MockClock) -> None:
    async with cluster(3, children=groups) as nodes:
        pids = [member(node, "room") for node in nodes]
        await all_see(nodes, "room")
        nodes.network.isolate("a")
        await trio.sleep(30)
        await acts(pids[0], lambda: CHAT.leave("room"))
        await acts(pids[0], lambda: CHAT.join("late"))
        pids[1].exit(KILL)
        await trio.sleep(1)
        assert await seen(nodes[2], "room") == ["c"]
        nodes.network.heal()
        await trio.sleep(30)
        assert await all_see(nodes, "room") == [["c"]] * 3
        assert await all_see(nodes, "late") == [["a"]] * 3


async def test_NO2_what_a_cut_line_has_lost_is_said_anew(autojump_clock: MockClock) -> None:
    async with cluster(2, children=groups) as nodes:
        pids = [member(node, "room") for node in nodes]
        await all_see(nodes, "room")
        nodes.network.cut("a", "b")
        await acts(pids[0], lambda: CHAT.leave("room"))
        await acts(pids[1], lambda: CHAT.join("late"))
        await trio.sleep(0.5)
        nodes.network.heal()
        await trio.sleep(5)
        assert await all_see(nodes, "room") == [["b"]] * 2
        assert await all_see(nodes, "late") == [["b"]] * 2


async def test_ND103_a_node_that_starts_anew_has_new_members(autojump_clock: MockClock) -> None:
    async with cluster(2, children=groups) as nodes:
        member(nodes[0], "room")
        member(nodes[1], "room")
        await all_see(nodes, "room")
        await nodes[1].kill()
        await trio.sleep(30)
        assert await seen(nodes[0], "room") == ["a"]
        await nodes.restart(nodes[1])
        await trio.sleep(5)
        assert await all_see(nodes, "room") == [["a"]] * 2
        member(nodes[1], "room")
        assert await all_see(nodes, "room") == [["a", "b"]] * 2


async def test_many_members_come_in_parts(autojump_clock: MockClock) -> None:
    async with cluster(2, children=groups) as nodes:
        member(nodes[0], *(str(number) for number in range(1700)))
        await settle()
        nodes.network.cut("a", "b")
        await trio.sleep(30)
        nodes.network.heal()
        await trio.sleep(30)

        async def named() -> list[object]:
            return CHAT.groups()

        assert await nodes[1].run(named) == [str(number) for number in range(1700)]


Heard = list[tuple[str, list[str]]]


def watcher(node: SimulatedNode, heard: Heard, until: Callable[[], Awaitable[None]] = _wait) -> Pid:
    """Start a process that monitors a group, and note what it hears."""

    async def body() -> None:
        ref, members = CHAT.monitor("room")
        heard.append(("members", sorted(str(pid.node) for pid in members)))
        while True:
            message = await receive()
            assert isinstance(message, Joined | Left)
            assert message.ref is ref
            assert message.group == "room"
            heard.append((type(message).__name__, sorted(str(pid.node) for pid in message.pids)))

    return node.spawn(body)


async def test_ND104_a_monitor_hears_of_all_changes(autojump_clock: MockClock) -> None:
    async with cluster(3, children=groups) as nodes:
        pids = [member(node, "room") for node in nodes[:2]]
        await all_see(nodes, "room")
        heard: Heard = []
        watcher(nodes[2], heard)
        await settle()
        pids.append(member(nodes[2], "room", "room"))
        await settle()
        pids[0].exit(KILL)
        await settle()
        await trio.sleep(1)
        nodes.network.cut("b", "c")
        await trio.sleep(30)
        await acts(pids[1], lambda: CHAT.join("room"))
        nodes.network.heal()
        await trio.sleep(30)
        assert heard == [
            ("members", ["a", "b"]),
            ("Joined", ["c"]),
            ("Joined", ["c"]),
            ("Left", ["a"]),
            ("Left", ["b"]),
            ("Joined", ["b", "b"]),
        ]


async def test_ND104_no_change_is_told_where_nothing_has_changed(autojump_clock: MockClock) -> None:
    async with cluster(2, children=groups) as nodes:
        member(nodes[0], "room")
        await all_see(nodes, "room")
        heard: Heard = []
        watcher(nodes[1], heard)
        await settle()
        server = nodes[1].runtime.names.whereis("chat")
        assert server is not None
        server.exit(KILL)
        await trio.sleep(1)
        assert heard == [("members", ["a"])]


async def test_NO17_the_end_of_the_process_takes_no_membership(autojump_clock: MockClock) -> None:
    """Against ND105: nobody rejoins, and changes meanwhile are not lost."""
    async with cluster(2, children=groups) as nodes:
        pids = [member(node, "room", "other") for node in nodes]
        await all_see(nodes, "room")
        for node in nodes:
            server = node.runtime.names.whereis("chat")
            assert server is not None
            server.exit(KILL)
        pids[0].send((lambda: CHAT.join("room"), trio.Event()))
        pids[1].exit(KILL)
        assert await all_see(nodes, "room") == [["a", "a"]] * 2
        assert await all_see(nodes, "other") == [["a"]] * 2


async def test_ND106_a_process_that_monitors_and_is_a_member_may_end(autojump_clock: MockClock) -> None:
    async with cluster(2, children=groups) as nodes:

        async def both() -> None:
            CHAT.join("room")
            CHAT.monitor("room")
            await trio.sleep_forever()

        pid = nodes[0].spawn(both)
        member(nodes[0], "room")
        assert await all_see(nodes, "room") == [["a", "a"]] * 2
        pid.exit(KILL)
        assert await all_see(nodes, "room") == [["a"]] * 2


async def test_ND107_what_no_node_says_is_left_alone(autojump_clock: MockClock) -> None:
    async with cluster(2, children=groups) as nodes:
        member(nodes[0], "room")
        await all_see(nodes, "room")
        here = whereis_in(nodes[1])
        mine = member(nodes[1], "room")
        await settle()
        other = nodes[0].identity
        messages: list[object] = [
            ("joined", "room", mine),
            ("left", "room", mine),
            ("left", "nothing", mine),
            ("joined", [], mine),
            ("members", other, [("room", mine, 1)], True),
            ("members", other, [("room", 7)], True),
            ("members", nodes[1].identity, [], True),
            ("ask", 7),
            None,
        ]
        for message in messages:
            here.send(message)
        assert await all_see(nodes, "room") == [["a", "b"]] * 2
        assert whereis_in(nodes[1]) is here


def whereis_in(node: SimulatedNode) -> Pid:
    pid = node.runtime.names.whereis("chat")
    assert pid is not None
    return pid
