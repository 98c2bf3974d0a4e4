"""Messages that are none, and requests that are no good."""

from __future__ import annotations

from tests.conformance.player import Scenario
from tests.conformance.scenarios.ends import terminated
from tests.conformance.scenarios.script import binary, fields, join, reply, script, turn

BAD = [
    script(
        f"bad_{name}",
        f"{name}: what becomes of the connection",
        join(f"room:bad_{name}"),
        turn(step, {"closed": 1011}),
    )
    for name, step in {
        "number": {"text": "42"},
        "null": {"text": "null"},
        "string": {"text": '"phx_join"'},
        "nothing": {"text": ""},
        "empty_array": {"text": "[]"},
        "array_of_four": {"text": '["1","1","room:x","phx_join"]'},
        "cut_json": {"text": '["1","1","room:x","phx_join",{'},
        "nan": {"text": '["1","1","room:x","phx_join",NaN]'},
        "cut_escape": {"text": '["1","1","room:x","phx_join","\\ud8"]'},
        "half_a_character_and_more": {"text": '["1","1","room:x","phx_join","\\ud83d",]'},
        "deep": {"text": "[" * 3000 + "]" * 3000},
        "no_bytes": binary(b""),
        "one_byte": binary(b"\0"),
        "reply_kind": binary(fields(1, "1", "1", "room:x", "ok", data=b"")),
        "broadcast_kind": binary(fields(2, "room:x", "news", data=b"123")),
        "unknown_kind": binary(b"\x09\1\1\1\1abcd"),
        "not_utf8_topic": binary(b"\0\0\0\2\1\xff\xfea"),
    }.items()
] + [
    script(
        "bad_terminates",
        "what terminate is told when the client cannot be understood",
        join("audit:log", on="w"),
        join("room:terminate:bad"),
        turn({"text": "nonsense"}, {"closed": 1011}, w=[terminated("room:terminate:bad", ["shutdown", "bad_message"])]),
        clients={"a": {}, "w": {}},
    ),
    script(
        "bad_but_long",
        "as in Phoenix, what follows the payload is ignored",
        turn({"text": '["1","1","room:long","phx_join",{},"more"]'}, reply("1", "1", "room:long")),
    ),
]

KEY = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="


def request(name: str, about: str, status: int, *lines: str, **shown: str) -> Scenario:
    """Send a request, and see its status and some of its headers."""
    headers = {header.replace("_", "-"): value for header, value in shown.items()}
    raw = "\n".join([*lines, "", ""])
    return Scenario(
        f"http_{name}", about, [{"raw_http": raw, "show": [*headers]}], [{"http": {"http": status} | headers}]
    )


HTTP = [
    request("root", "nothing is at the root", 404, "GET / HTTP/1.1", "host: $HOST", "connection: close"),
    request(
        "socket_path", "a socket's path is no transport's", 404, "GET /socket HTTP/1.1", "host: x", "connection: close"
    ),
    request("method", "the wrong method", 404, "GET /admin/broadcast HTTP/1.1", "host: x", "connection: close"),
    request("no_longpoll", "a socket without it", 404, "GET /few/longpoll HTTP/1.1", "host: x", "connection: close"),
    request("no_host", "HTTP/1.1 wants a host", 400, "GET /nothing HTTP/1.1", "connection: close"),
    request("nonsense", "what is no HTTP", 400, "nonsense"),
    request(
        "version_8",
        "an old version of WebSocket",
        426,
        "GET /socket/websocket?vsn=2.0.0 HTTP/1.1",
        "host: $HOST",
        "upgrade: websocket",
        "connection: upgrade, close",
        KEY,
        "sec-websocket-version: 8",
        sec_websocket_version="13",
        upgrade="websocket",
    ),
    request(
        "upgrade_query",
        "a lone & in the query, as phoenix.js may send it, and headers in another case",
        101,
        "GET /socket/websocket?&vsn=2.0.0& HTTP/1.1",
        "HOST: $HOST",
        "Upgrade: WebSocket",
        "CONNECTION: keep-alive, Upgrade",
        KEY,
        "Sec-WebSocket-VERSION: 13",
    ),
]
