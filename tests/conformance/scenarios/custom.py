"""Custom channels."""

from __future__ import annotations

from tests.conformance.scenarios.script import (
    V1,
    binary,
    bytes_back,
    fields,
    reply,
    reply_v1,
    say,
    say_v1,
    script,
    text,
    text_v1,
    turn,
)

CUSTOM = [
    script(
        "custom_broadcast",
        "a custom channel hears broadcasts in its mailbox, and pushes them on by itself",
        turn(say("1", "1", "custom:b", "phx_join"), reply("1", "1", "custom:b", {"custom": True, "params": {}})),
        turn(
            {"http": ["POST", "/admin/broadcast?topic=custom:b&event=news"], "body": '{"n":1}'},
            a=[text("1", None, "custom:b", "news", {"n": 1})],
        ),
    ),
    script(
        "custom_stale",
        "stale messages are kept from a custom channel, too",
        turn(say("5", "1", "custom:st", "phx_join"), reply("5", "1", "custom:st", {"custom": True, "params": {}})),
        turn(say("4", "2", "custom:st", "echo", {"n": 1})),
        turn(say("4", "3", "custom:st", "phx_leave")),
        turn(say("5", "4", "custom:st", "echo", {"n": 2}), reply("5", "4", "custom:st", {"n": 2})),
    ),
    script(
        "custom_unknown",
        "what an actor does with an event that it does not know is its own concern",
        turn(say("1", "1", "custom:u", "phx_join"), reply("1", "1", "custom:u", {"custom": True, "params": {}})),
        turn(say("1", "2", "custom:u", "whatever")),
        turn(say("1", "3", "custom:u", "echo", {"n": 1}), reply("1", "3", "custom:u", {"n": 1})),
    ),
    script(
        "custom_bytes",
        "bytes go both ways",
        turn(say("1", "1", "custom:bin", "phx_join"), reply("1", "1", "custom:bin", {"custom": True, "params": {}})),
        turn(
            binary(fields(0, "1", "2", "custom:bin", "echo", data=b"\0\xff")),
            bytes_back(fields(1, "1", "2", "custom:bin", "ok", data=b"\0\xff")),
        ),
        turn(
            binary(fields(0, "1", "3", "custom:bin", "push", data=b"\1")),
            bytes_back(fields(0, "1", "custom:bin", "pushed", data=b"\1")),
        ),
    ),
    script(
        "custom_v1",
        "a custom channel answers in the serializer of its socket",
        turn(
            say_v1("custom:v1", "phx_join", "1", {"p": 1}),
            reply_v1("custom:v1", "1", {"custom": True, "params": {"p": 1}}),
        ),
        turn(say_v1("custom:v1", "echo", "2", {"n": 1}), reply_v1("custom:v1", "2", {"n": 1})),
        turn(say_v1("custom:v1", "die", "3"), text_v1("custom:v1", "phx_error", {"reason": "channel_crash"})),
        clients={"a": V1},
    ),
]
