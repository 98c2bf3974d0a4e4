"""Schedules: the same each time, many of them, and the plainest one that fails."""

from __future__ import annotations

import re
import threading
from collections.abc import Awaitable, Callable, MutableSequence
from functools import partial
from itertools import permutations

import pytest
import trio
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from phxactor import Channel, Endpoint, Ok, Socket, WebSocketOptions, channel, mount, on
from phxactor.channels import Payload
from phxactor.client import connect
from phxactor.otp import Agent, GenServer, Reply, call
from phxactor.runtime import Down, From, Monitor, monitor, open_runtime, receive, self_pid, send_after, spawn
from phxactor.testing import settle
from phxactor.testing._faults_line import FaultyLine
from phxactor.testing.exploration import _steps as schedule_steps
from phxactor.testing.exploration._chance import Chance
from phxactor.testing.schedule import DeadlockError, Schedule
from phxactor.testing.strategies import schedule

PREFIX = "test_the_trace_of_a_failure_says_who_did_what_to_whom.<locals>.unlucky.<locals>."
Body = Callable[..., Awaitable[object]]


def is_down(watch: Monitor, message: object) -> bool:
    """Tell whether it is the `Down` of a monitor."""
    return isinstance(message, Down) and message.ref is watch


async def all_of(*bodies: Body) -> None:
    """Run bodies as processes, and wait until all have ended."""
    for watch in [monitor(spawn(body)) for body in bodies]:
        await receive(partial(is_down, watch))


async def race(count: int = 4) -> list[int]:
    """Have processes run, and return the order in which they did."""
    arrived: list[int] = []

    async def run(number: int) -> None:
        await trio.lowlevel.checkpoint()
        arrived.append(number)

    await all_of(*(partial(run, number) for number in range(count)))
    return arrived


class Account(GenServer):
    """Money that one can look at, and change."""

    async def init(self) -> None:
        self.money = 0

    async def handle_call(self, request: object, from_: From) -> Reply:
        if isinstance(request, int):
            self.money = request
        return Reply(self.money)


async def deposits() -> None:
    """Two who each look at an account, then pay in: one deposit is lost if they do so at once."""
    account = (await Account.start_link()).unwrap()

    async def pay_in() -> None:
        money = await call(account, "look")
        assert isinstance(money, int)
        await call(account, money + 10)

    async def later() -> None:
        await trio.sleep(1)
        for _ in range(8):
            await trio.lowlevel.checkpoint()
        await pay_in()

    async def on_time() -> None:
        await trio.sleep(1)
        await pay_in()

    await all_of(on_time, later)
    assert await call(account, "look") == 20


# --------------------------------------------------------------------------------------------- orders


def test_without_choices_it_is_first_come_first_served() -> None:
    assert Schedule().run(race) == [0, 1, 2, 3]


def test_seeds_give_other_orders_and_the_same_again() -> None:
    orders = set()
    for seed in range(50):
        first, again = Schedule(seed), Schedule(seed)
        order = first.run(race)
        assert again.run(race) == order
        assert str(again.trace) == str(first.trace)
        orders.add(tuple(order))
    assert len(orders) > 12  # of 24


def test_what_a_schedule_prints_makes_it_again() -> None:
    first = Schedule(7)
    order = first.run(race)
    again = eval(repr(first))  # noqa: S307 - what a failure shows is to be pasted into a test
    assert again.run(race) == order
    assert str(again.trace) == str(first.trace)
    assert repr(again) == repr(first)


@pytest.mark.parametrize("order", [Schedule({0: 2}), Schedule(7)])
def test_a_schedule_may_be_played_again(order: Schedule) -> None:
    assert order.run(race) == order.run(race) != [0, 1, 2, 3]


def test_before_it_is_played_a_schedule_prints_what_it_was_made_of() -> None:
    assert [repr(Schedule()), repr(Schedule(7)), repr(Schedule({4: 1}))] == [
        "Schedule()",
        "Schedule(7)",
        "Schedule({4: 1})",
    ]


def test_those_who_wait_wait_for_all_others() -> None:
    assert {tuple(Schedule({number: 1}).run(race)) for number in range(4)} >= {(0, 1, 2, 3), (1, 2, 3, 0)}


def test_a_process_may_rest_between_any_two_messages() -> None:
    async def letters() -> str:
        seen: list[str] = []

        async def reader() -> None:
            for _ in range(3):
                seen.append(str(await receive()))  # noqa: PERF401 - one after the other, and others in between

        async def other() -> None:
            seen.append("-")

        pid = spawn(reader)
        watch = monitor(pid)
        for letter in "abc":
            pid.send(letter)
        await all_of(other)
        await receive(lambda message: getattr(message, "ref", None) is watch)
        return "".join(seen)

    assert Schedule().run(letters) == "abc-"
    assert {Schedule(seed).run(letters) for seed in range(60)} >= {"abc-", "ab-c", "a-bc", "-abc"}


def test_a_reply_behind_a_time_out_is_found() -> None:
    async def late() -> str:
        main = self_pid()

        async def slow() -> None:
            main.send("slow")

        spawn(slow)
        try:
            first = await receive(timeout=1)
        except TimeoutError:
            return "timeout, then " + str(await receive())
        return str(first)

    assert {Schedule(seed).run(late) for seed in range(40)} == {"slow", "timeout, then slow"}
    assert {Schedule(seed, timeouts=0).run(late) for seed in range(40)} == {"slow"}
    assert repr(Schedule({0: 1}, timeouts=0)) == "Schedule({0: 1}, timeouts=0)"


def test_a_long_time_out_passes_only_when_no_other_can_run() -> None:
    async def patient() -> None:
        server = (await Account.start_link()).unwrap()
        for _ in range(6):
            send_after(self_pid(), "tick", 1.0)  # five of them make the five seconds of a call
        await call(server, "look")
        await call(server, "look")

    for seed in range(100):
        Schedule(seed).run(patient)


def test_a_selective_receive_that_gets_another_message_is_no_choice() -> None:
    async def selective() -> int:
        async def waits() -> None:
            await receive(lambda message: message == "yes")

        pid = spawn(waits)
        watch = monitor(pid)
        await settle()
        for message in ("no", "no", "yes"):
            pid.send(message)
            await trio.lowlevel.checkpoint()
        await receive(partial(is_down, watch))
        return len(pid.mailbox)

    order = Schedule()
    order.run(selective)
    assert order.counts == [2]  # only the message that it wants makes it ready


def test_the_tasks_of_a_nursery_are_part_of_it() -> None:
    async def nursery() -> str:
        seen = []

        async def run(letter: str) -> None:
            await trio.lowlevel.checkpoint()
            seen.append(letter)

        async with trio.open_nursery() as nursery:
            for letter in "ab":
                nursery.start_soon(run, letter)
        return "".join(seen)

    assert {Schedule(seed).run(nursery) for seed in range(10)} == {"ab", "ba"}


def test_time_is_virtual() -> None:
    async def hours() -> float:
        send_after(self_pid(), "late", 7200)
        await receive()
        return trio.current_time()

    assert Schedule(1).run(hours) == 7200


class Echo(Channel):
    """Answers what it is sent."""

    @on("echo")
    async def echo(self, payload: Payload) -> Ok[Payload]:
        return Ok(payload)


class UserSocket(Socket):
    channels = (channel("room:*", Echo),)


async def a_line_that_breaks() -> None:
    """A whole endpoint and a client, who comes back after the line between them has broken."""
    endpoint = Endpoint(sockets=[mount("/socket", UserSocket, websocket=WebSocketOptions(check_origin=False))])
    (await endpoint.start_link(server=False)).unwrap()
    lines: list[FaultyLine] = []

    async def open_stream() -> trio.abc.Stream:
        lines.append(FaultyLine())
        await endpoint.serve_stream(lines[-1].server)
        return lines[-1].client

    url = "ws://app.test/socket/websocket"
    async with connect(url, open_stream=open_stream, reconnect_after=float, rejoin_after=float) as socket:
        rooms = [await socket.join(f"room:{number}") for number in range(3)]
        lines[0].drop()
        await trio.sleep(10)
        assert [await room.push("echo", {"n": 1}) for room in rooms] == [{"n": 1}] * 3


@pytest.mark.parametrize("seed", range(1, 4))
def test_an_endpoint_and_its_client_do_the_same_again(seed: int) -> None:
    first, again = Schedule(seed), Schedule(seed)
    first.run(a_line_that_breaks)
    again.run(a_line_that_breaks)
    assert str(again.trace) == str(first.trace)
    assert again.deviations == first.deviations != {}


# ------------------------------------------------------------------------------------- with Hypothesis


def failure_of(main: Body, error: type[BaseException] = AssertionError) -> str:
    """Let Hypothesis look for an order in which it fails; return the notes of the one that it ends with."""

    @settings(max_examples=300, database=None, derandomize=True, phases=[Phase.generate, Phase.shrink])
    @given(schedule())
    def look(order: Schedule) -> None:
        order.run(main)

    with pytest.raises(error) as caught:
        look()
    return "\n".join(caught.value.__notes__)


def test_hypothesis_finds_a_race_and_shrinks_it_to_few_choices() -> None:
    Schedule().run(deposits)  # it does not show by itself
    notes = failure_of(deposits)
    order = eval(notes.partition(", of ")[0])  # noqa: S307
    with pytest.raises(AssertionError):
        order.run(deposits)
    assert len(order.deviations) == 1


def test_the_trace_of_a_failure_says_who_did_what_to_whom() -> None:
    async def unlucky() -> None:
        log: list[str] = []

        async def first() -> None:
            await trio.lowlevel.checkpoint()
            log.append("first")

        async def second() -> None:
            await trio.lowlevel.checkpoint()
            log.append("second")

        await all_of(first, second)
        assert log == ["first", "second"]

    lines = failure_of(unlucky).splitlines()
    assert re.fullmatch(r"Schedule\({[0-9]+: 1}\), of [0-9]+ choices:", lines[0])
    assert [line[line.rfind("   ") :].strip() for line in lines[2:10]] == [
        "#PID<2 main> spawns and monitors #PID<3 first>",
        "#PID<2 main> spawns and monitors #PID<4 second>",
        "(#PID<3 first> must wait for the others)",
        "#PID<4 second> exits: :normal (Down to #PID<2 main>)",
        "#PID<3 first> exits: :normal (Down to #PID<2 main>)",
        "#PID<2 main> takes Down(#PID<3 first>, :normal)",
        "#PID<2 main> takes Down(#PID<4 second>, :normal)",
        "#PID<2 main> exits: (AssertionError) assert ['second', 'first'] == ['first', 'second']",
    ]


def test_all_orders_of_a_small_program_are_tried() -> None:
    orders: list[tuple[int, ...]] = []

    @settings(max_examples=100, database=None, derandomize=True)
    @given(schedule())
    def play(order: Schedule) -> None:
        orders.append(tuple(order.run(race, 3)))

    play()
    assert set(orders) == set(permutations(range(3)))


@given(schedule(), st.data())
def test_other_draws_may_be_made_within_a_play(order: Schedule, data: st.DataObject) -> None:
    async def main() -> int:
        await race()
        return data.draw(st.integers(1, 3))

    assert order.run(main) in (1, 2, 3)


# --------------------------------------------------------------------------------------------- the end


def test_who_waits_for_ever_is_told_of() -> None:
    async def forgotten() -> None:
        await receive()

    with pytest.raises(DeadlockError, match="every task waits") as caught:
        Schedule(1).run(forgotten)
    assert "of 0 choices" in caught.value.__notes__[0]


def test_who_never_ends_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule_steps, "STEPS", 200)

    async def busy() -> None:
        while True:  # noqa: ASYNC110 - for no reason, that is the point
            await trio.sleep(1)

    with pytest.raises(DeadlockError, match="no end in sight"):
        Schedule().run(busy)


def test_a_first_process_that_is_told_to_end_has_no_result() -> None:
    async def main() -> None:
        self_pid().exit("shutdown")

    with pytest.raises(AssertionError, match="before it returned a result"):
        Schedule().run(main)


async def test_it_orders_the_tasks_of_a_test_that_runs_already() -> None:
    with Schedule(3).playing() as trace:
        async with open_runtime():
            agent = (await Agent.start_link(lambda: 1)).unwrap()
            assert await Agent.get(agent, lambda state: state) == 1
    assert trace.of("spawns")


def test_the_trio_of_another_thread_keeps_its_own_order() -> None:
    orders: list[list[int]] = []

    async def main() -> None:
        thread = threading.Thread(target=lambda: orders.append(trio.run(runtime_of_its_own)))
        thread.start()
        thread.join()

    async def runtime_of_its_own() -> list[int]:
        async with open_runtime():
            return await race()
        raise AssertionError

    Schedule(1).run(main)
    assert sorted(orders[0]) == [0, 1, 2, 3]


@pytest.mark.parametrize("left", [0, 2], ids=["trio does not ask", "trio asks for two at once"])
def test_a_trio_that_runs_tasks_in_another_way_is_refused(monkeypatch: pytest.MonkeyPatch, left: int) -> None:
    """See the loop in `trio._core._run.unrolled_run`: `schedule_steps` has to follow it."""
    asked = Chance.shuffle

    def shuffle(chance: Chance, batch: MutableSequence[trio.lowlevel.Task]) -> None:
        if len(batch) >= left > 0:
            others = [batch.pop(0) for _ in range(left - 1)]
            asked(chance, batch)
            batch.extend(others)

    monkeypatch.setattr(Chance, "shuffle", shuffle)
    with pytest.raises(ImportError, match=r"^phxactor does not fit trio [0-9.]+: .* known to fit trio"):
        Schedule(1).run(race)


def test_how_the_others_were_stopped_after_a_failure_is_no_part_of_its_trace() -> None:
    async def main() -> None:
        spawn(trio.sleep_forever)
        await trio.lowlevel.checkpoint()
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough") as caught:
        Schedule().run(main)
    assert ":shutdown" not in caught.value.__notes__[0]
    assert "#PID<2 main> exits: (ValueError) enough" in caught.value.__notes__[0]
