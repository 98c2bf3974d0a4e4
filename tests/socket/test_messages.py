from __future__ import annotations

import pytest
from orjson import loads

from phxactor.socket import BINARY, TEXT, Broadcast, Message, Reply, SocketPush
from tests.socket import nested


def test_a_message_without_refs_is_a_push() -> None:
    message = Message("room:1", "new_msg", {"n": 1})
    assert (message.ref, message.join_ref) == (None, None)


def test_fields_stand_in_one_order_in_all_of_them() -> None:
    assert Message("t", "e", 1, "2", "3") == Message(topic="t", event="e", payload=1, ref="2", join_ref="3")
    assert Reply("t", "ok", 1, "2", "3") == Reply(topic="t", status="ok", payload=1, ref="2", join_ref="3")
    assert Broadcast("t", "e", 1) == Broadcast(topic="t", event="e", payload=1)


def test_messages_are_taken_apart_by_match() -> None:
    match Message("phoenix", "heartbeat", {}, ref="9"):
        case Message("phoenix", "heartbeat", ref=ref):
            assert ref == "9"
        case _:
            pytest.fail("no match")


@pytest.mark.parametrize("made", [Message("t", "e", 0), Reply("t", "ok", 0), Broadcast("t", "e", 0)])
def test_a_message_has_no_room_for_a_misspelt_field(made: object) -> None:
    with pytest.raises(AttributeError):
        made.joinref = "1"  # type: ignore[attr-defined]


def test_the_frame_is_only_a_cache() -> None:
    framed, bare = SocketPush(TEXT, b"[]"), SocketPush(TEXT, b"[]")
    framed.frame = b"\x81\x02[]"
    assert framed == bare
    assert bare.frame is None
    assert SocketPush(BINARY, b"[]") != bare


@pytest.mark.parametrize(
    "payload", [{"s": "x" * 100_000}, list(range(100_000)), bytes(100_000), {str(i): i for i in range(9999)}]
)
def test_a_big_payload_does_not_fill_the_log(payload: object) -> None:
    assert len(repr(Message("t", "e", payload))) < 300


def test_what_a_client_nests_too_deeply_for_repr_is_shown_all_the_same() -> None:
    payload = loads(nested(1000))
    assert len(repr(Message("t", "e", payload))) < 100
