"""Presence in channels: what clients get, and in what order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar

import pytest
import trio

from phxactor import Channel, Error, Ok, Presence, PubSub, Socket, channel, open_runtime
from phxactor.channels import Payload
from phxactor.presence import events
from phxactor.runtime import NoProcessError
from phxactor.socket import Message, Reply
from phxactor.testing import connect, settle
from tests.presence.rooms import Room, member, socket_of


class Here(Presence):
    """Has no callbacks."""


@pytest.fixture
async def socket(autojump_clock: trio.abc.Clock) -> AsyncIterator[type[Socket]]:
    async with open_runtime():
        (await Here.start_link()).unwrap()
        yield socket_of(Here)


async def test_PR46_PR47_PR57_PR58_PR59_reply_then_diff_and_state(socket: type[Socket]) -> None:
    ann = await member(socket, key="ann")
    await settle()
    reply, diff, state = ann.client.received
    assert isinstance(reply, Reply)
    assert isinstance(diff, Message)
    assert isinstance(state, Message)
    (meta,) = Here.list("t:1")["ann"]["metas"]
    assert (diff.event, diff.join_ref) == ("presence_diff", None)
    assert diff.payload == {"joins": {"ann": {"metas": [meta]}}, "leaves": {}}
    assert (state.event, state.join_ref) == ("presence_state", ann.room.join_ref)
    assert state.payload == {"ann": {"metas": [meta]}}
    assert meta["at"] == "t0"
    assert len(meta["phx_ref"]) == 16


async def test_PR46_who_only_watches_gets_an_empty_state_and_then_diffs(socket: type[Socket]) -> None:
    watcher = await member(socket)
    assert await watcher.fold() == {}
    assert watcher.held is None
    ann = await member(socket, key="ann")
    assert await watcher.fold() == {"ann": {"metas": [{"at": "t0"}]}}
    ann.room.push("update", {"key": "ann", "meta": {"at": "t1"}})
    assert await watcher.fold() == {"ann": {"metas": [{"at": "t1"}]}}
    ann.room.leave()
    assert await watcher.fold() == {}
    assert len(watcher.diffs) == 3


async def test_PR3_PR15_two_tabs_of_one_person_are_one_key(socket: type[Socket]) -> None:
    watcher = await member(socket)
    first = await member(socket, key="ann", meta={"tab": 1})
    second = await member(socket, key="ann", meta={"tab": 2})
    assert await watcher.fold() == {"ann": {"metas": [{"tab": 1}, {"tab": 2}]}}
    await first.client.close()
    assert await watcher.fold() == {"ann": {"metas": [{"tab": 2}]}}
    second.room.push("crash")
    assert await watcher.fold() == {}
    assert Here.list("t:1") == {}


async def test_PR34_PR51_an_update_is_one_diff_and_names_the_ref_before(socket: type[Socket]) -> None:
    ann = await member(socket, key="ann")
    (before,) = Here.list("t:1")["ann"]["metas"]
    reply = await ann.room.ask("update", {"key": "ann", "meta": {"at": "t0", "phx_ref": "mine", "phx_ref_prev": "x"}})
    (after,) = Here.list("t:1")["ann"]["metas"]
    assert reply.payload == {"phx_ref": after["phx_ref"]}
    assert after == {"at": "t0", "phx_ref": after["phx_ref"], "phx_ref_prev": before["phx_ref"]}
    await ann.fold()
    assert ann.diffs[-1] == {"joins": {"ann": {"metas": [after]}}, "leaves": {"ann": {"metas": [before]}}}


async def test_PR13_untracking_leaves_and_the_channel_goes_on(socket: type[Socket]) -> None:
    ann = await member(socket, key="ann")
    assert (await ann.room.ask("untrack", {"key": "nobody"})).status == "ok"
    assert len((await ann.fold())["ann"]["metas"]) == 1
    assert (await ann.room.ask("untrack", {"key": "ann"})).status == "ok"
    assert await ann.fold() == {}
    assert len(ann.diffs) == 2
    assert (await ann.room.ask("track", {"key": "ann"})).status == "ok"
    assert await ann.fold() == {"ann": {"metas": [{}]}}


async def test_PR2_PR10_refusals_reach_the_caller(socket: type[Socket]) -> None:
    ann = await member(socket, key="ann")
    other = await member(socket, key="other")
    refusal = await ann.room.ask("track", {"key": "ann", "meta": {"new": 1}})
    assert refusal.status == "error"
    assert "already_tracked" in str(refusal.payload)
    assert (await other.room.ask("update", {"key": "ann", "meta": {}})).payload == {"reason": "nopresence"}
    assert Here.list("t:1")["ann"]["metas"][0]["at"] == "t0"


async def test_PR4_PR9a_a_meta_that_is_no_dict_ends_the_channel_that_gave_it_and_nobody_else(
    socket: type[Socket],
) -> None:
    ann = await member(socket, key="ann")
    other = await member(socket, key="other")
    ann.room.push("update", {"key": "ann", "meta": [1]})
    assert list(await other.fold()) == ["other"]
    assert Here.runs()


async def test_PR54_the_state_may_be_pushed_again(socket: type[Socket]) -> None:
    ann = await member(socket, key="ann")
    await ann.fold()
    ann.room.push("state")
    await ann.room.assert_push("presence_state", {"ann": {"metas": [{"phx_ref": str}]}})


async def test_a_track_after_a_refused_join_never_comes(socket: type[Socket]) -> None:
    class Refusing(Room):
        async def join(self, topic: str, payload: Payload) -> Error:  # type: ignore[override]
            self.track_after_join("ann")
            return Error({"reason": "no"})

    client = await connect(socket_of(Here, Refusing))
    client.begin_join("t:1")
    await settle()
    (reply,) = client.received
    assert isinstance(reply, Reply)
    assert reply.payload == {"reason": "no"}
    assert Here.list("t:1") == {}


async def test_a_channel_without_a_presence_says_so(socket: type[Socket]) -> None:
    class Bare(Channel):
        async def join(self, topic: str, payload: Payload) -> Ok[Payload]:
            with pytest.raises(TypeError, match="Bare has no Presence"):
                self.track_after_join("ann")
            with pytest.raises(TypeError, match="Bare has no Presence"):
                self.track("ann")
            return Ok({"done": True})

    class BareSocket(Socket):
        channels = (channel("t", Bare),)

    client = await connect(BareSocket)
    assert (await client.join("t")).response == {"done": True}


async def test_a_presence_that_does_not_run_says_where_it_belongs(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        with pytest.raises(NoProcessError, match=r"Application\(children=\[Here\]"):
            Here.list("t:1")
        assert not Here.runs()


async def test_PR48_events_may_have_other_names(autojump_clock: trio.abc.Clock) -> None:
    class Named(Presence, state_event="who", diff_event="who_diff"):
        pass

    async with open_runtime():
        await Named.start_link()
        ann = await member(socket_of(Named), key="ann")
        await ann.room.assert_push("who", {"ann": {"metas": [{"at": "t0"}]}})
        await ann.room.assert_push("who_diff", {"joins": {"ann": ...}, "leaves": {}})


async def test_PR150_a_large_meta_is_refused_and_the_log_has_one_line(socket: type[Socket]) -> None:
    warned: list[object] = []

    def note(_: object, fields: object) -> None:
        warned.append(fields)

    events.large_meta.attach(note)
    ann = await member(socket, silent=True)
    for _ in range(3):
        refusal = await ann.room.ask("track", {"key": "ann", "meta": {"bio": "x" * 1024}})
        assert refusal.payload == {"reason": "('too_large', 1034, 1024)"}
    events.large_meta.detach(note)
    assert len(warned) == 1
    assert Here.list("t:1") == {}


async def test_an_endpoint_of_any_name_gets_diffs_and_so_does_a_shared_pubsub(
    autojump_clock: trio.abc.Clock,
) -> None:
    class Shared(Presence, pubsub=PubSub("news")):
        pass

    async with open_runtime():
        await PubSub("news").start_link()
        await Shared.start_link()
        PubSub("news").subscribe("t:1")
        ann = await member(socket_of(Shared), key="ann")
        assert list(await ann.fold()) == ["ann"]
        assert len(ann.diffs) == 1


class Quiet(Room):
    """Looks at each diff before its client gets it."""

    intercepts = frozenset({"presence_diff"})
    listed: ClassVar[list[list[str]]] = []

    async def handle_out(self, event: str, payload: Payload) -> None:
        """Push what is not of a key that begins with `quiet`, and note who is present by then."""
        self.listed.append(sorted(self.presence.list(self.topic) if self.presence is not None else ()))
        joins = {key: entry for key, entry in payload["joins"].items() if not key.startswith("quiet")}
        self.push(event, {**payload, "joins": joins, "via": "handle_out"})


async def test_PR44_PR62_a_channel_may_intercept_diffs_and_the_list_has_what_they_tell(
    autojump_clock: trio.abc.Clock,
) -> None:
    async with open_runtime():
        await Here.start_link()
        Quiet.listed.clear()
        quiet, loud = socket_of(Here, Quiet), socket_of(Here)
        watcher = await member(quiet)
        await member(loud, key="ann")
        await member(loud, key="quiet bob")
        await watcher.fold()
        assert [sorted(diff["joins"]) for diff in watcher.diffs] == [["ann"], []]
        assert all(diff["via"] == "handle_out" for diff in watcher.diffs)
        assert Quiet.listed == [["ann"], ["ann", "quiet bob"]]
