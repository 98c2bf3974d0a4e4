"""The client's Presence: phoenix.js's own tests of its Presence, and what they leave out."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from phxactor.client import Presence
from phxactor.client._presence import sync_diff, sync_state
from phxactor.socket import Message


def fixtures() -> dict[str, Any]:
    """Return those of phoenix.js."""
    return {
        "joins": {"u1": {"metas": [{"id": 1, "phx_ref": "1.2"}]}},
        "leaves": {"u2": {"metas": [{"id": 2, "phx_ref": "2"}]}},
        "state": {
            "u1": {"metas": [{"id": 1, "phx_ref": "1"}]},
            "u2": {"metas": [{"id": 2, "phx_ref": "2"}]},
            "u3": {"metas": [{"id": 3, "phx_ref": "3"}]},
        },
    }


def message(event: str, payload: object) -> Message:
    """Make a message as the channel's iteration yields it."""
    return Message("t", event, payload)


def metas(*refs: str) -> dict[str, Any]:
    """Make an entry with metas of these refs."""
    return {"metas": [{"phx_ref": ref} for ref in refs]}


def waiting(presence: Presence) -> str:
    """Say whether the state has come."""
    return "synced" if presence.synced else "waiting"


# --------------------------------------------------------------------------------------------- of phoenix.js


def test_sync_state_syncs_an_empty_state() -> None:
    new = {"u1": {"metas": [{"id": 1, "phx_ref": "1"}]}}
    state: dict[str, Any] = {}
    before = deepcopy(state)
    sync_state(state, new)
    assert state == before
    assert sync_state(state, new) == new


def test_sync_state_tells_of_new_and_of_left_presences() -> None:
    new = fixtures()["state"]
    state: dict[str, Any] = {"u4": {"metas": [{"id": 4, "phx_ref": "4"}]}}
    joined: dict[str, Any] = {}
    left: dict[str, Any] = {}
    found = sync_state(
        state,
        new,
        lambda key, current, entry: joined.__setitem__(key, {"current": current, "new": entry}),
        lambda key, current, entry: left.__setitem__(key, {"current": deepcopy(current), "left": entry}),
    )
    assert found == new
    assert joined == {key: {"current": None, "new": entry} for key, entry in new.items()}
    assert left == {"u4": {"current": {"metas": []}, "left": {"metas": [{"id": 4, "phx_ref": "4"}]}}}


def test_sync_state_tells_of_new_metas_only() -> None:
    new = {"u3": {"metas": [{"id": 3, "phx_ref": "3"}, {"id": 3, "phx_ref": "3.new"}]}}
    state = {"u3": {"metas": [{"id": 3, "phx_ref": "3"}]}}
    joined: list[Any] = []
    found = sync_state(state, deepcopy(new), lambda *call: joined.append(deepcopy(call)))
    assert found == new
    assert joined == [
        ("u3", {"metas": [{"id": 3, "phx_ref": "3"}]}, {"metas": [{"id": 3, "phx_ref": "3.new"}]}),
    ]


def test_sync_diff_syncs_an_empty_state() -> None:
    joins = {"u1": {"metas": [{"id": 1, "phx_ref": "1"}]}}
    assert sync_diff({}, {"joins": joins, "leaves": {}}) == joins


def test_sync_diff_removes_a_presence_without_metas_and_adds_metas() -> None:
    given = fixtures()
    state = sync_diff(given["state"], {"joins": given["joins"], "leaves": given["leaves"]})
    assert state == {
        "u1": {"metas": [{"id": 1, "phx_ref": "1"}, {"id": 1, "phx_ref": "1.2"}]},
        "u3": {"metas": [{"id": 3, "phx_ref": "3"}]},
    }


def test_sync_diff_removes_a_meta_and_leaves_the_key_if_others_remain() -> None:
    state = {"u1": {"metas": [{"id": 1, "phx_ref": "1"}, {"id": 1, "phx_ref": "1.2"}]}}
    found = sync_diff(state, {"joins": {}, "leaves": {"u1": {"metas": [{"id": 1, "phx_ref": "1"}]}}})
    assert found == {"u1": {"metas": [{"id": 1, "phx_ref": "1.2"}]}}


def test_list_returns_entries_or_what_a_function_makes_of_them() -> None:
    presence = Presence()
    presence.take(message("presence_state", fixtures()["state"]))
    assert presence.list() == list(fixtures()["state"].values())
    assert presence.list(lambda key, entry: (key, len(entry["metas"]))) == [("u1", 1), ("u2", 1), ("u3", 1)]


def test_PR54_PR55_states_and_diffs_are_synced_and_diffs_before_the_state_held_back() -> None:
    presence = Presence()
    joined, left = [], []
    presence = Presence(
        on_join=lambda key, current, new: joined.append((key, deepcopy(current), new)),
        on_leave=lambda key, current, old: left.append((key, deepcopy(current), old)),
    )
    user1, user2 = metas("1"), metas("2")
    assert not presence.take(message("presence_diff", {"joins": {}, "leaves": {"u2": metas("2")}}))
    assert presence.list() == []
    assert "synced" not in waiting(presence)
    assert presence.take(message("presence_state", {"u1": user1, "u2": user2}))
    assert "synced" in waiting(presence)
    assert presence.state == {"u1": metas("1")}
    assert joined == [("u1", None, metas("1")), ("u2", None, metas("2"))]
    assert left == [("u2", {"metas": []}, metas("2"))]

    # a rejoin: diffs are held back again, and the state is the difference to what is known
    joined.clear()
    left.clear()
    assert not presence.take(message("phx_join", {}))
    assert not presence.take(message("presence_diff", {"joins": {}, "leaves": {"u1": metas("1")}}))
    assert presence.state == {"u1": metas("1")}
    presence.take(message("presence_state", {"u1": metas("1"), "u3": metas("3")}))
    assert presence.state == {"u3": metas("3")}
    assert joined == [("u3", None, metas("3"))]
    assert left == [("u1", {"metas": []}, metas("1"))]


def test_PR48_events_may_have_other_names() -> None:
    presence = Presence(state_event="the_state", diff_event="the_diff")
    assert presence.take(message("the_state", {"u1": metas("1")}))
    assert presence.take(message("the_diff", {"joins": {}, "leaves": {"u1": metas("1")}}))
    assert presence.list() == []


# ------------------------------------------------------------------------------------------------- the rest


def test_PR52_an_update_never_makes_a_key_vanish() -> None:
    seen: list[Any] = []
    presence = Presence(on_sync=lambda: seen.append(deepcopy(presence.state)))
    presence.take(message("presence_state", {"u1": metas("1", "2")}))
    presence.take(message("presence_diff", {"joins": {"u1": metas("3")}, "leaves": {"u1": metas("1")}}))
    assert seen == [{"u1": metas("1", "2")}, {"u1": metas("2", "3")}]


def test_PR53_PR61_what_is_known_already_or_unknown_changes_nothing() -> None:
    presence = Presence()
    presence.take(message("presence_state", {"u1": metas("1")}))
    presence.take(message("presence_diff", {"joins": {"u1": metas("1")}, "leaves": {"u2": metas("9")}}))
    presence.take(message("presence_diff", {"joins": {}, "leaves": {"u1": metas("9")}}))
    assert presence.state == {"u1": metas("1")}


def test_other_messages_are_left_alone() -> None:
    presence = Presence()
    assert not presence.take(message("new_msg", {"body": "hi"}))
    assert repr(presence) == "<Presence of 0>"


def test_keys_of_javascript_are_keys_like_any_other() -> None:
    presence = Presence()
    presence.take(message("presence_state", {key: metas(key) for key in ("__proto__", "constructor", "", "😀")}))
    presence.take(message("presence_diff", {"joins": {}, "leaves": {"__proto__": metas("__proto__")}}))
    assert list(presence.state) == ["constructor", "", "😀"]


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("presence_state", None),
        ("presence_state", {"u1": {}}),
        ("presence_state", {"u1": {"metas": [{}]}}),
        ("presence_diff", {"joins": {}}),
        ("presence_diff", []),
        ("presence_diff", {"joins": {"u1": {"metas": [{"phx_ref": 1}]}}, "leaves": {}}),
    ],
)
def test_a_payload_that_is_neither_is_told(event: str, payload: object) -> None:
    presence = Presence()
    presence.take(message("presence_state", {"u1": metas("1")}))
    with pytest.raises(ValueError, match="presence"):
        presence.take(message(event, payload))
    assert presence.state == {"u1": metas("1")}


@given(steps=st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=30), read_at=st.integers(0, 30))
def test_PR127_state_and_diffs_fold_to_the_truth_whenever_the_state_was_read(
    steps: list[tuple[str, bool]], read_at: int
) -> None:
    truth: dict[str, Any] = {}
    presence = Presence()
    for number, (key, late) in enumerate(steps):
        if number == read_at:
            presence.take(message("presence_state", deepcopy(truth)))
        if key in truth:
            diff = {"joins": {}, "leaves": {key: truth.pop(key)}}
        else:
            truth[key] = metas(str(number))
            diff = {"joins": {key: truth[key]}, "leaves": {}}
        presence.take(message("presence_diff", deepcopy(diff)))
        if late:
            presence.take(message("presence_state", deepcopy(truth)))
    presence.take(message("presence_state", deepcopy(truth)))
    assert presence.state == truth


async def test_it_reads_what_a_server_of_ours_pushes(autojump_clock: trio.abc.Clock) -> None:
    from phxactor import Presence as ServerPresence  # noqa: PLC0415 - the other half
    from phxactor import open_runtime  # noqa: PLC0415
    from tests.presence.rooms import member, socket_of  # noqa: PLC0415

    class Here(ServerPresence):
        pass

    async with open_runtime():
        await Here.start_link()
        socket = socket_of(Here)
        watcher = await member(socket)
        ann = await member(socket, key="ann")
        ann.room.push("update", {"key": "ann", "meta": {"at": "t1"}})
        await watcher.fold()
        presence = Presence()
        for item in watcher.client.received:
            if isinstance(item, Message):
                presence.take(item)
        assert presence.state == Here.list("t:1")
