"""Clients of the first serializer."""

from __future__ import annotations

from tests.conformance.scenarios.script import (
    BYE,
    CRASHED,
    UNMATCHED,
    V1,
    binary,
    bytes_back,
    fields,
    join,
    join_v1,
    reply_v1,
    say,
    say_v1,
    script,
    text,
    text_v1,
    turn,
)

VERSION_1 = [
    script(
        "v1_replies",
        "replies and pushes of V1",
        join_v1("room:v1r"),
        turn(say_v1("room:v1r", "reply_error", "2", {"n": 1}), reply_v1("room:v1r", "2", {"n": 1}, "error")),
        turn(say_v1("room:v1r", "reply_bare", "3"), reply_v1("room:v1r", "3")),
        turn(say_v1("room:v1r", "reply_odd_status", "4", 1), reply_v1("room:v1r", "4", 1, "maybe")),
        turn(
            say_v1("room:v1r", "push_then_reply", "5", {"n": 1}),
            text_v1("room:v1r", "pushed", {"n": 1}),
            reply_v1("room:v1r", "5", {"n": 1}),
        ),
        turn(
            say_v1("room:v1r", "intercepted", "6", {"n": 1}),
            text_v1("room:v1r", "intercepted", {"n": 1, "via": "handle_out"}),
        ),
        turn(
            say_v1("room:v1r", "stop_reply", "7"),
            reply_v1("room:v1r", "7", BYE),
            text_v1("room:v1r", "phx_close", {}),
        ),
        turn(say_v1("room:v1r", "echo", "8"), reply_v1("room:v1r", "8", UNMATCHED, "error")),
        clients={"a": V1},
    ),
    script(
        "v1_numeric_refs",
        "V1 refs may be numbers, or null",
        join_v1("room:v1n", 1),
        turn(say_v1("room:v1n", "echo", 2, {"n": 1}), reply_v1("room:v1n", 2, {"n": 1})),
        turn(say_v1("phoenix", "heartbeat", None), reply_v1("phoenix", None)),
        clients={"a": V1},
    ),
    script(
        "v1_join_ref",
        "a V1 client may send a join_ref, which then counts",
        turn(say_v1("room:v1j", "phx_join", "1", join_ref="7"), reply_v1("room:v1j", "1")),
        turn(say_v1("room:v1j", "echo", "2", {"n": 1}, join_ref="7"), reply_v1("room:v1j", "2", {"n": 1})),
        turn(say_v1("room:v1j", "echo", "3", {"n": 1}, join_ref="6")),
        turn(say_v1("room:v1j", "echo", "4", {"n": 1}), reply_v1("room:v1j", "4", {"n": 1})),
        turn(
            say_v1("room:v1j", "phx_leave", "5", join_ref="7"),
            reply_v1("room:v1j", "5"),
            text_v1("room:v1j", "phx_close", {}, "7"),
        ),
        clients={"a": V1},
    ),
    script(
        "v1_join_twice",
        "a duplicate join of V1",
        join_v1("room:v1d"),
        turn(say_v1("room:v1d", "phx_join", "2"), reply_v1("room:v1d", "2"), text_v1("room:v1d", "phx_close", {})),
        turn(say_v1("room:v1d", "count", "3"), reply_v1("room:v1d", "3", {"count": 1})),
        clients={"a": V1},
    ),
    script(
        "v1_bytes",
        "what V1 cannot carry crashes the channel that says it",
        join_v1("room:v1b"),
        turn(say_v1("room:v1b", "binary_reply", "2"), text_v1("room:v1b", "phx_error", {"reason": "channel_crash"})),
        join_v1("room:v1b", "3"),
        turn(say_v1("room:v1b", "binary_push", "4"), text_v1("room:v1b", "phx_error", {"reason": "channel_crash"})),
        turn(say_v1("phoenix", "heartbeat", "5"), reply_v1("phoenix", "5")),
        clients={"a": V1},
    ),
    script(
        "v1_bytes_join",
        "beyond Phoenix, whose connection ends: an answer to a join that V1 cannot carry is a crash of the join",
        turn(
            say_v1("room:join_binary", "phx_join", "1"),
            reply_v1("room:join_binary", "1", CRASHED, "error"),
        ),
        turn(say_v1("phoenix", "heartbeat", "5"), reply_v1("phoenix", "5")),
        clients={"a": V1},
    ),
    script(
        "v1_bytes_broadcast",
        "a broadcast that V1 cannot carry is dropped for its clients alone",
        join_v1("room:v1bb"),
        join("room:v1bb", on="b"),
        turn(
            say("1", "2", "room:v1bb", "binary_broadcast", on="b"),
            bytes_back(fields(2, "room:v1bb", "binb", data=b"\x09\x08\x07")),
        ),
        turn(say_v1("room:v1bb", "echo", "2", {"n": 1}), reply_v1("room:v1bb", "2", {"n": 1})),
        turn(
            say_v1("room:v1bb", "broadcast", "3", {"n": 2}),
            text_v1("room:v1bb", "broadcast", {"n": 2}),
            b=[text(None, None, "room:v1bb", "broadcast", {"n": 2})],
        ),
        clients={"a": V1, "b": {}},
    ),
    *(
        script(
            f"v1_bad_{name}",
            f"{name} to a V1 socket ends the connection",
            turn(step, {"closed": 1011}),
            clients={"a": V1},
        )
        for name, step in {
            "text": {"text": "not json"},
            "array": {"text": '["1","1","room:x","phx_join",{}]'},
            "missing": {"text": '{"event":"phx_join","payload":{},"ref":"1"}'},
            "bytes": binary(b"\0\1"),
        }.items()
    ),
]
