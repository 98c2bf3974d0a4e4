"""The trace of a play: what is in it, how it is folded, and its chart."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import pytest
import trio
from hypothesis import given, settings

from phxactor.otp import GenServer, Reply, call
from phxactor.runtime import Exit, Pid, cancel_timer, receive, self_pid, send_after, spawn
from phxactor.testing import settle
from phxactor.testing.schedule import DeadlockError, Schedule
from phxactor.testing.strategies import schedule

Program = Callable[[], Awaitable[object]]


def trace_of(main: Program) -> str:
    """Return the lines of a play, without the names of enclosing functions."""
    order = Schedule()
    order.run(main)
    return str(order.trace)


def chart_of(main: Program, error: type[BaseException]) -> str:
    """Return the note of a play that fails."""
    with pytest.raises(error) as caught:
        Schedule().run(main)
    return caught.value.__notes__[0]


# -------------------------------------------------------------------------------------------------- what is in it


def test_a_message_that_is_taken_later_has_a_line_for_that() -> None:
    async def main() -> None:
        me = self_pid()
        me.send("first")
        me.send("second")
        assert await receive(lambda message: message == "second") == "second"
        await receive()

    assert trace_of(main).split("\n")[:3] == [
        "          #PID<2 main> sends #PID<2 main>: 'first'",
        "          #PID<2 main> sends #PID<2 main>: 'second'",  # and takes it at once
        "          #PID<2 main> takes 'first'",
    ]


def test_timers_and_time_outs() -> None:
    async def main() -> None:
        timer = send_after(self_pid(), "never", 5)
        send_after("nobody", "lost", 1)
        send_after(self_pid(), "tick", 2)
        with pytest.raises(TimeoutError):
            await receive(timeout=1.5)
        cancel_timer(timer)
        cancel_timer(timer)
        assert await receive() == "tick"

    assert trace_of(main).split("\n")[:7] == [
        "          #PID<2 main> sets a timer of 5 s for #PID<2 main>: 'never'",
        "          #PID<2 main> sets a timer of 1 s for 'nobody': 'lost'",
        "          #PID<2 main> sets a timer of 2 s for #PID<2 main>: 'tick'",
        "    1.5 s #PID<2 main> times out: 1.5 s for a message",
        "          #PID<2 main> cancels the timer for #PID<2 main>: 'never'",
        "          #PID<2 main> cancels a timer that has fired, or was cancelled before",
        "      2 s a timer sends #PID<2 main>: 'tick'",
    ]


class Stubborn(GenServer):
    """Answers no call but those for a number."""

    async def handle_call(self, request: object, from_: object) -> Reply:
        if request == "slow":
            await trio.sleep(60)
        return Reply(1)


def test_a_call_that_times_out_names_the_server() -> None:
    async def main() -> None:
        server = (await Stubborn.start_link()).unwrap()
        await call(server, "slow")

    note = chart_of(main, AssertionError)
    assert "5 s ■   │    #PID<2 main> times out: 5 s for the answer of #PID<3 Stubborn.init>" in note
    assert re.search(r"\(#PID<3 Stubborn.init> waits at test_trace.py:\d+: await trio.sleep\(60\)\)", note)


def test_it_ends_with_what_each_process_waits_for() -> None:
    async def main() -> None:
        async def asks(server: Pid) -> None:
            await call(server, "slow")

        async def picks() -> None:
            await receive(lambda message: message == "yes")

        server = (await Stubborn.start_link()).unwrap()
        (await Stubborn.start_link()).unwrap()
        spawn(asks, server)
        spawn(picks).send("no")
        await settle()
        raise ValueError("enough")

    note = chart_of(main, ValueError)
    place = r",? at test_trace.py:\d+: await"
    for line in (
        rf"#PID<3 Stubborn.init> waits{place} trio.sleep\(60\)",
        rf"#PID<5 asks> waits for the answer of #PID<3 Stubborn.init> to 'slow'{place} call\(server, \"slow\"\).*",
        rf"#PID<6 picks> waits for a message that its pattern matches, which is none of the 1 in its mailbox{place} .*",
        r"#PID<4 Stubborn.init> waits for its next message",
    ):
        assert re.search(rf"\({line}\)", note), line


def test_a_deadlock_names_who_waits_for_whom() -> None:
    class Asks(GenServer):
        async def handle_call(self, request: Pid, from_: object) -> Reply:
            return Reply(await call(request, self_pid(), None))

    async def main() -> None:
        one = (await Asks.start_link()).unwrap()
        two = (await Asks.start_link()).unwrap()
        (await Stubborn.start_link()).unwrap()
        await call(one, two, None)

    with pytest.raises(DeadlockError) as caught:
        Schedule().run(main)
    lines = [re.sub(r"test_trace.py:\d+", "LINE", line) for line in str(caught.value).split("\n")]
    first = "at LINE: await call(one, two, None)"
    mine = "at LINE: return Reply(await call(request, self_pid(), None))"
    assert lines == [
        "no task can go on: every task waits, and no time-out will wake one",
        f"  #PID<2 main> waits for the answer of #PID<3 Asks.init> to #PID<4 Asks.init>, {first}",
        f"  #PID<3 Asks.init> waits for the answer of #PID<4 Asks.init> to #PID<3 Asks.init>, {mine}",
        f"  #PID<4 Asks.init> waits for the answer of #PID<3 Asks.init> to #PID<4 Asks.init>, {mine}",
        "  they wait for one another: #PID<3 Asks.init>, #PID<4 Asks.init>, #PID<3 Asks.init>",
        "  #PID<5 Stubborn.init> waits for its next message",
    ]


# -------------------------------------------------------------------------------------------------- how it is folded


def test_equal_lines_are_one_line() -> None:
    async def main() -> None:
        for _ in range(12):
            self_pid().send("tick")
        for _ in range(12):
            await receive()

    assert trace_of(main).split("\n")[:2] == [
        "          #PID<2 main> sends #PID<2 main>: 'tick'  x 12",
        "          #PID<2 main> takes 'tick'  x 12",
    ]


def test_lines_that_come_again_in_the_same_order_are_folded() -> None:
    async def main() -> None:
        async def echo() -> None:
            while True:
                me.send(await receive())

        me = self_pid()
        server = spawn(echo)
        for _ in range(9):
            send_after(server, "ping", 1)
            await receive()

    assert trace_of(main).split("\n")[1:5] == [
        "          #PID<2 main> sets a timer of 1 s for #PID<3 echo>: 'ping'",
        "      1 s a timer sends #PID<3 echo>: 'ping'",
        "          #PID<3 echo> sends #PID<2 main>: 'ping'",
        "      9 s (the last 3 lines, 9 times)",
    ]


def test_a_long_trace_shows_its_end() -> None:
    async def main() -> None:
        for number in range(300):
            self_pid().send(number)
        await receive()
        raise ValueError("enough")

    note = chart_of(main, ValueError)
    lines = note.split("\n")
    assert len(lines) < 110
    assert "... 202 before" in lines[2]
    assert lines[-1].endswith("#PID<2 main> exits: (ValueError) enough")


def test_no_text_is_made_while_hypothesis_explores() -> None:
    texts: list[bool] = []

    @settings(max_examples=30, database=None)
    @given(schedule())
    def look(order: Schedule) -> None:
        async def main() -> None:
            self_pid().send(order)
            assert await receive() is order
            if len(texts) > 20:
                raise ValueError("late")

        try:
            order.run(main)
        finally:
            assert order.trace.of("sends")
            texts.append(bool(order.trace.happenings[0].text))

    with pytest.raises(ValueError, match="late") as caught:
        look()
    assert texts[-1]
    assert not any(texts[:22])
    assert "sends #PID<2 main>: Schedule" in caught.value.__notes__[0]


# -------------------------------------------------------------------------------------------------- the chart


async def asks_twice() -> None:
    """Ask a process that ends after its first answer."""

    async def server() -> None:
        (await receive()).send("yes")
        raise Exit("enough")

    pid = spawn(server)
    pid.send(self_pid())
    assert await receive() == "yes"
    pid.send(self_pid())
    with pytest.raises(TimeoutError):
        await receive(timeout=3)
    raise ValueError("no answer")


def test_processes_are_columns() -> None:
    assert chart_of(asks_twice, ValueError).split("\n") == [
        "Schedule(), of 0 choices:",
        "          2   3",
        "          ●───▶    #PID<2 main> spawns #PID<3 server>",
        "          ●───▶    #PID<2 main> sends #PID<3 server>: #PID<2 main>",
        "          ◀───●    #PID<3 server> sends #PID<2 main>: 'yes'",
        "          │   ✗    #PID<3 server> exits: :enough",
        "          ■        #PID<2 main> takes 'yes'",
        "          ●───▶    #PID<2 main> sends #PID<3 server>: #PID<2 main> (which has ended)",
        "      3 s ■        #PID<2 main> times out: 3 s for a message",
        "          ✗        #PID<2 main> exits: (ValueError) no answer",
    ]


def test_it_is_a_sequence_diagram_too() -> None:
    order = Schedule()
    with pytest.raises(ValueError, match="no answer"):
        order.run(asks_twice)
    assert order.trace.mermaid().split("\n") == [
        "sequenceDiagram",
        "    participant p0 as 2 main",
        "    participant p1 as 3 server",
        "    p0-->>p1: spawns",
        "    p0->>p1: #35;PID<2 main>",
        "    p1->>p0: 'yes'",
        "    Note over p1: exits: :enough",
        "    Note over p0: takes 'yes'",
        "    p0-xp1: #35;PID<2 main> (which has ended)",
        "    Note over p0: times out: 3 s for a message",
        "    Note over p0: exits: (ValueError) no answer",
    ]
