"""Joins: their answers, their refs, and what comes while they are pending."""

from __future__ import annotations

from tests.conformance.scenarios.script import (
    CRASHED,
    binary,
    bytes_back,
    close,
    error,
    fields,
    join,
    reply,
    say,
    script,
    text,
    turn,
    unmatched,
)

JOINS = [
    script(
        "join_binary",
        "a join may be answered with bytes",
        turn(
            say("1", "12", "room:join_binary", "phx_join"),
            bytes_back(fields(1, "1", "12", "room:join_binary", "ok", data=b"\4\5\6")),
        ),
        turn(say("1", "2", "room:join_binary", "echo", 5), reply("1", "2", "room:join_binary", 5)),
    ),
    script(
        "join_bad_return",
        "what is no result of join is a crash of it",
        turn(
            say("1", "1", "room:join_bad_return", "phx_join"),
            reply("1", "1", "room:join_bad_return", CRASHED, "error"),
        ),
        turn(say("1", "2", "room:join_bad_return", "echo"), unmatched("2", "room:join_bad_return")),
    ),
    script(
        "join_exit",
        "an exit in join is a crash of it, be it normal",
        turn(say("1", "1", "room:join_exit", "phx_join"), reply("1", "1", "room:join_exit", CRASHED, "error")),
    ),
    script(
        "join_payloads",
        "a join's payload is any JSON",
        *(
            turn(say(str(n), str(n), "room:join_echo", "phx_join", payload), *events)
            for n, payload, events in [
                (1, [1, 2], [reply("1", "1", "room:join_echo", [1, 2])]),
                (2, "text", [reply("2", "2", "room:join_echo", "text"), close("1", "room:join_echo")]),
                (3, 4.5, [reply("3", "3", "room:join_echo", 4.5), close("2", "room:join_echo")]),
            ]
        ),
    ),
    script(
        "join_null_join_ref",
        "a join without join_ref lives by its ref, and takes messages of every join_ref",
        join("room:null1", "1", join_ref=None),
        turn(say(None, "2", "room:null1", "echo", {"n": 1}), reply("1", "2", "room:null1", {"n": 1})),
        turn(
            say("9", "3", "room:null1", "info"),
            reply(
                "1",
                "3",
                "room:null1",
                {
                    "id": None,
                    "join_ref": "1",
                    "joined": True,
                    "ref": "3",
                    "topic": "room:null1",
                    "transport": "websocket",
                    "user_id": None,
                },
            ),
        ),
        turn(say(None, "4", "room:null1", "phx_leave"), reply("1", "4", "room:null1"), close(None, "room:null1")),
    ),
    script(
        "join_null_join_ref_crash",
        "the phx_error of a join without join_ref has none",
        join("room:null2", "1", join_ref=None),
        turn(say(None, "2", "room:null2", "crash"), error(None, "room:null2")),
    ),
    script(
        "join_null_refs",
        "a join may have neither ref",
        join("room:null3", None),
        turn(say(None, "2", "room:null3", "push", {"n": 1}), text(None, None, "room:null3", "pushed", {"n": 1})),
        turn(say(None, None, "room:null3", "echo", {"n": 2}), reply(None, None, "room:null3", {"n": 2})),
    ),
    script(
        "join_numeric_refs",
        "refs that are numbers come back as numbers",
        join("room:num", 7),
        turn(say(7, 8, "room:num", "echo", {"n": 1}), reply(7, 8, "room:num", {"n": 1})),
        turn(say("7", 9, "room:num", "echo", {"n": 1})),
        turn(say(7, 10.5, "room:num", "push", {"n": 1}), text(7, None, "room:num", "pushed", {"n": 1})),
        turn(say(7, 10.5, "room:num", "echo"), reply(7, 10.5, "room:num")),
        turn(say(7, 11, "room:num", "phx_leave"), reply(7, 11, "room:num"), close(7, "room:num")),
    ),
    script(
        "join_twice_pending",
        "a join that comes while another is pending is taken after it, and replaces its channel",
        turn(say("1", "1", "room:slow", "phx_join", quiet=0)),
        turn(
            say("2", "2", "room:slow", "phx_join"),
            reply("1", "1", "room:slow"),
            reply("2", "2", "room:slow"),
            close("1", "room:slow"),
        ),
        turn(say("1", "3", "room:slow", "echo")),
        turn(say("2", "4", "room:slow", "echo"), reply("2", "4", "room:slow")),
    ),
    script(
        "join_pending_messages",
        "messages for a topic that is being joined wait, in order",
        turn(say("1", "1", "room:slow", "phx_join", quiet=0)),
        turn(say("1", "2", "room:slow", "count", quiet=0)),
        turn(say("0", "3", "room:slow", "count", quiet=0)),
        turn(say("1", "4", "room:slow", "count", quiet=0)),
        turn(
            say("1", "5", "room:slow", "phx_leave"),
            reply("1", "1", "room:slow"),
            reply("1", "2", "room:slow", {"count": 1}),
            reply("1", "4", "room:slow", {"count": 2}),
            reply("1", "5", "room:slow"),
            close("1", "room:slow"),
        ),
    ),
    script(
        "join_pending_others",
        "beyond Phoenix: other topics go on while one is being joined",
        turn(say("1", "1", "room:slow", "phx_join", quiet=0)),
        turn(
            say(None, "2", "phoenix", "heartbeat"),
            reply(None, "2", "phoenix"),
            reply("1", "1", "room:slow"),
        ),
    ),
    script(
        "join_refused_pending",
        "messages that waited for a join that is refused have no topic",
        turn(say("1", "1", "room:raise", "phx_join", quiet=0)),
        turn(
            say("1", "2", "room:raise", "echo"),
            reply("1", "1", "room:raise", CRASHED, "error"),
            unmatched("2", "room:raise"),
        ),
    ),
    script(
        "join_afterjoin_twice",
        "a duplicate join's close comes before what the new channel pushes",
        turn(
            say("1", "1", "room:afterjoin", "phx_join"),
            reply("1", "1", "room:afterjoin"),
            text("1", None, "room:afterjoin", "after_join", {"n": 1}),
        ),
        turn(
            say("2", "2", "room:afterjoin", "phx_join"),
            reply("2", "2", "room:afterjoin"),
            close("1", "room:afterjoin"),
            text("2", None, "room:afterjoin", "after_join", {"n": 1}),
        ),
    ),
    script(
        "join_twice_custom",
        "a custom channel is replaced as any other",
        turn(say("1", "1", "custom:dup", "phx_join"), reply("1", "1", "custom:dup", {"custom": True, "params": {}})),
        turn(
            say("2", "2", "custom:dup", "phx_join"),
            reply("2", "2", "custom:dup", {"custom": True, "params": {}}),
            close("1", "custom:dup"),
        ),
        turn(say("1", "3", "custom:dup", "echo")),
        turn(say("2", "4", "custom:dup", "echo", {"n": 1}), reply("2", "4", "custom:dup", {"n": 1})),
    ),
    script(
        "join_limit_freed",
        "a topic that is left makes room for another; joining one anew needs none",
        join("room:f1"),
        join("room:f2", "2"),
        join("room:f3", "3"),
        turn(
            say("4", "4", "room:f4", "phx_join"),
            reply("4", "4", "room:f4", {"reason": "too many channels joined"}, "error"),
        ),
        turn(say("5", "5", "room:f3", "phx_join"), reply("5", "5", "room:f3"), close("3", "room:f3")),
        turn(say("1", "6", "room:f1", "phx_leave"), reply("1", "6", "room:f1"), close("1", "room:f1")),
        join("room:f4", "7"),
        clients={"a": {"path": "/few/websocket"}},
    ),
    script(
        "join_phoenix",
        "no channel is at the topic of heartbeats",
        turn(say("1", "1", "phoenix", "phx_join"), unmatched("1", "phoenix")),
        turn(say("1", "2", "phoenix", "beat"), unmatched("2", "phoenix")),
        turn(say("1", "3", "phoenix", "heartbeat"), reply(None, "3", "phoenix")),
    ),
    script(
        "join_empty_topic",
        "a topic may be empty, and is then nobody's",
        turn(say("1", "1", "", "phx_join"), unmatched("1", "")),
    ),
    script(
        "join_binary_push",
        "a join may come as a binary message, with bytes for a payload",
        turn(binary(fields(0, "1", "1", "room:bj", "phx_join", data=b"\1\2")), reply("1", "1", "room:bj")),
        turn(
            binary(fields(0, "1", "2", "room:bj", "binary_echo", data=b"")),
            bytes_back(fields(1, "1", "2", "room:bj", "ok", data=b"")),
        ),
        turn(
            binary(fields(0, "9", "3", "room:bj", "binary_echo", data=b"stale")),
        ),
        turn(
            binary(fields(0, "1", "4", "room:bj", "phx_leave", data=b"")),
            reply("1", "4", "room:bj"),
            close("1", "room:bj"),
        ),
    ),
]
