"""Large topics: few diffs, one encoding for many, little memory."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable
from functools import partial

import orjson
import trio

from phxactor import KILL, Pid, Presence, PubSub, open_runtime, spawn
from phxactor.presence._options import AT_ONCE, LONGEST, window_of
from phxactor.presence._set import PresenceSet
from phxactor.presence._tables import Tables
from phxactor.runtime import own
from phxactor.testing import settle
from tests.presence.rooms import member, socket_of


class Many(Presence, pubsub=PubSub("news")):
    """Has no callbacks."""


def test_PR45_PR146_the_window_grows_with_the_topic() -> None:
    assert [window_of(count) for count in (0, 1, AT_ONCE, 1_000, 10_000)] == [0.0, 0.0, 0.0, 0.01, 0.1]
    assert window_of(10_000_000) == LONGEST


async def living(count: int) -> list[Pid]:
    """Start processes that wait."""
    pids = [spawn(trio.sleep_forever) for _ in range(count)]
    await settle()
    return pids


def tables_of(pid: Pid) -> Tables:
    """Return the tables of the Presence in a process's runtime."""
    tables = Tables.found("Many", pid.runtime)
    assert tables is not None
    return tables


async def test_PR45_PR127_PR146_a_storm_is_few_diffs_and_all_clients_are_right(
    autojump_clock: trio.abc.Clock,
) -> None:
    async with open_runtime() as runtime:
        await Many.start_link()
        socket = socket_of(Many)
        early = await member(socket)
        pids = await living(3000)
        for number, pid in enumerate(pids):
            Many.track("t:1", f"k{number}", pid=pid)
        late = await member(socket, key="late")
        for pid in pids[:2000]:
            runtime.exit(pid, KILL)
        await trio.sleep(2)
        assert await early.fold() == await late.fold()
        assert set(await late.fold()) == set(Many.list("t:1"))
        assert len(Many.list("t:1")) == 1001
        assert len(early.diffs) < AT_ONCE + 10
        assert len(late.diffs) < 5


async def test_PR140_PR147_the_state_is_encoded_once_between_two_diffs(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await Many.start_link()
        pids = await living(1001)
        for number, pid in enumerate(pids[:1000]):
            Many.track("t", f"k{number}", pid=pid)
        await trio.sleep(1)
        states = tables_of(pids[0]).states
        first = states.state("t")
        assert states.state("t") is first
        assert len(orjson.loads(first)) == 1000
        Many.track("t", "now", pid=pids[1000])  # the first diff after a while goes out at once
        second = states.state("t")
        assert "now" in orjson.loads(second)
        Many.update("t", "now", {"n": 1}, pid=pids[1000])
        assert states.state("t") is second
        await trio.sleep(1)
        assert orjson.loads(states.state("t"))["now"]["metas"][0]["n"] == 1


async def test_PR140_a_large_list_is_made_once_for_each_change(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await Many.start_link()
        pids = await living(1001)
        for number, pid in enumerate(pids[:1000]):
            Many.track("t", f"k{number}", pid=pid)
        first = Many.list("t")
        again = Many.list("t")
        assert again == first
        assert all(again[key] is first[key] for key in first)
        first.clear()
        assert Many.list("t") == again, "the dict itself belongs to the caller"
        for change in (
            lambda: Many.track("t", "new", pid=pids[1000]),
            lambda: Many.update("t", "new", {"n": 1}, pid=pids[1000]),
            lambda: Many.untrack("t", "new", pid=pids[1000]),
        ):
            change()
            later = Many.list("t")
            assert ("new" in later) == (Many.get_by_key("t", "new") != [])
            assert later.get("new", []) == Many.get_by_key("t", "new")
            assert later["k0"] is not again["k0"]
            again = later


async def test_PR131_PR145_a_tracked_process_takes_little_and_leaves_nothing(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime() as runtime:
        await Many.start_link()
        pids = await living(2000)
        tables = tables_of(pids[0])
        for pid in pids:
            own(pid, print)  # as each channel has, from its PubSub
        for topics in (1, len(pids)):
            gc.collect()
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            for number, pid in enumerate(pids):
                Many.track(f"t{number % topics}", f"user {number}", {"online_at": 1_700_000_000 + number}, pid=pid)
                tables.states.state(f"t{number % topics}")
            await trio.sleep(2)
            taken = tracemalloc.get_traced_memory()[0] - before
            tracemalloc.stop()
            assert taken / len(pids) < 1536
            for pid in pids:
                Many.untrack_all(pid=pid)
            await trio.sleep(2)
            assert Many.topics() == {}
            assert not list(tables.set.owners())
            assert not tables.publisher._publications  # noqa: SLF001 - that nothing stays is what the test is about
        for pid in pids:
            runtime.exit(pid, "shutdown")


def cpu_of(work: Callable[[], object]) -> float:
    """Return the CPU time of a piece of work in seconds, the least of some."""
    found = []
    for _ in range(5):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def test_PR138_PR141_PR142_PR143_the_work_is_the_size_of_the_change_not_of_the_topic() -> None:
    def knowing(count: int) -> tuple[PresenceSet, PresenceSet]:
        """Make a replica with that many elements in one topic, and one that knows them all."""
        one, other = PresenceSet("one"), PresenceSet("other")
        for n in range(count):
            one.join(n, "t", f"k{n}", {"n": n})
        other.up("one")
        other.merge(one.since(0))
        return one, other

    def some(one: PresenceSet, other: PresenceSet) -> None:
        """Have some leave and others come, tell of it, and look at a few keys."""
        for n in range(100):
            one.drop(n)
            other.merge(one.since(one.number - 1))
            one.join(n, "t", f"k{n}", {"n": n})
            other.merge(one.since(one.number - 1))
            assert other.online.topics["t"].metas(f"k{n}") == [{"n": n}]

    small, large = (cpu_of(partial(some, *knowing(count))) for count in (100, 100_000))
    assert large < 4 * small, f"{large:.4f} s of CPU, and {small:.4f} s with a thousandth of the elements"
