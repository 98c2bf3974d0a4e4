"""Leaves."""

from __future__ import annotations

from tests.conformance.scenarios.script import close, join, reply, say, script, text, turn

LEAVES = [
    script(
        "leave_stale",
        "a leave of a join that is no more is ignored, and so is one without join_ref",
        join("room:ls", "5"),
        turn(say("4", "6", "room:ls", "phx_leave")),
        turn(say(None, "7", "room:ls", "phx_leave")),
        turn(say("5", "8", "room:ls", "echo"), reply("5", "8", "room:ls")),
        turn(say("5", "9", "room:ls", "phx_leave"), reply("5", "9", "room:ls"), close("5", "room:ls")),
    ),
    script(
        "leave_unjoined_null",
        "leaving what was never joined is answered with the refs that came",
        turn(say(None, 3, "room:nobody", "phx_leave"), reply(None, 3, "room:nobody")),
    ),
    script(
        "leave_exact",
        "a channel without any handler can be left",
        join("exact"),
        turn(say("1", "2", "exact", "phx_leave"), reply("1", "2", "exact"), close("1", "exact")),
    ),
    script(
        "leave_others_stay",
        "who stays hears nothing of it",
        join("room:lo"),
        join("room:lo", on="b"),
        turn(say("1", "2", "room:lo", "phx_leave"), reply("1", "2", "room:lo"), close("1", "room:lo")),
        turn(
            say("1", "3", "room:lo", "broadcast", {"n": 1}, on="b"), text(None, None, "room:lo", "broadcast", {"n": 1})
        ),
        clients={"a": {}, "b": {}},
    ),
]
