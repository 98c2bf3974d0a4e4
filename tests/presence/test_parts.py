"""PR148: a large state in parts."""

from __future__ import annotations

from random import Random

import orjson
import pytest
import trio

from phxactor import Presence, PubSub, open_runtime, spawn
from phxactor.presence import Grouped
from phxactor.presence._parts import parts_of
from phxactor.socket import Message
from phxactor.testing import settle
from tests.presence.rooms import Member, apply, member, socket_of, without_refs

LIMIT = 4096
BEGINNINGS = ("k", "\u043a\u043b\u044e\u0447", "__proto__", "\U0001f600")


class Large(Presence, pubsub=PubSub("news"), max_state_bytes=LIMIT):
    """Has no callbacks."""


class Named(Presence, pubsub=PubSub("news"), max_state_bytes=LIMIT):
    async def fetch(self, topic: str, presences: Grouped) -> Grouped:
        return {key: {**entry, "name": key.upper()} for key, entry in presences.items()}


def put_together(parts: list[bytes]) -> Grouped:
    """Fold parts as a client does."""
    state: Grouped = orjson.loads(parts[0])
    for part in parts[1:]:
        diff = orjson.loads(part)
        assert set(diff) == {"joins", "leaves"}
        apply(state, diff)
    return state


@pytest.mark.parametrize("seed", range(20))
def test_PR148_parts_are_small_and_together_the_state(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - for tests
    presences: Grouped = {
        f"{random.choice(BEGINNINGS)}{number}": {
            "metas": [
                {"phx_ref": f"{number}-{meta}", "at": "x" * random.randrange(60)}
                for meta in range(random.choice([1, 1, 1, 2, 200]))
            ]
        }
        for number in range(random.randrange(200))
    }
    limit = random.choice([1024, 2048, 65536])
    parts = parts_of(presences, limit)
    assert put_together(parts) == presences
    assert list(put_together(parts)) == list(presences)
    assert all(len(part) <= limit for part in parts)
    assert sum(map(len, parts)) < 2 * len(orjson.dumps(presences)) + 100


def test_PR148_a_meta_above_the_limit_is_a_part_of_its_own() -> None:
    presences: Grouped = {key: {"metas": [{"phx_ref": key, "at": "x" * 3000}]} for key in "abc"}
    assert [len(part) > 1024 for part in parts_of(presences, 1024)] == [True] * 3
    assert put_together(parts_of(presences, 1024)) == presences


def test_PR148_nobody_is_one_empty_state() -> None:
    assert parts_of({}, 1024) == [b"{}"]


@pytest.mark.parametrize("wrong", [0, 1023, -1, 1.5, True, "64k"])
def test_PR148_a_limit_is_a_whole_number_of_at_least_1024(wrong: object) -> None:
    with pytest.raises((TypeError, ValueError), match="max_state_bytes"):
        type("Wrong", (Presence,), {}, max_state_bytes=wrong)


def heard(one: Member, seen: int = 0) -> list[tuple[str, int]]:
    """Return the events of presence that a client got, each with the bytes of its payload."""
    return [
        (message.event, len(orjson.dumps(message.payload)))
        for message in one.client.received[seen:]
        if isinstance(message, Message) and message.event.startswith("presence_")
    ]


@pytest.mark.parametrize("presence", [Large, Named])
async def test_PR148_who_joins_gets_parts_and_sees_all(
    presence: type[Presence], autojump_clock: trio.abc.Clock
) -> None:
    async with open_runtime():
        await presence.start_link()
        socket = socket_of(presence)
        for number in range(300):
            presence.track("t:1", f"k{number}", pid=spawn(trio.sleep_forever))
        await trio.sleep(2)
        new = await member(socket)
        again = await member(socket, again=True)
        await settle()
        assert [event for event, _ in heard(new)] == ["presence_state"] + ["presence_diff"] * (len(heard(new)) - 1)
        assert len(heard(new)) >= 4
        assert max(length for _, length in heard(new)) <= LIMIT
        assert [event for event, _ in heard(again)] == ["presence_state"]
        presence.track("t:1", "later", pid=spawn(trio.sleep_forever))
        await trio.sleep(2)
        expected = without_refs(await presence.fetched("t:1"))
        assert len(expected) == 301
        assert await new.fold() == await again.fold() == expected
        seen = len(new.client.received)
        new.room.push("state", {})
        await settle()
        assert [event for event, _ in heard(new, seen)] == ["presence_state"]


async def test_PR148_parts_are_encoded_once_between_two_diffs(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime() as runtime:
        await Large.start_link()
        pids = [spawn(trio.sleep_forever) for _ in range(100)]
        for number, pid in enumerate(pids):
            Large.track("t", f"k{number}", pid=pid)
        states = Large._tables(runtime).states  # noqa: SLF001 - that it is kept is what the test is about
        first = states.parts("t", LIMIT)
        assert states.parts("t", LIMIT) is first
        Large.untrack("t", "k7", pid=pids[7])
        assert "k7" not in put_together(states.parts("t", LIMIT))
