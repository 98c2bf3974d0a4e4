"""The model itself: it allows what was recorded from Phoenix 1.8.12."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from tests.conformance.player import Scenario, load
from tests.protocol.search import Search
from tests.protocol.steps import Broadcast, Close, End, Garbage, Message, Open, Ping, Send, Sent, Step, Wait, canonical
from tests.protocol.world import World

QUIET: Final = 0.1
"""Seconds after a step in which what comes of it was recorded, unless a step says otherwise."""
GARBAGE: Final = {
    "not json": "text that is not JSON",
    '{"topic":"room:x"}': "JSON of another version",
    "[1,2,3]": "an array that is too short",
}
UNKNOWN: Final = ("bench:", "presence:", "connect_info")
"""What the model does not know."""


def known(scenario: Scenario) -> bool:
    """Say whether the model knows all that happens in a scenario."""
    specs = [*scenario.clients.values()]
    if any({"path", "transport", "compress", "origin", "subprotocols"} & set(spec) for spec in specs):
        return False
    steps = orjson.dumps(scenario.steps).decode()
    if any(word in steps for word in UNKNOWN) or len(steps) > 10_000:
        return False
    return not any("raw_http" in step or step.get("http", [""])[0] == "GET" for step in scenario.steps)


SCENARIOS: Final = [scenario for scenario in load() if known(scenario)]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_what_phoenix_did_is_possible(scenario: Scenario) -> None:
    worlds = [World()]
    opened: set[str] = set()
    for steps, record in scenario.wanted():
        played: list[Step] = []
        for step in steps:
            played += _opening(scenario, step, opened)
            played += _step(step, _vsn(scenario, step))
        seconds = steps[-1].get("quiet", QUIET) + sum(step.get("wait", 0) for step in steps)
        seen = {name: list(_items(events)) for name, events in record.items() if isinstance(events, list)}
        worlds = Search(worlds, [*played, Wait(seconds)], seen).outcomes()
        assert worlds, (played, seen)


def test_there_are_many() -> None:
    assert len(SCENARIOS) > 70


def _vsn(scenario: Scenario, step: Mapping[str, Any]) -> int:
    version = scenario.clients.get(step.get("on", "a"), {}).get("vsn", "2.0.0")
    return {"1": 1, "2": 2}.get(str(version or "1")[0], 3)


def _opening(scenario: Scenario, step: Mapping[str, Any], opened: set[str]) -> Iterator[Step]:
    """Connect, with the first step of a client."""
    name = step.get("on", "a")
    if "http" not in step and name not in opened and "wait" not in step:
        opened.add(name)
        params = scenario.clients.get(name, {}).get("params", {})
        yield Open(name, _vsn(scenario, step), params.get("user_id"), "reject" in params)


def _step(step: Mapping[str, Any], vsn: int) -> Iterator[Step]:
    name = step.get("on", "a")
    match step:
        case {"http": [_, target]}:
            url = urlsplit(target)
            params = {key: values[0] for key, values in parse_qs(url.query).items()}
            if url.path == "/admin/disconnect":
                yield Broadcast(params["id"], "disconnect", "{}")
            else:
                yield Broadcast(params["topic"], params["event"], canonical(orjson.loads(step["body"])))
        case {"wait": _}:
            pass
        case _:
            yield Send(name, _sent(step, vsn))


def _sent(step: Mapping[str, Any], vsn: int) -> Sent:
    match step:
        case {"send": fields}:
            return _message(fields)
        case {"text": text}:
            return Garbage(GARBAGE[text])
        case {"fragments": parts}:
            return _message(orjson.loads("".join(parts)))
        case {"binary": encoded}:
            return _binary(base64.b64decode(encoded))
        case {"ping": data}:
            return Ping(data)
        case {"close": code}:
            return Close(code or 1000)
        case {"abort": _}:
            return End(broken=True)
    raise ValueError(step)


def _message(fields: Any) -> Message:  # noqa: ANN401 - JSON
    if isinstance(fields, list):
        join_ref, ref, topic, event, payload = fields
        return Message(join_ref, ref, topic, event, canonical(payload))
    payload = canonical(fields["payload"])
    return Message(fields.get("join_ref"), fields.get("ref"), fields["topic"], fields["event"], payload)


def _binary(data: bytes) -> Sent:
    ends = [5]
    for length in data[1:5]:
        ends.append(ends[-1] + length)
    if len(data) < ends[-1]:
        return Garbage("a binary message that is cut")
    join_ref, ref, topic, event = (data[start:end].decode() for start, end in pairwise(ends))
    return Message(join_ref, ref, topic, event, data[ends[-1] :])


def _items(events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Write what was recorded as the model does."""
    for event in events:
        match event:
            case {"open": _}:
                yield "open"
            case {"text": message}:
                yield canonical(message)
            case {"binary": encoded}:
                yield f"binary {base64.b64decode(encoded).hex()}"
            case {"pong": data}:
                yield f"pong {data}"
            case {"closed": code}:
                yield f"close {code}"
                yield "eof"
            case {"rejected": status}:
                yield f"rejected {status}"
