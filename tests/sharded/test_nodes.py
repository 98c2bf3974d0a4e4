"""Sharded servers over the simulated cluster: owners, moves, splits (NO20 to NO40)."""

from __future__ import annotations

from typing import NoReturn

import pytest
import trio
from trio.testing import MockClock

from phxactor import call, cast, link, monitor, self_pid, trap_exit
from phxactor.cluster import Node
from phxactor.runtime import KILL, Down, Exit, Exited, Reason, receive
from phxactor.sharded import MOVED, Sharded
from phxactor.sharded._regions import found
from phxactor.testing import cluster, settle
from tests.sharded.rooms import KEYS, ROOMS, STARTED, Room, ask, owners, reason_of, rooms, running
from tests.sharded.simulation import play


async def test_NO20_all_nodes_find_the_same_server(autojump_clock: MockClock) -> None:
    async with cluster(3, children=rooms) as nodes:
        await trio.sleep(5)
        for count, node in enumerate(nodes, 1):
            for key in KEYS:
                assert await ask(node, key, ("add", node.name)) == count
        found = [await owners(node) for node in nodes]
        assert found[0] == found[1] == found[2]
        assert {*found[0]} == {"a", "b", "c"}
        assert all(len(where) == 1 for where in running(nodes).values())
        assert len(STARTED) == len(KEYS)


async def test_NO35_a_node_reaches_what_it_has_started(autojump_clock: MockClock) -> None:
    """From the first moment on: a call waits for the view."""
    async with cluster(3, children=rooms) as nodes:
        for number, node in enumerate(nodes, 1):
            assert await ask(node, "room", ("add", node.name)) == number
        assert len(STARTED) == 1


async def test_a_monitor_a_link_and_an_exit_go_over_nodes(autojump_clock: MockClock) -> None:
    async with cluster(2, children=rooms) as nodes:
        await trio.sleep(5)
        key = next(key for key, where in zip(KEYS, await owners(nodes[0]), strict=True) if where == "b")

        async def watches() -> None:
            trap_exit()
            ref = monitor(ROOMS[key])
            link(ROOMS[key])
            pid = await call(ROOMS[key], "pid")
            assert str(pid.node) == "b"
            ROOMS[key].exit("boom")
            heard = [await receive(), await receive()]
            assert Down(ref, ROOMS[key], "boom") in heard
            assert Exited(ROOMS[key], "boom") in heard
            ref = monitor(ROOMS[key])
            assert await receive() == Down(ref, ROOMS[key], "noproc")

        await nodes[0].run(watches)


async def test_a_call_ends_with_its_server_and_with_its_node(autojump_clock: MockClock) -> None:
    async with cluster(2, children=rooms) as nodes:
        await trio.sleep(5)
        key = next(key for key, where in zip(KEYS, await owners(nodes[0]), strict=True) if where == "b")
        with pytest.raises(Exit) as caught:
            await ask(nodes[0], key, "crash")
        assert "RuntimeError: boom" in str(reason_of(caught.value))
        ended: list[Reason] = []

        async def waits() -> None:
            with pytest.raises(Exit) as caught:
                await call(ROOMS[key], "hold", timeout=None)
            ended.append(reason_of(caught.value))

        nodes[0].spawn(waits)
        await trio.sleep(1)
        identity = nodes[1].identity
        await nodes[1].kill()
        await trio.sleep(1)
        assert ended == [("nodedown", identity)]
        assert await ask(nodes[0], key, "where") == "a"


async def test_NO32_a_node_that_comes_takes_over_its_keys_with_their_state(autojump_clock: MockClock) -> None:
    async with cluster(3, children=rooms) as nodes:
        await nodes[2].leave()
        await trio.sleep(5)
        for key in KEYS:
            await ask(nodes[0], key, ("add", key))
        before = await owners(nodes[0])
        await nodes.restart(nodes[2])
        await trio.sleep(10)
        after = await owners(nodes[0])
        assert [key for key in KEYS if await ask(nodes[1], key, "items") != [key]] == []
        moved = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
        assert moved
        assert {new for _, new in moved} == {"c"}
        assert all(len(where) == 1 for where in running(nodes).values())


async def test_NO26_a_node_that_leaves_hands_over_all_and_no_call_fails(autojump_clock: MockClock) -> None:
    async with cluster(3, children=rooms, delay=0.01) as nodes:
        await trio.sleep(5)
        sent: dict[str, list[int]] = {key: [] for key in KEYS}
        done: list[str] = []

        async def sends(key: str) -> None:
            for number in range(200):
                if number % 3:
                    cast(ROOMS[key], ("add", number))
                else:
                    await call(ROOMS[key], ("add", number))
                sent[key].append(number)
                await trio.sleep(0.01)
            done.append(key)

        for key in KEYS:
            nodes[0].spawn(sends, key)
        await trio.sleep(0.5)
        await nodes[2].leave()
        await trio.sleep(10)
        assert sorted(done) == sorted(KEYS)
        for key in KEYS:
            assert await ask(nodes[1], key, "items") == sent[key]
        assert {*await owners(nodes[0])} == {"a", "b"}


async def test_NO31_a_monitor_hears_that_the_key_has_moved(autojump_clock: MockClock) -> None:
    async with cluster(2, children=rooms) as nodes:
        await trio.sleep(5)
        key = next(key for key, where in zip(KEYS, await owners(nodes[0]), strict=True) if where == "b")
        heard: list[object] = []

        async def watches() -> None:
            monitor(ROOMS[key])
            heard.append(await receive())

        nodes[0].spawn(watches)
        await trio.sleep(1)
        await nodes[1].leave()
        await trio.sleep(1)
        assert isinstance(heard[0], Down)
        assert heard[0].reason == MOVED


async def test_NO33_after_a_split_the_states_are_merged(autojump_clock: MockClock) -> None:
    async with cluster(3, children=rooms) as nodes:
        await trio.sleep(5)
        for key in KEYS:
            await ask(nodes[0], key, ("add", "before"))
        nodes.network.isolate("c")
        await trio.sleep(30)
        for key in KEYS:
            await ask(nodes[0], key, ("add", "in a"))
            await ask(nodes[2], key, ("add", "in c"))
        nodes.network.heal()
        await trio.sleep(30)
        for key in KEYS:
            items = await ask(nodes[1], key, "items")
            assert sorted(items) == ["before", "in a", "in c"], key
        assert all(len(where) == 1 for where in running(nodes).values())


async def test_NO27_a_server_that_does_not_hand_over_in_time_is_killed(autojump_clock: MockClock) -> None:
    class StuckRoom(Room):
        async def hand_over(self) -> NoReturn:
            await trio.sleep_forever()

    stuck = Sharded("rooms", StuckRoom, hand_over=3)
    async with cluster(2, children=lambda: [stuck]) as nodes:
        await trio.sleep(5)
        for key in KEYS:
            await ask(nodes[0], key, ("add", 1))
        began = trio.current_time()
        await nodes[1].leave()
        assert trio.current_time() - began < 5
        assert [await ask(nodes[0], key, ("add", 2)) for key in KEYS].count(1) > 0


async def test_NO25_a_later_owner_has_a_larger_token(autojump_clock: MockClock) -> None:
    async with cluster(3, children=rooms) as nodes:
        await trio.sleep(5)
        before = [await ask(nodes[0], key, "token") for key in KEYS]
        await nodes[2].kill()
        await trio.sleep(5)
        after = [await ask(nodes[0], key, "token") for key in KEYS]
        assert all(new >= old for new, old in zip(after, before, strict=True))
        assert any(new > old for new, old in zip(after, before, strict=True))


async def test_a_message_that_cannot_travel_raises_in_the_sender(autojump_clock: MockClock) -> None:
    async with cluster(2, children=rooms) as nodes:
        await trio.sleep(5)
        key = next(key for key, where in zip(KEYS, await owners(nodes[0]), strict=True) if where == "b")

        async def tries() -> None:
            with pytest.raises(TypeError, match="no code travels"):
                await call(ROOMS[key], ("add", len))
            with pytest.raises(TypeError, match="no code travels"):
                cast(ROOMS[key], ("add", len))
            assert self_pid().mailbox == []

        await nodes[0].run(tries)
        await settle()


async def test_the_end_of_one_region_moves_its_keys_and_back(autojump_clock: MockClock) -> None:
    async with cluster(2, children=rooms) as nodes:
        await trio.sleep(5)
        await owners(nodes[0])
        pid = nodes[1].runtime.names.whereis("rooms")
        assert pid is not None
        pid.exit(KILL)
        await trio.sleep(5)
        assert {*await owners(nodes[0])} == {"a", "b"}
        assert await owners(nodes[0]) == await owners(nodes[1])
        assert all(len(where) == 1 for where in running(nodes).values())


@pytest.mark.parametrize("on_split", ["both", "majority"])
@pytest.mark.parametrize("seed", range(6))
async def test_a_program_of_the_simulation_holds(seed: int, on_split: str, autojump_clock: MockClock) -> None:
    """More of them: `python -m tests.sharded.simulation`."""
    assert await play(seed, on_split) == []


async def test_the_address_of_a_key_travels_by_its_name(autojump_clock: MockClock) -> None:
    async with cluster(2, children=rooms) as nodes:
        await trio.sleep(5)
        where = await owners(nodes[0])
        there = next(key for key, name in zip(KEYS, where, strict=True) if name == "b")
        here = next(key for key, name in zip(KEYS, where, strict=True) if name == "a")

        async def asks() -> object:
            cast(ROOMS[here], ("add", 7))
            assert await call(ROOMS[there], ("call", ROOMS[here], "items")) == [7]
            cast(ROOMS[there], ("add", {"of": [ROOMS[here]]}))
            (item,) = await call(ROOMS[there], "items")
            return item["of"][0] is ROOMS[here]

        assert await nodes[0].run(asks)


async def test_NO22_a_key_starts_only_when_its_state_has_come(autojump_clock: MockClock) -> None:
    class SlowRoom(Room):
        async def hand_over(self) -> list[object]:
            await trio.sleep(1)
            return self.items

    slow = Sharded("rooms", SlowRoom)
    async with cluster(2, children=lambda: [slow]) as nodes:
        await trio.sleep(5)
        for key in KEYS:
            await ask(nodes[0], key, ("add", 1))

        async def adds() -> None:
            for key in KEYS:
                cast(slow[key], ("add", 2))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(nodes[1].leave)
            await trio.sleep(0.5)
            await nodes[0].run(adds)
            await trio.sleep(0.1)
            assert all(len(where) == 1 for where in running(nodes).values())
        assert [await ask(nodes[0], key, "items") for key in KEYS] == [[1, 2]] * len(KEYS)


async def test_NO26_what_waits_for_the_end_of_a_server_goes_first_when_the_key_moves(autojump_clock: MockClock) -> None:
    class SlowRoom(Room):
        async def terminate(self, reason: object) -> None:
            await trio.sleep(3)

    slow = Sharded("rooms", SlowRoom, idle=2)
    async with cluster(3, children=lambda: [slow]) as nodes:
        a, b, c = nodes

        async def add(key: str, item: int) -> None:
            cast(slow[key], ("add", item))

        async def owner(key: str) -> Node | None:
            return slow[key].node

        await trio.sleep(5)
        moving = [key for key in KEYS if await b.run(owner, key) == a.identity]
        await a.leave()
        await trio.sleep(5)
        moving = [key for key in moving if await b.run(owner, key) == c.identity]
        for key in moving:
            await b.run(add, key, 0)
        await trio.sleep(2.5)  # the servers end, as nothing came
        for key in moving:
            await b.run(add, key, 1)
        await nodes.restart(a)
        await trio.sleep(0.1)
        moved = [key for key in moving if await b.run(owner, key) == a.identity]
        for key in moving:
            await b.run(add, key, 2)
        assert moved
        for key in moving:
            assert await ask(b, key, "items", slow) == [1, 2]


async def test_watches_are_counted_on_when_a_region_starts_again(autojump_clock: MockClock) -> None:
    """Another node may still say something of an older one."""
    async with cluster(2, children=rooms) as nodes:
        await trio.sleep(5)
        region = found(nodes[0].runtime, "rooms")
        before = region.places
        number = next(before.numbers)
        assert region.pid is not None
        region.pid.exit(KILL)
        await trio.sleep(5)
        assert region.places is not before
        assert next(region.places.numbers) > number
