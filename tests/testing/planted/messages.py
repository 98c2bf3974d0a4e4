"""Bugs of messages, of shared state, and of waiting."""

from __future__ import annotations

from functools import partial

import trio
from trio.lowlevel import checkpoint

from phxactor.otp import Agent, call
from phxactor.runtime import monitor, receive, self_pid, spawn
from tests.testing.planted.bug import Bug, account, ended, send_to, steps


async def lost_update() -> None:
    server = await account()

    async def deposit(after: int) -> None:
        await steps(after)
        await call(server, int(await call(server, "read")) + 1)

    await ended(partial(deposit, 0), partial(deposit, 6))
    assert await call(server, "read") == 2


async def lost_update_in_an_agent() -> None:
    agent = (await Agent.start_link(lambda: 0)).unwrap()

    async def deposit(after: int) -> None:
        await steps(after)
        seen = await Agent.get(agent, lambda state: state)
        await Agent.update(agent, lambda _: seen + 1)

    await ended(partial(deposit, 0), partial(deposit, 6))
    assert await Agent.get(agent, lambda state: state) == 2


async def lost_update_in_a_list() -> None:
    box = [0]

    async def deposit(after: int) -> None:
        await steps(after)
        seen = box[0]
        await checkpoint()
        box[0] = seen + 1

    await ended(partial(deposit, 0), partial(deposit, 2))
    assert box == [2]


async def first_message_is_from_the_first() -> None:
    main = self_pid()
    for name in "ab":
        spawn(partial(send_to, main, name))
    assert await receive() == "a"


async def request_overtaken_by_a_relay() -> None:
    main = self_pid()

    async def relay() -> None:
        main.send(await receive())

    pid = spawn(relay)
    pid.send("first")
    await steps(2)
    main.send("second")
    assert await receive() == "first"


async def a_receive_skips_what_it_should_see_first() -> None:
    """Takes the stop out of turn, and never sees the order before it, which another process has sent."""
    main = self_pid()

    async def shop() -> None:
        orders = 0
        while True:
            if await receive() == "stop":
                main.send(orders)
                return
            orders += 1

    pid = spawn(shop)
    spawn(partial(send_to, pid, "order"))
    spawn(partial(send_to, pid, "stop"))
    assert await receive() == 1


async def data_behind_the_flush() -> None:
    """A selective receive takes the marker first, although the data may be on its way."""
    main = self_pid()
    spawn(partial(send_to, main, "data"))
    spawn(partial(send_to, main, "marker"))
    await receive(lambda message: message == "marker")
    assert main.statistics().length == 1


async def the_longest_ends_last() -> None:
    """Two producers; the consumer stops at the end of the one that makes more."""
    main = self_pid()

    async def producer(count: int) -> None:
        for _ in range(count):
            main.send("item")
            await checkpoint()
        main.send(count)

    spawn(producer, 1)
    spawn(producer, 3)
    items = 0
    while (message := await receive()) != 3:
        items += message == "item"
    assert items == 4


async def counts_votes_and_not_voters() -> None:
    """A voter votes again when it hears nothing for a second; the votes are counted twice."""
    main = self_pid()

    async def voter(name: str) -> None:
        main.send(name)
        try:
            await receive(timeout=1.0)
        except TimeoutError:
            main.send(name)

    voters = [spawn(voter, name) for name in "abc"]
    votes: list[object] = []
    while len(votes) < 3:
        votes.append(await receive())
        await checkpoint()
    for pid in voters:
        pid.send("thanks")
    assert sorted(map(str, votes)) == ["a", "b", "c"]


async def three_in_a_row() -> None:
    """A bug of depth 3: three marks in one order, across two processes."""
    seen: list[str] = []

    async def one() -> None:
        for mark in ("a", "b", "c"):
            seen.append(mark)
            await checkpoint()

    async def two() -> None:
        for mark in ("x", "y"):
            await checkpoint()
            seen.append(mark)

    await ended(one, two)
    assert "".join(seen) != "axbyc"


async def two_locks() -> None:
    """Two tasks take two locks, each in its own order."""
    left, right = trio.Lock(), trio.Lock()

    async def both(first: trio.Lock, second: trio.Lock, after: int) -> None:
        await steps(after)
        async with first:
            await checkpoint()
            async with second:
                pass

    await ended(partial(both, left, right, 0), partial(both, right, left, 5))


async def waits_for_a_signal_that_was_before() -> None:
    event = [trio.Event()]

    async def signals() -> None:
        await steps(3)
        event[0].set()
        event[0] = trio.Event()

    async def waits() -> None:
        await checkpoint()
        await event[0].wait()

    await ended(waits, signals)


async def a_cancelled_receive_was_the_one_that_was_woken() -> None:
    """One token for two waiters; the one that gave up has taken the token with it."""
    main = self_pid()
    got: list[str] = []

    async def pool() -> None:
        waiting = [await receive(), await receive()]
        for pid in waiting[:1]:
            pid.send("token")
        main.send("given")

    pid = spawn(pool)

    async def impatient() -> None:
        pid.send(self_pid())
        with trio.move_on_after(1.0):
            await receive()
            got.append("impatient")

    async def patient() -> None:
        await steps(2)
        pid.send(self_pid())

    await ended(impatient, patient)
    assert await receive() == "given"
    assert got


async def a_barrier_that_is_used_again() -> None:
    """Counts who has come; a fast process comes twice before a slow one has come once."""
    main = self_pid()

    async def worker(rounds: int) -> None:
        for _ in range(rounds):
            main.send(self_pid())
            await steps(2)

    for _ in range(2):
        spawn(worker, 2)
    first = [await receive(), await receive()]
    assert len(set(first)) == 2


async def counts_the_mailbox() -> None:
    main = self_pid()
    for name in "abc":
        spawn(partial(send_to, main, name))
    await receive()
    await checkpoint()
    assert main.statistics().length == 2


async def two_tokens_in_a_ring() -> None:
    """Makes a new token when none has come for a second; the old one was only slow."""
    main = self_pid()

    async def station() -> None:
        while True:
            main.send(await receive())

    pid = spawn(station)
    pid.send("token")
    try:
        await receive(timeout=1.0)
    except TimeoutError:
        pid.send("token")
    await steps(3)
    assert main.statistics().length <= 1
    await trio.sleep(0.1)
    await steps(3)
    assert main.statistics().length <= 1


async def watches_after_the_work() -> None:
    """The worker tells its result before it is monitored; the `Down` says noproc."""
    main = self_pid()

    async def worker() -> None:
        main.send("result")
        await checkpoint()

    pid = spawn(worker)
    await receive()
    monitor(pid)
    assert (await receive()).reason == "normal"


BUGS = [
    Bug(program)
    for program in (
        lost_update,
        lost_update_in_an_agent,
        lost_update_in_a_list,
        first_message_is_from_the_first,
        request_overtaken_by_a_relay,
        a_receive_skips_what_it_should_see_first,
        data_behind_the_flush,
        the_longest_ends_last,
        counts_votes_and_not_voters,
        three_in_a_row,
        two_locks,
        waits_for_a_signal_that_was_before,
        a_cancelled_receive_was_the_one_that_was_woken,
        a_barrier_that_is_used_again,
        counts_the_mailbox,
        two_tokens_in_a_ring,
        watches_after_the_work,
    )
]
