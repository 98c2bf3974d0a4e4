"""Bugs of time-outs and timers."""

from __future__ import annotations

from functools import partial

import trio
from trio.lowlevel import checkpoint

from phxactor.otp import GenServer, Reply, Task, call
from phxactor.runtime import (
    Down,
    Exit,
    From,
    Pid,
    Timer,
    cancel_timer,
    monitor,
    receive,
    self_pid,
    send_after,
    spawn,
)
from tests.testing.planted.bug import Bug, account, send_to


async def late_reply() -> None:
    async def oracle() -> None:
        for _ in range(2):
            asker, question = await receive()
            asker.send(question)

    pid = spawn(oracle)
    for question in ("a", "b"):
        pid.send((self_pid(), question))
        try:
            assert await receive(timeout=1) == question
        except TimeoutError:
            continue


async def polling_gives_up() -> None:
    main = self_pid()
    spawn(partial(send_to, main, "came"))
    for _ in range(3):
        try:
            assert await receive(timeout=0) == "came"
        except TimeoutError:
            await checkpoint()
        else:
            return
    raise AssertionError("gave up")


async def call_times_out_and_its_effect_stays() -> None:
    server = await account()
    try:
        await call(server, 7, timeout=0.5)
    except Exit:
        assert await call(server, "read") == 0


class Till(GenServer):
    """Adds up."""

    async def init(self) -> None:
        self.sum = 0

    async def handle_call(self, request: int, from_: From) -> Reply:
        self.sum += request
        return Reply(self.sum)


async def asks_again_and_pays_twice() -> None:
    till = (await Till.start_link()).unwrap()
    for _ in range(2):
        try:
            await call(till, 5, timeout=0.5)
        except Exit:
            continue
        break
    assert await call(till, 0) == 5


async def cancelled_timer_has_fired() -> None:
    timer = send_after(self_pid(), "tick", 1.0)

    async def canceller(timer: Timer, main: Pid) -> None:
        await trio.sleep(1.0)
        cancel_timer(timer)
        main.send("cancelled")

    spawn(canceller, timer, self_pid())
    assert await receive() == "tick"


async def timer_of_before_is_taken_for_the_new_one() -> None:
    """Each key makes the wait longer; the tick of the cancelled timer is already in the mailbox."""
    main = self_pid()

    async def debounced() -> None:
        keys, timer = 0, send_after(self_pid(), "quiet", 0.5)
        while True:
            match await receive():
                case "key":
                    keys += 1
                    cancel_timer(timer)
                    timer = send_after(self_pid(), "quiet", 0.5)
                case "quiet":
                    main.send(keys)

    pid = spawn(debounced)
    await trio.sleep(0.4)
    pid.send("key")
    await receive()
    assert main.statistics().length == 0
    await trio.sleep(1.0)
    assert main.statistics().length == 0


async def two_timers_of_one_time() -> None:
    main = self_pid()

    async def waits(name: str) -> None:
        await trio.sleep(1.0)
        main.send(name)

    for name in "ab":
        spawn(waits, name)
    assert [await receive(), await receive()] == ["a", "b"]


async def lease_ends_while_it_is_used() -> None:
    main = self_pid()

    async def holder() -> None:
        send_after(self_pid(), "over", 1.0)
        main.send("mine")
        assert await receive(timeout=3.0) != "over", "used after its end"

    pid = spawn(holder)
    watch = monitor(pid)
    assert await receive() == "mine"
    pid.send("use")
    down = await receive(lambda message: isinstance(message, Down) and message.ref is watch)
    assert down.reason == "normal", down.reason


async def slow_heart_is_taken_for_dead() -> None:
    """Two leaders: the first one's beat was late, and it lives on."""
    main = self_pid()

    async def leader() -> None:
        for _ in range(3):
            main.send("beat")
            await trio.sleep(0.4)

    pid = spawn(leader)
    for _ in range(3):
        try:
            await receive(timeout=1.0)
        except TimeoutError:
            assert not pid.alive, "two leaders"
            return


async def task_that_was_given_up_answers() -> None:
    """Takes the next message for its own, which is that of a task that it has given up."""

    async def answer(number: int) -> int:
        await checkpoint()
        return number

    first = Task.async_(answer, 1)
    if await first.yield_(0.5) is None:
        second = Task.async_(answer, 2)
        message = await receive(lambda message: not isinstance(message, Down))
        assert second.outcome(message).unwrap() == 2


async def cache_fills_after_its_end() -> None:
    """A value is read before an entry expires, and written back after it."""
    cache: dict[str, int] = {}
    main = self_pid()

    async def fills() -> None:
        value = 1
        await checkpoint()
        cache["key"] = value
        main.send("filled")

    async def expires() -> None:
        await trio.sleep(0.5)
        cache.clear()
        main.send("expired")

    spawn(fills)
    spawn(expires)
    assert {await receive(), await receive()} == {"filled", "expired"}
    assert not cache


BUGS = [
    Bug(program)
    for program in (
        late_reply,
        polling_gives_up,
        call_times_out_and_its_effect_stays,
        asks_again_and_pays_twice,
        cancelled_timer_has_fired,
        timer_of_before_is_taken_for_the_new_one,
        two_timers_of_one_time,
        lease_ends_while_it_is_used,
        slow_heart_is_taken_for_dead,
        task_that_was_given_up_answers,
        cache_fills_after_its_end,
    )
]
