"""What a channel can do with a client's event, and stay."""

from __future__ import annotations

from tests.conformance.scenarios.script import (
    bytes_back,
    error,
    event,
    fields,
    join,
    reply,
    say,
    script,
    text,
    turn,
)

EVENTS = [
    event("reply_bare_error", "a bare error replies {}", reply("1", "2", "room:reply_bare_error", {}, "error")),
    event(
        "hibernate",
        "hibernating changes nothing",
        text("1", None, "room:hibernate", "hibernated", {"n": 1}),
        payload={"n": 1},
    ),
    event(
        "broadcast_then_reply",
        "a broadcast before the reply arrives before it",
        text(None, None, "room:broadcast_then_reply", "broadcast", {"n": 1}),
        reply("1", "2", "room:broadcast_then_reply", {"n": 1}),
        payload={"n": 1},
    ),
    event("swallowed", "an intercepted event that is not pushed on is not heard"),
    event("broadcast_from", "broadcast_from leaves the sender out, who is alone here"),
    event(
        "binary_error_reply",
        "an error reply may be bytes",
        bytes_back(fields(1, "1", "2", "room:binary_error_reply", "error", data=b"\3\2\1")),
    ),
    event(
        "reply_error",
        "and so is an error's",
        reply("1", "2", "room:reply_error", [None, 1e3, "ü"], "error"),
        payload=[
            None,
            1000.0,
            "ü",
        ],
    ),
    event("sleep", "a handler may wait", reply("1", "2", "room:sleep", {"ms": 20}), payload={"ms": 20}),
    script(
        "event_after_hibernate",
        "a channel that hibernates wakes up",
        join("room:hib"),
        turn(say("1", "2", "room:hib", "count"), reply("1", "2", "room:hib", {"count": 1})),
        turn(say("1", "3", "room:hib", "hibernate"), text("1", None, "room:hib", "hibernated", {})),
        turn(say("1", "4", "room:hib", "count"), reply("1", "4", "room:hib", {"count": 2})),
    ),
    script(
        "event_null_ref",
        "a message without a ref is answered without one",
        join("room:noref"),
        turn(say("1", None, "room:noref", "echo", {"n": 1}), reply("1", None, "room:noref", {"n": 1})),
    ),
    script(
        "event_async_reply_crash",
        "a reply that was promised comes even after the channel has crashed",
        join("room:late"),
        turn(say("1", "2", "room:late", "async_reply", {"n": 1}, quiet=0)),
        turn(
            say("1", "3", "room:late", "crash"),
            error("1", "room:late"),
            reply("1", "2", "room:late", {"n": 1}),
        ),
    ),
    script(
        "event_swallowed_by_each",
        "each channel decides on its own about what it intercepts",
        join("room:sw"),
        join("room:sw", on="b"),
        turn(say("1", "2", "room:sw", "swallowed", {"n": 1})),
        turn(
            say("1", "3", "room:sw", "intercepted", {"n": 1}, on="b"),
            text("1", None, "room:sw", "intercepted", {"n": 1, "via": "handle_out"}),
            a=[text("1", None, "room:sw", "intercepted", {"n": 1, "via": "handle_out"})],
        ),
        clients={"a": {}, "b": {}},
    ),
    script(
        "event_intercepted_from_outside",
        "what an endpoint broadcasts is intercepted too",
        join("room:io", "3"),
        turn(
            {"http": ["POST", "/admin/broadcast?topic=room:io&event=intercepted"], "body": '{"n":1}'},
            a=[text("3", None, "room:io", "intercepted", {"n": 1, "via": "handle_out"})],
        ),
    ),
    script(
        "event_handle_out_crash",
        "a handle_out that raises ends its channel alone",
        join("room:hoc"),
        join("room:hoc2", "2"),
        turn(
            {"http": ["POST", "/admin/broadcast?topic=room:hoc&event=intercepted"], "body": "[]"},
            a=[error("1", "room:hoc")],
        ),
        turn(say("2", "3", "room:hoc2", "echo"), reply("2", "3", "room:hoc2")),
    ),
    script(
        "event_of_the_protocol",
        "the protocol's own events, sent by a client, are events that a channel may not know",
        join("room:proto"),
        turn(say("1", "2", "room:proto", "phx_close"), error("1", "room:proto")),
        join("room:proto", "3"),
        turn(say("3", "4", "room:proto", "phx_reply"), error("3", "room:proto")),
    ),
    script(
        "event_join_only",
        "a channel without handlers crashes on every event",
        join("audit:other"),
        turn(say("1", "2", "audit:other", "echo"), error("1", "audit:other")),
    ),
    script(
        "event_assigned",
        "assigns of the route belong to its channels alone",
        turn(say("1", "1", "assigned:x", "phx_join"), reply("1", "1", "assigned:x", {"from_socket": "yes"})),
        join("room:noassigns", "2"),
        turn(say("2", "3", "room:noassigns", "get"), reply("2", "3", "room:noassigns", {"value": None})),
    ),
    script(
        "event_assigns_apart",
        "what one channel assigns is not seen by another of the same socket",
        join("room:as1"),
        join("room:as2", "2"),
        turn(say("1", "3", "room:as1", "assign", {"value": 1}), reply("1", "3", "room:as1", {"value": 1})),
        turn(say("2", "4", "room:as2", "get"), reply("2", "4", "room:as2", {"value": None})),
    ),
]
