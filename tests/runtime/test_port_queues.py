from __future__ import annotations

import trio

from phxactor.runtime import KILL, Pid, open_runtime, self_pid, send, set_port, spawn
from phxactor.runtime._mailbox import BUDGET, LONG
from phxactor.runtime._pid import PORT_DEPTH
from phxactor.testing import settle
from tests.runtime.actors import port_actor


async def _forward_to(following: Pid | None, arrived: list[object]) -> None:
    set_port(arrived.append if following is None else following.send)
    await trio.sleep_forever()


async def test_a_long_queue_is_taken_in_passes_and_in_order() -> None:
    taken: list[object] = []
    count = 4 * BUDGET + LONG
    begin = trio.Event()

    async def body() -> None:
        await begin.wait()
        set_port(taken.append)
        await trio.sleep_forever()

    async with open_runtime():
        pid = spawn(body)
        for number in range(count):
            pid.send(number)
        begin.set()
        while not taken:
            await trio.lowlevel.checkpoint()
        assert len(taken) <= 2 * BUDGET  # two passes of it may come between two of this test
        pid.send(count)  # behind those that wait
        await settle()
        assert taken == list(range(count + 1))


async def test_messages_queue_while_the_port_is_busy() -> None:
    steps: list[object] = []

    def take(message: object) -> None:
        steps.append(("begin", message))
        if message == "first":
            send(self_pid(), "to itself")
            assert self_pid().statistics().length == 1
        steps.append(("end", message))

    async with open_runtime():
        port = await port_actor(take)
        port.pid.send("first")
        assert steps == [("begin", "first"), ("end", "first"), ("begin", "to itself"), ("end", "to itself")]


async def test_O1_the_order_of_each_sender_is_kept_through_queues_and_passes() -> None:
    taken: list[tuple[str, int]] = []
    count = 4 * BUDGET

    async def sender(name: str, port: Pid) -> None:
        for number in range(count):
            port.send((name, number))
            if number % 7 == 0:
                await trio.lowlevel.checkpoint()

    def take(message: object) -> None:
        assert isinstance(message, tuple)
        taken.append(message)
        if len(taken) % 50 == 1:
            for _ in range(BUDGET // 10):
                self_pid().send(("itself", next(numbers)))

    async with open_runtime() as runtime:
        numbers = iter(range(10**6))
        port = await port_actor(take)
        pids = [spawn(sender, name, port.pid) for name in ("red", "green")]
        for pid in pids:
            await runtime.ended(pid)
        await settle()
    for name in ("red", "green", "itself"):
        mine = [number for who, number in taken if who == name]
        assert mine == list(range(len(mine)))
    assert len(taken) > 2 * count


async def test_ten_thousand_ports_in_a_chain_neither_recurse_nor_starve() -> None:
    count = 10_000
    turns: list[int] = []

    async def bystander() -> None:
        while len(arrived) < 1:
            turns.append(len(turns))
            await trio.lowlevel.checkpoint()

    arrived: list[object] = []
    async with open_runtime() as runtime:
        following: Pid | None = None
        for _ in range(count):
            following = runtime.spawn(_forward_to, following, arrived)
        await settle()
        assert following is not None
        spawn(bystander)
        following.send("hello")
        await settle()
        assert arrived == ["hello"]
        assert len(turns) >= count // PORT_DEPTH - 1


async def test_beyond_the_depth_the_order_is_kept_too() -> None:
    async with open_runtime() as runtime:
        arrived: list[object] = []
        following: Pid | None = None
        for _ in range(2 * PORT_DEPTH):
            following = runtime.spawn(_forward_to, following, arrived)
        await settle()
        assert following is not None
        for number in range(10):
            following.send(number)
        assert arrived == []
        await settle()
        assert arrived == list(range(10))


async def test_ports_that_answer_each_other_for_ever_starve_nobody() -> None:
    async with open_runtime() as runtime:
        pair: list[Pid] = []
        count = 0

        def answer(_: object) -> None:
            nonlocal count
            count += 1
            pair[self_pid() is pair[0]].send("ball")

        pair += [(await port_actor(answer)).pid, (await port_actor(answer)).pid]
        pair[0].send("ball")
        for _ in range(10):
            before = count
            await trio.lowlevel.checkpoint()
            assert count - before <= 10 * BUDGET
        for pid in pair:
            pid.exit(KILL)
            await runtime.ended(pid)
