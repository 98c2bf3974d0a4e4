"""Messages whose fields are of types that no client should send, in all places: they are answered, and all goes on.

As in Phoenix: its serializers take any JSON, no route matches a topic that is no string, a channel has no clause for an
event that is none, and refs come back as they came. Half a character closes the connection there.
"""

from __future__ import annotations

import json
from typing import Final

from tests.conformance.actors import Record, Step
from tests.conformance.scenarios.script import (
    UNMATCHED,
    V1,
    Turn,
    binary,
    bytes_back,
    close,
    error,
    fields,
    join,
    join_v1,
    reply,
    reply_v1,
    say,
    say_v1,
    script,
    text_v1,
    turn,
    unmatched,
)

ODD: Final[dict[str, object]] = {
    "zero": 0,
    "number": 7,
    "fraction": 1.5,
    "null": None,
    "true": True,
    "false": False,
    "array": ["room:odd", {"a": [None]}],
    "no_elements": [],
    "object": {"topic": "room:odd"},
    "no_members": {},
}
BEATS: Final = turn(say(None, "beat", "phoenix", "heartbeat"), reply(None, "beat", "phoenix"))
BEATS_V1: Final = turn(say_v1("phoenix", "heartbeat", "beat"), reply_v1("phoenix", "beat"))
HALF: Final = "\\ud83d"
"""As it is written in JSON."""


def unmatched_v1(ref: object, topic: object) -> Record:
    return reply_v1(topic, ref, UNMATCHED, "error")  # type: ignore[arg-type]  # that is what it is about


# ------------------------------------------------------------------------------------------------- version 2


def topics(odd: object) -> list[Turn]:
    topic: str = odd  # type: ignore[assignment]
    return [
        turn(say("1", "1", topic, "phx_join"), unmatched("1", topic)),
        turn(say("1", 7, topic, "echo"), unmatched(7, topic)),
        turn(say(None, None, topic, "heartbeat"), unmatched(None, topic)),
        turn(say("1", "3", topic, "phx_leave"), reply("1", "3", topic)),
        BEATS,
    ]


def events(odd: object) -> list[Turn]:
    event: str = odd  # type: ignore[assignment]
    topic = f"room:odd_event_{odd!r:.9}"
    return [
        turn(say("1", "1", topic, event), unmatched("1", topic)),
        turn(say(None, "2", "phoenix", event), unmatched("2", "phoenix")),
        join(topic, "3"),
        turn(say("9", "4", topic, event)),  # meant for another join
        turn(say("3", "5", topic, "count"), reply("3", "5", topic, {"count": 1})),
        turn(say("3", "6", topic, event), error("3", topic)),
        turn(say("3", "7", topic, "count"), unmatched("7", topic)),
        join(topic, "8"),
        BEATS,
    ]


def refs(odd: object) -> list[Turn]:
    topic = f"room:odd_ref_{odd!r:.9}"
    return [
        join(topic, odd, join_ref="1"),
        turn(say("1", odd, topic, "echo", {"n": 1}), reply("1", odd, topic, {"n": 1})),
        turn(say(None, odd, "phoenix", "heartbeat"), reply(None, odd, "phoenix")),
        turn(say("1", odd, "room:nobody", "echo"), unmatched(odd, "room:nobody")),
        turn(say("1", odd, "room:nobody", "phx_leave"), reply("1", odd, "room:nobody")),
    ]


def join_refs(odd: object) -> list[Turn]:
    topic = f"room:odd_join_ref_{odd!r:.9}"
    ours = "1" if odd is None else odd  # then the ref is taken
    return [
        turn(say(odd, "1", topic, "phx_join"), reply(odd, "1", topic)),
        turn(say(odd, "2", topic, "echo", {"n": 1}), reply(ours, "2", topic, {"n": 1})),
        turn(say("99", "3", topic, "echo"), *([] if odd is not None else [reply(ours, "3", topic)])),
        turn(say(odd, "4", topic, "crash"), error(odd, topic)),
        BEATS,
    ]


def payloads(odd: object) -> list[Turn]:
    topic = f"room:odd_payload_{odd!r:.9}"
    back = {} if odd is None else odd
    return [
        turn({"send": ["1", "1", "room:join_echo", "phx_join", odd]}, reply("1", "1", "room:join_echo", back)),
        join(topic, "2"),
        turn({"send": ["2", "3", topic, "echo", odd]}, reply("2", "3", topic, back)),
        BEATS,
    ]


# ------------------------------------------------------------------------------------------------- version 1


def version_1(odd: object) -> list[Turn]:
    name: str = odd  # type: ignore[assignment]
    topic = f"room:odd_v1_{odd!r:.9}"
    return [
        turn(say_v1(name, "phx_join", "1"), unmatched_v1("1", name)),
        turn(say_v1(name, "echo", odd), unmatched_v1(odd, name)),
        turn(say_v1(name, "phx_leave", "3"), reply_v1(name, "3")),
        turn(say_v1(topic, name, "4"), unmatched_v1("4", topic)),
        turn(say_v1(topic, "phx_join", odd), reply_v1(topic, odd)),
        turn(say_v1(topic, "echo", odd, {"n": 1}), reply_v1(topic, odd, {"n": 1})),
        turn(say_v1(topic, "echo", "5", {"n": 1}, join_ref=odd), reply_v1(topic, "5", {"n": 1})),
        turn(
            {"send": {"topic": topic, "event": "echo", "payload": odd, "ref": "6"}},
            reply_v1(topic, "6", {} if odd is None else odd),
        ),
        turn(say_v1(topic, name, "7"), text_v1(topic, "phx_error", {"reason": "channel_crash"}, None)),
        BEATS_V1,
    ]


# ----------------------------------------------------------------------------------------- half a character


def sent(*fields: str) -> dict[str, object]:
    """Send an array of strings; HALF stands for half a character."""
    return {"text": json.dumps(fields).replace("HALF", HALF)}


def invalid(ref: str, topic: str) -> Record:
    return reply(None, ref, topic, {"reason": "invalid ref"}, "error")


HALVES = [
    script(
        "odd_half_payload",
        "half a character in a payload becomes U+FFFD, where Phoenix closes the connection",
        turn(sent("1", "1", "room:join_echo", "phx_join", "cut HALF"), reply("1", "1", "room:join_echo", "cut \ufffd")),
        turn(
            {"text": '["1","2","room:join_echo","echo",{"\\ude00":["\\ud83d\\ud83d\\ude00","\\\\ud83d"]}]'},
            reply("1", "2", "room:join_echo", {"\ufffd": ["\ufffd😀", "\\ud83d"]}),
        ),
        turn(sent("1", "3", "room:join_echo", "eventHALF", "a"), error("1", "room:join_echo")),
        BEATS,
    ),
    script(
        "odd_half_topic",
        "half a character in a topic",
        turn(sent("1", "1", "room:HALF", "phx_join", "a"), unmatched("1", "room:\ufffd")),
        turn(sent("1", "2", "room:HALF", "echo", "HALF"), unmatched("2", "room:\ufffd")),
        turn(sent("1", "3", "room:HALF", "phx_leave", "a"), unmatched("3", "room:\ufffd")),
        join("room:\ufffd", "4"),
        turn(sent("4", "5", "room:\ufffd", "echo", "HALF"), reply("4", "5", "room:\ufffd", "\ufffd")),
        BEATS,
    ),
    script(
        "odd_half_ref",
        "half a character in a ref",
        join("room:half_ref"),
        turn(sent("1", "HALF", "room:half_ref", "echo", "a"), invalid("\ufffd", "room:half_ref")),
        turn(sent("HALF", "2", "room:half_ref", "echo", "a"), invalid("2", "room:half_ref")),
        turn(sent("1", "HALF", "room:half_ref", "phx_leave", "a"), invalid("\ufffd", "room:half_ref")),
        turn(sent("HALF", "HALF", "room:half_other", "phx_join", "a"), invalid("\ufffd", "room:half_other")),
        turn(sent("1", "HALF", "phoenix", "heartbeat", "a"), invalid("\ufffd", "phoenix")),
        turn(say("1", "9", "room:half_ref", "echo", {"n": 1}), reply("1", "9", "room:half_ref", {"n": 1})),
    ),
    script(
        "odd_half_v1",
        "half a character for the first serializer",
        join_v1("room:half_v1"),
        turn(
            {"text": '{"topic":"room:half_v1","event":"echo","payload":"\\ud83d","ref":"2"}'},
            reply_v1("room:half_v1", "2", "\ufffd"),
        ),
        turn(
            {"text": '{"topic":"room:\\ud83d","event":"phx_join","payload":{},"ref":"3"}'},
            unmatched_v1("3", "room:\ufffd"),
        ),
        turn(
            {"text": '{"topic":"room:half_v1","event":"echo","payload":{},"ref":"\\ud83d"}'},
            reply_v1("room:half_v1", "\ufffd", {"reason": "invalid ref"}, "error"),
        ),
        BEATS_V1,
        clients={"a": V1},
    ),
]

# ---------------------------------------------------------------------------------- refs in binary messages


def push(join_ref: str, ref: str, topic: str, event: str = "echo") -> Step:
    return binary(fields(0, join_ref, ref, topic, event, data=b"x"))


def back(join_ref: str, ref: str, topic: str) -> Record:
    return bytes_back(fields(1, join_ref, ref, topic, "ok", data=b"x"))


BINARY = [
    script(
        f"odd_binary_{name}",
        f"a binary push to a channel that was joined with the join_ref {ours!r}",
        join(topic, "1", join_ref=ours),
        turn(push(theirs, "2", topic), back(theirs, "2", topic)),
        turn(push(theirs, "", topic), back(theirs, "", topic)),
        turn(push("", "4", topic), back(theirs, "4", topic)),
        turn(push("99", "5", topic)),
        turn(push("", "6", topic, "phx_leave")),  # as with null in a text
        turn(push(theirs, "7", topic, "count"), reply(ours, "7", topic, {"count": 1})),
        turn(push(theirs, "8", topic, "phx_leave"), reply(ours, "8", topic), close(ours, topic)),
        turn(push(theirs, "9", topic), unmatched("9", topic)),
        turn(push("", "10", "phoenix", "heartbeat"), reply(None, "10", "phoenix")),
    )
    for name, ours, theirs in [
        ("string", "1", "1"),
        ("number", 1, "1"),
        ("fraction", 1.5, "1.5"),
        ("true", True, "true"),
        ("array", ["a", 1], '["a",1]'),
    ]
    for topic in [f"room:odd_binary_{name}"]
] + [
    script(
        "odd_binary_join",
        "a join without a join_ref, in binary",
        turn(push("", "", "room:odd_binary_join", "phx_join"), reply("", "", "room:odd_binary_join")),
        turn(push("", "2", "room:odd_binary_join"), back("", "2", "room:odd_binary_join")),
    ),
    script(
        "odd_binary_null",
        "a channel that was joined with neither join_ref nor ref takes whatever comes",
        join("room:odd_binary_null", None),
        turn(push("", "2", "room:odd_binary_null"), back("", "2", "room:odd_binary_null")),
        turn(push("7", "3", "room:odd_binary_null"), back("", "3", "room:odd_binary_null")),
    ),
]

ODDITIES: Final = [
    *(
        script(f"odd_{place}_{name}", f"{place}: {name}", *turns(odd))
        for name, odd in ODD.items()
        for place, turns in {
            "topic": topics,
            "event": events,
            "ref": refs,
            "join_ref": join_refs,
            "payload": payloads,
        }.items()
    ),
    *(script(f"odd_v1_{name}", f"version 1: {name}", *version_1(odd), clients={"a": V1}) for name, odd in ODD.items()),
    script(
        "odd_event_custom",
        "a custom channel gets an event that is no text as text, and has nothing for it",
        turn(say("1", "1", "custom:odd", "phx_join"), reply("1", "1", "custom:odd", {"custom": True, "params": {}})),
        turn({"text": '["1","2","custom:odd",7,{}]'}),
        turn(say("1", "3", "custom:odd", "echo", {"n": 1}), reply("1", "3", "custom:odd", {"n": 1})),
    ),
    *HALVES,
    *BINARY,
]
