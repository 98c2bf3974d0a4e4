"""The words in which scenarios of our own are written."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from tests.conformance.actors import Record, Step
from tests.conformance.player import Scenario

Turn: TypeAlias = tuple[Step, Record]
"""A step and what comes of it."""

V1: Final = {"vsn": "1.0.0"}
CRASHED: Final = {"reason": "join crashed"}
UNMATCHED: Final = {"reason": "unmatched topic"}
BYE: Final = {"bye": True}

# -------------------------------------------------------------------------------------------- what is sent


def say(join_ref: object, ref: object, topic: str, event: str, payload: object = None, **more: object) -> Step:
    """Send a V2 message."""
    return {"send": [join_ref, ref, topic, event, {} if payload is None else payload], **more}


def say_v1(topic: str, event: str, ref: object, payload: object = None, **more: object) -> Step:
    """Send a V1 message."""
    keys = {key: more.pop(key) for key in ("join_ref",) if key in more}
    message = {"topic": topic, "event": event, "payload": {} if payload is None else payload, "ref": ref}
    return {"send": message | keys, **more}


def binary(data: bytes, **more: object) -> Step:
    """Send a binary frame."""
    return {"binary": base64.b64encode(data).decode(), **more}


# ------------------------------------------------------------------------------------------- what comes back


def text(join_ref: object, ref: object, topic: str, event: str, payload: object) -> Record:
    return {"text": [join_ref, ref, topic, event, payload]}


def reply(join_ref: object, ref: object, topic: str, response: object = None, status: str = "ok") -> Record:
    payload = {"response": {} if response is None else response, "status": status}
    return text(join_ref, ref, topic, "phx_reply", payload)


def unmatched(ref: object, topic: str) -> Record:
    return reply(None, ref, topic, UNMATCHED, "error")


def close(join_ref: object, topic: str) -> Record:
    return text(join_ref, join_ref, topic, "phx_close", {})


def error(join_ref: object, topic: str) -> Record:
    return text(join_ref, join_ref, topic, "phx_error", {"reason": "channel_crash"})


def text_v1(topic: str, event: str, payload: object, ref: object = None) -> Record:
    return {"text": {"topic": topic, "event": event, "payload": payload, "ref": ref}}


def reply_v1(topic: str, ref: object, response: object = None, status: str = "ok") -> Record:
    payload = {"response": {} if response is None else response, "status": status}
    return text_v1(topic, "phx_reply", payload, ref)


def bytes_back(data: bytes) -> Record:
    return {"binary": base64.b64encode(data).decode()}


def fields(kind: int, *parts: str, data: bytes) -> bytes:
    """Write a binary message: its kind, the lengths of its fields, the fields, the payload."""
    encoded = [part.encode() for part in parts]
    return bytes([kind, *map(len, encoded)]) + b"".join(encoded) + data


# -------------------------------------------------------------------------------------------------- scripts


def turn(step: Step, *events: Record, **others: Sequence[Record]) -> Turn:
    """Say what comes back: to the client of the step, and to others by name; a plain request is answered with 200."""
    record: Record = {name: list(more) for name, more in others.items()}
    if "http" in step:
        record["http"] = {"http": 200}
    if events:
        record[str(step.get("on", "a"))] = list(events)
    return step, record


def join(topic: str, ref: object = "1", *, on: str = "a", join_ref: object = ...) -> Turn:
    """Join, and be let in."""
    join_ref = ref if join_ref is ... else join_ref
    return turn(say(join_ref, ref, topic, "phx_join", on=on), reply(join_ref, ref, topic))


def join_v1(topic: str, ref: object = "1", *, on: str = "a") -> Turn:
    return turn(say_v1(topic, "phx_join", ref, on=on), reply_v1(topic, ref))


def script(name: str, about: str, *turns: Turn, clients: Mapping[str, Mapping[str, Any]] | None = None) -> Scenario:
    """Make a scenario; a client's first step opens its connection."""
    steps, records, opened = [], [], set[str]()
    for step, record in turns:
        client = str(step.get("on", "a"))
        if not opened & {client} and not {"http", "raw_http", "wait"} & set(step):
            opened.add(client)
            events = record.get(client, [])
            if {"rejected"} != {key for event in events for key in event}:
                record[client] = [{"open": True}, *events]
        steps.append(step)
        records.append(record)
    return Scenario(name, about, steps, records, clients or {})


def event(name: str, about: str, *events: Record, payload: object = None) -> Scenario:
    """Join a topic named after an event, have that happen, and see what the client hears."""
    topic = f"room:{name}"
    return script(f"event_{name}", about, join(topic), turn(say("1", "2", topic, name, payload), *events))


def ends(name: str, about: str, *events: Record) -> Scenario:
    """Do as `event`; afterwards the topic is free, and a join of it begins anew."""
    topic = f"room:{name}"
    return script(
        f"ends_{name}",
        about,
        join(topic),
        turn(say("1", "2", topic, "count"), reply("1", "2", topic, {"count": 1})),
        turn(say("1", "3", topic, name), *events),
        turn(say("1", "4", topic, "count"), unmatched("4", topic)),
        join(topic, "5"),
        turn(say("5", "6", topic, "count"), reply("5", "6", topic, {"count": 1})),
    )
