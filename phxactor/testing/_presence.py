"""What a test expects of a Presence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import trio

from phxactor.presence import Grouped, Presence
from phxactor.testing._patterns import Pattern, brief, exactly, fit
from phxactor.testing._settle import settle

LOOKS: Final = 20
"""How often `assert_presence` looks within its time."""


async def assert_presence(
    presence: type[Presence], topic: str, expected: Mapping[str, Pattern], *, within: float = 0.0
) -> Grouped:
    """Wait until exactly these keys are present in a topic, and return `presence.list(topic)`.

    Args:
        presence: the class.
        topic: the topic.
        expected: for each key the pattern of its metas, oldest first, such as `[{"status": "away"}]`, or `...`. `{}`
            means nobody.
        within: seconds of the test's clock that it may take, after nothing more happens by itself (`settle`).

    Raises AssertionError, with the differences and who is there.
    """
    __tracebackhide__ = True
    deadline = trio.current_time() + within
    while True:
        await settle()
        listed = presence.list(topic)
        differences = _differences(expected, listed)
        if not differences:
            return listed
        if trio.current_time() >= deadline:
            there = "\n".join(f"  {key}: {brief(entry['metas'])}" for key, entry in listed.items()) or "  nobody"
            nodes = [f"the tracker of {node} is {state}" for node, state in presence.statistics().replicas.items()]
            raise AssertionError("\n".join([*differences, f"present in {topic!r}:", there, *nodes]))
        await trio.sleep(within / LOOKS)


def _differences(expected: Mapping[str, Pattern], listed: Grouped) -> list[str]:
    found = [f"{key!r} is not present" for key in expected if key not in listed]
    found += [f"{key!r} is present, and not expected" for key in listed if key not in expected]
    for key, pattern in expected.items():
        if key in listed:
            result = fit(exactly([]) if pattern == [] else pattern, listed[key]["metas"])
            found += [f"{key!r}: {line}" for line in result] if isinstance(result, list) else []
    return found
