"""The callbacks of a program: what they are given, and that no fault of theirs hurts anybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
import trio

from phxactor import KILL, Presence, open_runtime, self_pid
from phxactor.otp import Supervisor
from phxactor.presence import Grouped, events
from phxactor.runtime import Exit
from phxactor.testing import settle
from tests.presence.rooms import member, socket_of


@pytest.fixture
def failures() -> Iterator[list[Any]]:
    """Collect the events of failed callbacks."""
    found: list[Any] = []

    def note(_: object, fields: Any) -> None:  # noqa: ANN401 - an event's
        found.append((fields["callback"], fields["topic"], fields["why"]))

    events.callback_failed.attach(note)
    yield found
    events.callback_failed.detach(note)


RETURNED: dict[str, Callable[[Grouped], Grouped]] = {
    "nonsense": lambda _: None,  # type: ignore[dict-item, return-value]
    "bare": lambda _: {"bare": {"user": 1}},
    "strange": lambda _: {"stranger": {"metas": []}},
    "odd": lambda given: {"odd": {**given["odd"], "of": {1, 2}}},
    "no metas": lambda _: {"no metas": {"metas": []}},
    "no ref": lambda _: {"no ref": {"metas": [{"n": 1}]}},
    "no dict": lambda _: {"no dict": {"metas": [7]}},
}
"""What `fetch` returns for presences with one of these keys."""


async def _exit() -> None:
    raise Exit("noproc")


class Fetching(Presence):
    """Adds what it knows; by its key a presence makes it slow, or fail."""

    given: ClassVar[list[Any]] = []

    async def fetch(self, topic: str, presences: Grouped) -> Grouped:
        self.given.append((topic, {key: len(entry["metas"]) for key, entry in presences.items()}))
        if "raise" in presences:
            raise ZeroDivisionError("no such user")
        if "hang" in presences:
            await trio.sleep_forever()
        if "slow" in presences:
            await trio.sleep(1)
        if "exit" in presences:
            raise Exit("noproc")
        if "group" in presences:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_exit)
        for key in presences.keys() & RETURNED.keys():
            return RETURNED[key](presences)
        for key, entry in presences.items():
            entry["user"] = key.upper()
        return {key: entry for key, entry in presences.items() if key != "hidden"}


@pytest.fixture(autouse=True)
def _forget() -> None:
    Fetching.given.clear()
    Hearing.heard.clear()


async def test_PR24_PR47_what_fetch_adds_reaches_clients(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await Fetching.start_link()
        socket = socket_of(Fetching)
        watcher = await member(socket)
        ann = await member(socket, key="ann", meta={"n": 1})
        await member(socket, key="hidden")
        wanted = {"ann": {"metas": [{"n": 1}], "user": "ANN"}}
        assert await watcher.fold() == wanted
        assert await ann.fold() == wanted
        assert watcher.diffs[1] == {"joins": {}, "leaves": {}}
        assert list(Fetching.list("t:1")) == ["ann", "hidden"]
        assert list(await Fetching.fetched("t:1")) == ["ann"]
        assert (await Fetching.fetched_by_key("t:1", "ann"))["user"] == "ANN"  # type: ignore[call-overload]
        assert await Fetching.fetched_by_key("t:1", "hidden") == []
        assert await Fetching.fetched_by_key("t:1", "nobody") == []
        assert await Fetching.fetched("t:2") == {}


async def test_PR26_PR27a_a_slow_fetch_holds_up_its_own_topic_only(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await Fetching.start_link()
        socket = socket_of(Fetching)
        watcher, other = await member(socket), await member(socket, "t:2")
        Fetching.track("t:1", "slow")
        Fetching.given.clear()
        for n in range(100):
            Fetching.track("t:1", str(n))
        Fetching.track("t:2", "bob")
        await trio.sleep(0.5)
        assert list(await other.fold()) == ["bob"]
        assert watcher.diffs == []
        await trio.sleep(0.6)
        state = await watcher.fold()
        assert list(state) == ["slow", *map(str, range(100))]
        assert state["99"]["user"] == "99"
        assert len(watcher.diffs) == 2
        assert [len(keys) for topic, keys in Fetching.given if topic == "t:1"] == [1, 100]


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("raise", "raised ZeroDivisionError: no such user"),
        ("hang", "took longer than 5 s, and was cancelled"),
        ("nonsense", "returned None instead of a dict of presences"),
        ("bare", "returned a presence of 'bare' without metas"),
        ("exit", "raised Exit: :noproc"),
        ("group", "raised BaseExceptionGroup: Exceptions from Trio nursery (1 sub-exception)"),
        ("no metas", "returned a presence of 'no metas' with other metas"),
        ("no ref", "returned a presence of 'no ref' with other metas"),
        ("no dict", "returned a presence of 'no dict' with other metas"),
        ("strange", "returned the key 'stranger', which it was not given"),
        ("odd", "returned what JSON cannot hold: Type is not JSON serializable: set"),
    ],
)
async def test_PR27a_PR132_a_fetch_that_fails_is_logged_and_the_diff_goes_out(
    autojump_clock: trio.abc.Clock, failures: list[Any], key: str, why: str
) -> None:
    async with open_runtime():
        await Fetching.start_link()
        socket = socket_of(Fetching)
        watcher = await member(socket)
        Fetching.track("t:1", key)
        Fetching.track("t:1", "ann")
        Fetching.track("t:1", "bob")
        await trio.sleep(6)
        assert await watcher.fold() == {
            key: {"metas": [{}]},
            "ann": {"metas": [{}], "user": "ANN"},
            "bob": {"metas": [{}], "user": "BOB"},
        }
        assert failures == [("fetch", "t:1", why)]
        late = await member(socket)
        await trio.sleep(6)
        assert list(await late.fold()) == [key, "ann", "bob"]
        assert len(failures) == 2


async def test_PR27a_PR132_a_fetch_that_is_killed_or_loses_its_tracker_loses_no_diff(
    autojump_clock: trio.abc.Clock, failures: list[Any]
) -> None:
    async with open_runtime() as runtime:
        await Fetching.start_link()
        socket = socket_of(Fetching)
        watcher = await member(socket)
        Fetching.track("t:1", "hang")
        await settle()
        (fetcher,) = (pid for pid in runtime.processes.values() if pid.initial_call == "presence fetch")
        runtime.exit(fetcher, KILL)
        await settle()
        assert list(await watcher.fold()) == ["hang"]
        assert failures == [("fetch", "t:1", "was ended")]
        Fetching.untrack("t:1", "hang")
        await settle()
        supervisor = runtime.names.whereis("Fetching")
        assert supervisor is not None
        (tracker,) = (child.pid for child in await Supervisor.which_children(supervisor))
        runtime.exit(tracker, KILL)  # type: ignore[arg-type]
        await settle()
        assert await watcher.fold() == {}
        Fetching.track("t:1", "ann")
        assert list(await watcher.fold()) == ["ann"]
        await trio.sleep(6)
        assert list(await watcher.fold()) == ["ann"]
        assert len(watcher.diffs) == 3


async def test_PR56_a_state_that_changes_while_it_is_fetched_is_fetched_again(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await Fetching.start_link()
        Fetching.track("t:1", "slow")
        result: list[Grouped] = []

        async def read() -> None:
            result.append(await Fetching.fetched("t:1"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            for n in range(2):
                await trio.sleep(0.5)
                Fetching.track("t:1", f"late {n}")
        assert list(result[0]) == ["slow", "late 0", "late 1"]
        assert result[0]["late 1"]["user"] == "LATE 1"

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            for n in range(5):
                await trio.sleep(0.7)
                Fetching.untrack("t:1", f"late {n - 1}")
                Fetching.track("t:1", f"late {n}x")
        assert "late 3x" in result[1]
        assert "late 0" not in result[1]


class Hearing(Presence):
    """Notes what it hears."""

    heard: ClassVar[list[Any]] = []

    async def init(self) -> int:
        if "init" in self.heard:
            raise ZeroDivisionError
        return 0

    async def handle_metas(self, topic: str, diff: Grouped, presences: dict[str, Any], state: int) -> int:
        joins, leaves = list(diff["joins"]), list(diff["leaves"])
        if "raise" in joins:
            raise ZeroDivisionError("no")
        if "hang" in joins:
            await trio.sleep_forever()
        self.heard.append((topic, joins, leaves, {key: len(metas) for key, metas in presences.items()}, state))
        return state + 1

    async def handle_first(self, topic: str, key: str) -> None:
        self.heard.append(("first", key))
        if key == "first raises":
            raise ZeroDivisionError

    async def handle_last(self, topic: str, key: str) -> None:
        self.heard.append(("last", key))


async def test_PR28_PR29_PR31_handle_metas_takes_one_diff_after_the_other(
    autojump_clock: trio.abc.Clock, failures: list[Any]
) -> None:
    async with open_runtime():
        await Hearing.start_link()
        Hearing.track("t", "ann")
        Hearing.track("t", "raise")
        Hearing.track("t", "hang")
        Hearing.update("t", "ann", {"n": 2})
        Hearing.untrack("t", "ann")
        await trio.sleep(6)
        metas = [one for one in Hearing.heard if len(one) == 5]
        assert metas == [
            ("t", ["ann"], [], {"ann": 1}, 0),
            ("t", ["ann"], ["ann"], {"ann": 1, "raise": 1, "hang": 1}, 1),
            ("t", [], ["ann"], {"raise": 1, "hang": 1}, 2),
        ]
        assert failures == [
            ("handle_metas", "t", "raised ZeroDivisionError: no"),
            ("handle_metas", "t", "took longer than 5 s, and was cancelled"),
        ]
        Hearing.untrack_all()
        await settle()
        assert Hearing.heard[-3][3] == {}


async def test_first_and_last_are_told_for_each_key_not_for_each_process(
    autojump_clock: trio.abc.Clock, failures: list[Any]
) -> None:
    async with open_runtime():
        await Hearing.start_link()
        socket = socket_of(Hearing)
        one = await member(socket, key="ann")
        two = await member(socket, key="ann")
        one.room.push("update", {"key": "ann", "meta": {}})
        await one.client.close()
        await two.client.close()
        await settle()
        assert [call for call in Hearing.heard if len(call) == 2] == [("first", "ann"), ("last", "ann")]
        Hearing.track("t", "first raises")
        await settle()
        assert Hearing.heard[-1] == ("first", "first raises")
        assert failures == [("handle_first", "t", "raised ZeroDivisionError: ")]


async def test_PR132_callbacks_that_are_killed_begin_anew_with_those_who_are_there(
    autojump_clock: trio.abc.Clock, failures: list[Any]
) -> None:
    async with open_runtime() as runtime:
        await Hearing.start_link()
        Hearing.track("t", "ann")
        await settle()
        supervisor = runtime.names.whereis("Hearing")
        assert supervisor is not None
        children = {child.id: child.pid for child in await Supervisor.which_children(supervisor)}
        Hearing.heard.append("init")
        runtime.exit(children["callbacks"], KILL)  # type: ignore[arg-type]
        await settle()
        assert failures == [("init", None, "raised ZeroDivisionError: ")]
        Hearing.heard.clear()
        Hearing.track("t", "bob")
        Hearing.untrack("t", "ann")
        await settle()
        assert ("first", "bob") in Hearing.heard
        assert ("last", "ann") in Hearing.heard
        assert ("first", "ann") not in Hearing.heard
        assert self_pid().alive


async def test_callbacks_that_are_far_behind_take_the_difference_once_they_have_caught_up(
    autojump_clock: trio.abc.Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phxactor.presence._publisher.BACKLOG", 10)

    class Slow(Hearing):
        async def handle_metas(self, topic: str, diff: Grouped, presences: dict[str, Any], state: int) -> int:
            await trio.sleep(1)
            return await super().handle_metas(topic, diff, presences, state)

    async with open_runtime():
        await Slow.start_link()
        for n in range(50):
            Slow.track("t", f"k{n}")
            Slow.track("u", f"k{n}")
        for n in range(40):
            Slow.untrack("t", f"k{n}")
        await trio.sleep(60)
        calls = [one for one in Slow.heard if len(one) == 5]
        assert len(calls) < 20
        presences: dict[str, dict[str, int]] = {topic: counts for topic, _, _, counts, _ in calls}
        assert {topic: list(counts) for topic, counts in presences.items()} == {
            "t": [f"k{n}" for n in range(40, 50)],
            "u": [f"k{n}" for n in range(50)],
        }
        firsts = [key for kind, key in (one for one in Slow.heard if len(one) == 2) if kind == "first"]
        lasts = [key for kind, key in (one for one in Slow.heard if len(one) == 2) if kind == "last"]
        assert len(firsts) - len(lasts) == 60
        Slow.track("t", "late")
        await trio.sleep(5)
        assert Slow.heard[-1] == ("first", "late")
