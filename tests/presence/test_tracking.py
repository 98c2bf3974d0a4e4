"""Tracking of any process: what returns, what is listed, and what ends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import attrs
import pytest
import trio

from phxactor import (
    KILL,
    Application,
    Broadcast,
    Down,
    Error,
    Exited,
    Ok,
    Pid,
    Presence,
    PubSub,
    Tracker,
    monitor,
    open_runtime,
    receive,
    self_pid,
    spawn,
    trap_exit,
)
from phxactor.otp import Supervisor
from phxactor.testing import settle


class Here(Presence, pubsub=PubSub("news")):
    """Has no callbacks, and a PubSub without an endpoint."""


async def waiting() -> None:
    """Wait for the exit of a test's process."""
    await receive()


async def start() -> list[dict[str, Any]]:
    """Start both, subscribe this process to `t`, and return a list that all its diffs are to be put into."""
    (await PubSub("news").start_link()).unwrap()
    (await Here.start_link()).unwrap()
    PubSub("news").subscribe("t")
    return []


async def diffs() -> list[dict[str, Any]]:
    """Take the diffs that have come."""
    await settle()
    found: list[dict[str, Any]] = []
    while True:
        try:
            message = await receive(lambda message: isinstance(message, Broadcast), timeout=0)
        except TimeoutError:
            return found
        assert isinstance(message, Broadcast)
        assert message.event == "presence_diff"
        found.append({"joins": _keys(message.payload, "joins"), "leaves": _keys(message.payload, "leaves")})


def _keys(payload: Any, kind: str) -> dict[str, int]:  # noqa: ANN401 - a diff
    return {key: len(entry["metas"]) for key, entry in payload[kind].items()}


async def test_PR1_PR18_PR33_track_returns_the_ref_and_the_list_has_it(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await start()
        given = {"at": 1}
        tracked = Here.track("t", "ann", given)
        assert isinstance(tracked, Ok)
        assert Here.list("t") == {"ann": {"metas": [{"at": 1, "phx_ref": tracked.value}]}}
        assert given == {"at": 1}
        assert Here.list("u") == {}
        assert await diffs() == [{"joins": {"ann": 1}, "leaves": {}}]


async def test_PR2_the_same_key_twice_is_refused_and_others_are_not(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await start()
        Here.track("t", "ann", {"n": 1})
        assert Here.track("t", "ann", {"n": 2}) == Error(("already_tracked", self_pid(), "t", "ann"))
        assert isinstance(Here.track("t", "bob"), Ok)
        assert isinstance(Here.track("u", "ann"), Ok)
        assert Here.list("t")["ann"]["metas"][0]["n"] == 1
        assert Here.topics() == {"t": 2, "u": 1}


@pytest.mark.parametrize("meta", [[1], "x", 7, Pid, object()])
async def test_PR4_a_meta_that_is_no_dict_raises_at_once(autojump_clock: trio.abc.Clock, meta: object) -> None:
    async with open_runtime():
        await start()
        with pytest.raises(TypeError, match="a meta is a dict"):
            Here.track("t", "ann", meta)
        assert Here.list("t") == {}


async def test_PR4_a_meta_that_json_cannot_hold_raises_at_once(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await start()
        with pytest.raises(TypeError, match="cannot be written as JSON"):
            Here.track("t", "ann", {"of": {1, 2}})
        with pytest.raises(TypeError, match="cannot be written as JSON"):
            Here.track("t", "\ud800", {})
        assert Here.list("t") == {}
        assert await diffs() == []


@attrs.frozen
class Who:
    """A meta with types."""

    name: str
    tags: list[str]


def more(who: Who) -> Who:
    """Add a tag; the annotation says what the meta becomes."""
    assert type(who) is Who
    return attrs.evolve(who, tags=[*who.tags, "y"])


async def test_typed_metas_are_instances_of_classes(autojump_clock: trio.abc.Clock) -> None:
    @dataclass
    class Plain:
        name: str

    async with open_runtime():
        await start()
        Here.track("t", "ann", Who("Ann", ["x"]))
        Here.track("t", "bob", Plain("Bob"))
        Here.update("t", "bob", lambda old: Plain(old["name"] + "by"))
        Here.update("t", "ann", more)
        metas = [entry["metas"][0] for entry in Here.list("t").values()]
        assert [{name: meta[name] for name in meta if name[:3] != "phx"} for meta in metas] == [
            {"name": "Ann", "tags": ["x", "y"]},
            {"name": "Bobby"},
        ]


async def test_PR5_refs_in_a_meta_are_ours(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await start()
        tracked = Here.track("t", "ann", {"phx_ref": "mine", "phx_ref_prev": "older", "n": 1})
        assert Here.list("t")["ann"]["metas"] == [{"phx_ref": tracked.unwrap(), "n": 1}]


async def test_PR6a_a_key_is_text_from_the_first_moment(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await start()
        Here.track("t", 1)
        assert Here.track("t", "1") == Error(("already_tracked", self_pid(), "t", "1"))
        assert Here.get_by_key("t", 1) == Here.get_by_key("t", "1") != []
        assert isinstance(Here.update("t", "1", {}), Ok)
        Here.untrack("t", 1)
        assert Here.list("t") == {}
        for key in ("", "__proto__", "constructor", "😀"):
            Here.track("t", key)
        assert list(Here.list("t")) == ["", "__proto__", "constructor", "😀"]
        for wrong in (None, b"x"):
            with pytest.raises(TypeError, match="a key is the text"):
                Here.track("t", wrong)


async def test_PR7_PR8_PR11_PR12_updates_replace_and_chain_refs(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await start()
        first = Here.track("t", "ann", {"a": 1, "b": 1}).unwrap()
        second = Here.update("t", "ann", {"a": 2}).unwrap()
        assert Here.list("t")["ann"]["metas"] == [{"a": 2, "phx_ref": second, "phx_ref_prev": first}]
        given: list[dict[str, Any]] = []

        def again(meta: dict[str, Any]) -> dict[str, Any]:
            given.append(dict(meta))
            meta["more"] = True
            return meta

        third = Here.update("t", "ann", again).unwrap()
        assert given == [{"a": 2, "phx_ref": second, "phx_ref_prev": first}]
        same = {"a": 2, "more": True}
        assert Here.list("t")["ann"]["metas"] == [{**same, "phx_ref": third, "phx_ref_prev": second}]
        fourth = Here.update("t", "ann", same).unwrap()
        assert Here.list("t")["ann"]["metas"] == [{**same, "phx_ref": fourth, "phx_ref_prev": third}]
        both = {"joins": {"ann": 1}, "leaves": {"ann": 1}}
        assert await diffs() == [{"joins": {"ann": 1}, "leaves": {}}, both, both, both]
        Here.untrack("t", "ann")
        Here.track("t", "ann")
        assert "phx_ref_prev" not in Here.list("t")["ann"]["metas"][0]


async def test_PR9a_PR132_a_function_that_fails_changes_nothing(autojump_clock: trio.abc.Clock) -> None:
    def fail(_: object) -> dict[str, Any]:
        raise ZeroDivisionError

    async with open_runtime():
        await start()
        Here.track("t", "ann", {"n": 1})
        before = Here.list("t")
        with pytest.raises(ZeroDivisionError):
            Here.update("t", "ann", fail)
        with pytest.raises(TypeError, match="a meta is a dict"):
            Here.update("t", "ann", lambda _: 7)
        assert Here.list("t") == before
        assert len(await diffs()) == 1


async def test_a_function_that_updates_the_same_key_itself_wins_no_race(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await start()
        Here.track("t", "ann", {"n": 1})

        def inner(_: object) -> dict[str, Any]:
            Here.update("t", "ann", {"n": 2})
            return {"n": 3}

        def gone(_: object) -> dict[str, Any]:
            Here.untrack("t", "ann")
            return {"n": 4}

        Here.update("t", "ann", inner)
        assert Here.list("t")["ann"]["metas"][0]["n"] == 3
        assert Here.update("t", "ann", gone) == Error("nopresence")
        assert Here.list("t") == {}
        assert [one["joins"] for one in await diffs()] == [{"ann": 1}] * 3 + [{}]


async def test_PR10_PR13_what_is_not_tracked(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await start()
        assert Here.update("t", "ann", {}) == Error("nopresence")
        Here.untrack("t", "ann")
        Here.untrack_all()
        assert await diffs() == []


async def test_PR14_untracking_wholly_is_one_diff_for_each_topic(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await start()
        PubSub("news").subscribe("u")
        for topic in ("t", "u"):
            for key in ("ann", "bob"):
                Here.track(topic, key)
        await diffs()
        Here.untrack_all()
        assert await diffs() == [{"joins": {}, "leaves": {"ann": 1, "bob": 1}}] * 2
        assert Here.statistics().processes == 0
        assert [one.__self__ for one in self_pid().resources or {}] == [PubSub("news")._tables(self_pid().runtime)]  # type: ignore[attr-defined] # noqa: SLF001 - nothing of Here is left there


@pytest.mark.parametrize("reason", [KILL, "shutdown", "crashed"])
async def test_PR15_PR126_an_end_leaves_before_anybody_hears_of_it(autojump_clock: trio.abc.Clock, reason: str) -> None:
    async with open_runtime() as runtime:
        await start()
        trap_exit()
        other = spawn(waiting)
        Here.track("t", "ann", pid=other)
        Here.track("t", "bob", pid=other)
        assert len(Here.list("t")) == 2
        monitor(other)
        runtime.exit(other, reason)
        await receive(lambda message: isinstance(message, Down))
        assert Here.list("t") == {}
        assert (await diffs())[1:] == [
            {"joins": {"bob": 1}, "leaves": {}},
            {"joins": {}, "leaves": {"ann": 1, "bob": 1}},
        ]


async def test_PR16_a_process_that_has_ended_is_not_tracked(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await start()

        async def nothing() -> None: ...

        gone = spawn(nothing)
        await settle()
        assert Here.track("t", "ann", pid=gone) == Error("noproc")
        assert Here.list("t") == {}
        assert await diffs() == []


async def test_PR20a_PR22_reading_one_key(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await start()
        ref = Here.track("t", "ann", {"n": 1}).unwrap()
        assert Here.get_by_key("t", "ann") == {"metas": [{"n": 1, "phx_ref": ref}]}
        assert Here.get_by_key("t", "bob") == []
        assert Here.get_by_key("u", "ann") == []
        assert Here.count("t") == 1
        assert Here.count("u") == 0


async def test_a_list_is_the_callers_own(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await start()
        Here.track("t", "ann")
        taken = Here.list("t")
        taken["ann"]["metas"].clear()
        taken["bob"] = {}
        assert list(Here.list("t")) == ["ann"]
        assert len(Here.list("t")["ann"]["metas"]) == 1


async def test_PR30_who_is_tracked_outlives_the_trackers_process(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime() as runtime:
        await start()
        supervisor = runtime.names.whereis("Here")
        assert supervisor is not None
        Here.track("t", "ann")
        other = spawn(waiting)
        Here.track("t", "bob", pid=other)
        await diffs()
        (child,) = await Supervisor.which_children(supervisor)
        assert isinstance(child.pid, Pid)
        runtime.exit(other, KILL)
        runtime.exit(child.pid, KILL)
        await settle()
        assert list(Here.list("t")) == ["ann"]
        assert await diffs() == [{"joins": {}, "leaves": {"bob": 1}}]
        Here.track("t", "cid")
        assert await diffs() == [{"joins": {"cid": 1}, "leaves": {}}]
        another = spawn(waiting)
        Here.track("t", "dan", pid=another)
        runtime.exit(another, KILL)
        assert (await diffs())[-1] == {"joins": {}, "leaves": {"dan": 1}}


async def test_PR30_with_its_supervisor_the_tracked_processes_end(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime() as runtime:
        await start()
        trap_exit()
        other = spawn(waiting)
        Here.track("t", "bob", pid=other)
        Here.track("t", "ann")
        supervisor = runtime.names.whereis("Here")
        assert supervisor is not None
        runtime.exit(supervisor, KILL)
        await settle()
        assert not other.alive
        exits = [await receive(lambda one: isinstance(one, Exited), timeout=0) for _ in range(2)]
        assert all(isinstance(one, Exited) and one.pid is supervisor for one in exits)


async def test_PR49_PR50_PR134_refs_are_never_used_twice(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await start()
        refs = set()
        for n in range(300):
            refs.add(Here.track(f"t{n % 3}", str(n)).unwrap())
            refs.add(Here.update(f"t{n % 3}", str(n), {}).unwrap())
        assert len(refs) == 600
        assert {len(ref) for ref in refs} == {16}


async def test_PR151_more_updates_than_allowed_are_refused(autojump_clock: trio.abc.Clock) -> None:
    class Slow(Presence, max_updates_per_second=2):
        pass

    async with open_runtime():
        await Slow.start_link()
        Slow.track("t", "ann", {"n": 0})
        results = [Slow.update("t", "ann", {"n": n}) for n in range(5)]
        assert [isinstance(one, Ok) for one in results] == [True, True, False, False, False]
        assert results[-1] == Error("too_many_updates")
        await trio.sleep(1)
        assert isinstance(Slow.update("t", "ann", {"n": 9}), Ok)
        Slow.untrack_all()


async def test_PR23_PR32_PR152_a_tracker_counts_without_clients(autojump_clock: trio.abc.Clock) -> None:
    heard: list[Any] = []

    class Visitors(Tracker):
        async def init(self) -> int:
            return 0

        async def handle_diff(self, diff: dict[str, Any], state: int) -> int:
            heard.append((diff, state))
            return state + 1

    async with open_runtime():
        await Visitors.start_link()
        me = self_pid()
        other = spawn(waiting)
        ref = Visitors.track("shop", "s1").unwrap()
        Visitors.track("shop", "s1", {"n": 2}, pid=other)
        assert Visitors.count("shop") == 1
        assert [key for key, _ in Visitors.list("shop")] == ["s1", "s1"]
        assert [pid for pid, _ in Visitors.get_by_key("shop", "s1")] == [me, other]
        assert Visitors.list("other") == []
        assert Visitors.get_by_key("other", "s1") == []
        me.runtime.exit(other, KILL)
        await settle()
        assert heard[0] == ({"shop": ([("s1", {"phx_ref": ref})], [])}, 0)
        assert [state for _, state in heard] == [0, 1, 2]
        assert heard[2][0]["shop"][1][0][1]["n"] == 2


async def test_it_is_a_child_of_an_application_ahead_of_the_endpoint(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await Application(children=[PubSub("news"), Here]).start_link()
        assert Here.runs()
        again = await Here.start_link()
        assert isinstance(again, Error)
        assert str(again.reason).startswith("('already_started', ")


def test_wrong_options_and_callbacks_are_refused_when_the_class_is_made() -> None:
    with pytest.raises(ValueError, match="max_meta_bytes"):
        type("Wrong", (Presence,), {}, max_meta_bytes=0)
    with pytest.raises(TypeError, match="pubsub must be"):
        type("Wrong", (Presence,), {}, pubsub="news")
    with pytest.raises(ValueError, match="max_updates_per_second"):
        type("Wrong", (Presence,), {}, max_updates_per_second=0)
    with pytest.raises(ValueError, match="cannot be a name"):
        type("Wrong", (Presence,), {}, name="")
    with pytest.raises(TypeError, match="fetch is awaited"):
        type("Wrong", (Presence,), {"fetch": lambda *_: {}})
    with pytest.raises(TypeError, match="handle_diff is awaited"):
        type("Wrong", (Tracker,), {"handle_diff": lambda *_: None})
