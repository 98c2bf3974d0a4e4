"""What the channels of the zoo do, as lists of effects; `channels` knows what comes of each.

`app` adds a few topics to the zoo: joins that take long, or for ever, or are answered by an actor that dies.
"""

from __future__ import annotations

import json
from typing import Final

from tests.protocol.steps import Message, Ref, canonical
from tests.protocol.world import Cast, Channel, Effect, Ending, Mail, Note

SLOW: Final = 65 / 256
"""Seconds that a slow join takes: no multiple of anything else, so that nothing happens at the same moment."""
ASYNC: Final = 17 / 256
"""Seconds after which another process answers."""

BYE: Final = '{"bye":true}'
LEFT: Final = ("shutdown", "left")
ENDS: Final[dict[str, tuple[Effect, ...]]] = {
    "crash": (("exit", "RuntimeError"),),
    "throw": (("exit", "ValueError"),),
    "bad_return": (("exit", "TypeError"),),
    "exit_normal": (("exit", "normal"),),
    "exit_shutdown": (("exit", "shutdown"),),
    "exit_error": (("exit", "boom"),),
    "kill_self": (("die",),),
    "stop_normal": (("stop", "normal"),),
    "stop_shutdown": (("stop", "shutdown"),),
    "stop_shutdown_reason": (("stop", ("shutdown", "kicked")),),
    "stop_error": (("stop", "boom"),),
    "stop_reply": (("reply", "ok", BYE), ("stop", "normal")),
    "stop_shutdown_reply": (("reply", "ok", BYE), ("stop", "shutdown")),
    "stop_error_reply": (("reply", "error", '{"bye":false}'), ("stop", "boom")),
    "phx_leave": (("reply", "ok", "{}"), ("stop", LEFT)),
}
JOINS: Final[dict[str, tuple[Effect, ...]]] = {
    "lobby": (("join", '{"hello":"lobby"}'),),
    "error": (("refuse", '{"reason":"unauthorized"}'),),
    "raise": (("die",),),
    "slow": (("sleep", SLOW), ("join", "{}")),
    "never": (("sleep", None),),
    "afterjoin": (("note", "after_join"), ("join", "{}")),
    "join_binary": (("join", bytes((4, 5, 6))),),
    "join_bad_return": (("die",),),
    "join_exit": (("die",),),
}
CUSTOM: Final[dict[str, tuple[Effect, ...]]] = {
    "error": (("refuse", '{"reason":"custom refused"}'),),
    "late": (("later", SLOW, "answer"),),
    "never": (),
    "lost": (("note", "lost"),),
}


# ------------------------------------------------------------------------------------------------- what they do


def join(channel: Channel) -> tuple[Effect, ...]:
    """Say what a channel does when it starts."""
    kind, _, name = channel.topic.partition(":")
    match kind:
        case "room" if name == "join_echo":
            return (("join", channel.payload),)
        case "room":
            traps: tuple[Effect, ...] = (("trap",),) if name.startswith("terminate:trap") else ()
            return traps + JOINS.get(name, (("join", "{}"),))
        case "assigned":
            return (("join", '{"from_socket":"yes"}'),)
        case "custom":
            return CUSTOM.get(name, (("join", f'{{"custom":true,"params":{channel.payload!s}}}'),))
        case _:
            return (("join", "{}"),)


def handle(channel: Channel, mail: Mail, user: str | None) -> tuple[Effect, ...]:
    """Say what a channel does about what is in its mailbox."""
    match mail:
        case Ending(reason=reason):
            return (("exit", reason),)
        case Note(what="after_join"):
            return (("push", "after_join", '{"n":1}'),)
        case Note(what="answer"):
            return (("join", "{}"),)
        case Note():
            return (("die",),)
        case Cast(event="swallowed") if channel.topic.startswith("room:"):
            return ()
        case Cast(event=event, payload=str(payload)) if channel.topic.startswith("room:"):
            return (("push", event, canonical(json.loads(payload) | {"via": "handle_out"})),)
        case Cast(event=event, payload=payload):
            return (("push", event, payload),)
        case Message() if channel.topic.startswith("room:"):
            return _in_room(channel, mail, user)
        case Message() if channel.topic.startswith("custom:"):
            return _in_custom(mail)
        case Message(event="phx_leave"):
            return ENDS["phx_leave"]
        case _:
            return (("exit", ("shutdown", "unknown_event")),)


def _in_custom(message: Message) -> tuple[Effect, ...]:
    match message.event:
        case "phx_leave":
            return (("reply", "ok", "{}"), ("close",), ("die",))
        case "echo":
            return (("reply", "ok", message.payload),)
        case "push":
            return (("push", "pushed", message.payload),)
        case "close":
            return ("close",), ("die",)
        case "stop_untold" | "die":
            return (("die",),)
        case _:
            return ()


def _in_room(channel: Channel, message: Message, user: str | None) -> tuple[Effect, ...]:  # noqa: C901 - the zoo's table
    payload, event = message.payload, message.event
    match event:
        case "echo" | "binary_echo":
            return (("reply", "ok", payload),)
        case "reply_error":
            return (("reply", "error", payload),)
        case "reply_bare":
            return (("reply", "ok", "{}"),)
        case "reply_bare_error":
            return (("reply", "error", "{}"),)
        case "reply_odd_status":
            return (("reply", "maybe", payload),)
        case "noreply":
            return ()
        case "push":
            return (("push", "pushed", payload),)
        case "push_then_reply":
            return ("push", "pushed", payload), ("reply", "ok", payload)
        case "async_reply":
            return (("answer", ASYNC, payload),)
        case "broadcast" | "intercepted" | "swallowed":
            return (("broadcast", event, payload),)
        case "broadcast_then_reply":
            return ("broadcast", "broadcast", payload), ("reply", "ok", payload)
        case "broadcast_from":
            return (("broadcast_from", event, payload),)
        case "binary_push":
            return (("push", "bin", bytes((0, 1, 2, 255))),)
        case "binary_reply":
            return (("reply", "ok", bytes((1, 2, 3))),)
        case "binary_error_reply":
            return (("reply", "error", bytes((3, 2, 1))),)
        case "binary_broadcast":
            return (("broadcast", "binb", bytes((9, 8, 7))),)
        case "assign":
            value = canonical(json.loads(payload)["value"])
            return ("value", value), ("reply", "ok", f'{{"value":{value}}}')
        case "get":
            return (("reply", "ok", f'{{"value":{channel.value}}}'),)
        case "count":
            return ("count",), ("reply", "ok", f'{{"count":{channel.counted + 1}}}')
        case "sleep":
            return ("sleep", json.loads(payload)["ms"] / 1000), ("reply", "ok", payload)
        case "hibernate":
            return (("push", "hibernated", payload),)
        case "info":
            return (("reply", "ok", _info(channel, message.ref, user)),)
        case _:
            return ENDS.get(event, (("exit", ("shutdown", "unknown_event")),))


def _info(channel: Channel, ref: Ref, user: str | None) -> str:
    return canonical(
        {
            "topic": channel.topic,
            "join_ref": channel.join_ref,
            "ref": ref,
            "user_id": user,
            "joined": True,
            "id": None if user is None else f"users_socket:{user}",
            "transport": "websocket",
        }
    )
