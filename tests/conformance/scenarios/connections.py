"""Connections: how they open, close and carry messages."""

from __future__ import annotations

from tests.conformance.scenarios.script import join, reply, say, script, text, turn

CONNECTIONS = [
    *(
        script(f"close_{code}", "a close is answered with its code", turn({"close": code}, {"closed": code}))
        for code in (1001, 3000, 4999)
    ),
    script(
        "ping_between",
        "a ping may have no payload, or 125 bytes",
        turn({"ping": ""}, {"pong": ""}),
        turn({"ping": "p" * 125}, {"pong": "p" * 125}),
    ),
    script(
        "fragments_of_one",
        "a message in frames of a byte",
        turn({"fragments": list('["1","1","room:fr1","phx_join",{}]')}, reply("1", "1", "room:fr1")),
        turn({"fragments": ["", '["1","2","room:fr1",', "", '"echo",5]', ""]}, reply("1", "2", "room:fr1", 5)),
        turn(say("1", "3", "room:fr1", "echo"), reply("1", "3", "room:fr1")),
    ),
    script(
        "compress_declined",
        "compression is for the server to grant",
        turn(say("1", "1", "room:nz", "phx_join"), reply("1", "1", "room:nz")),
        clients={"a": {"compress": True}},
    ),
    script(
        "compress_broadcast",
        "a broadcast to clients with and without compression",
        join("room:zb"),
        join("room:zb", on="b"),
        turn(
            say("1", "2", "room:zb", "broadcast", {"s": "z" * 3000}),
            text(None, None, "room:zb", "broadcast", {"s": "z" * 3000}),
            b=[text(None, None, "room:zb", "broadcast", {"s": "z" * 3000})],
        ),
        turn(
            say("1", "3", "room:zb", "broadcast_from", {"s": "y" * 3000}, on="b"),
            a=[text(None, None, "room:zb", "broadcast_from", {"s": "y" * 3000})],
        ),
        clients={"a": {"path": "/few/websocket", "compress": True}, "b": {"path": "/few/websocket"}},
    ),
    script(
        "two_of_one_id",
        "two connections of one id each have channels of their own",
        join("room:two"),
        join("room:two", on="b"),
        turn(say("1", "2", "room:two", "count"), reply("1", "2", "room:two", {"count": 1})),
        turn(say("1", "2", "room:two", "count", on="b"), reply("1", "2", "room:two", {"count": 1})),
        turn({"close": 1000}, {"closed": 1000}),
        turn(say("1", "3", "room:two", "count", on="b"), reply("1", "3", "room:two", {"count": 2})),
        clients={name: {"params": {"user_id": "two"}} for name in "ab"},
    ),
    script(
        "disconnected_reconnects",
        "who was disconnected may come again",
        join("room:again"),
        turn(
            {"http": ["POST", "/admin/disconnect?id=users_socket:again"]},
            a=[{"closed": 1001}],
        ),
        turn(say("1", "1", "room:again", "phx_join", reopen=True), {"open": True}, reply("1", "1", "room:again")),
        turn(say("1", "2", "room:again", "count"), reply("1", "2", "room:again", {"count": 1})),
        clients={"a": {"params": {"user_id": "again"}}},
    ),
    script(
        "disconnect_nobody",
        "a disconnect that nobody hears",
        turn({"http": ["POST", "/admin/disconnect?id=users_socket:nobody"]}),
    ),
    *(
        script(
            f"vsn_other_{vsn}",
            f"vsn {vsn}: accepted or refused",
            turn({"ping": "x"}, {"pong": "x"}) if lets_in else turn({"ping": "x"}, {"rejected": 403}),
            clients={"a": {"vsn": vsn}},
        )
        for vsn, lets_in in {"1.0.5": True, "2.0.0-rc.1": False, "2.1.0": False, "2": False, "": False}.items()
    ),
    *(
        script(
            f"strict_{name}",
            f"a refused connect of the strict socket: {name}",
            turn({"ping": "x"}, {"rejected": status}),
            clients={"a": {"path": "/strict/websocket", "origin": "http://example.com", "params": {"reject": reject}}},
        )
        for name, reject, status in [("error", "true", 403), ("error_with_reason", "reason", 401)]
    ),
    script(
        "connect_reject_reason",
        "a reason to refuse, where nobody handles it",
        turn({"ping": "x"}, {"rejected": 403}),
        clients={"a": {"params": {"reject": "reason"}}},
    ),
]
