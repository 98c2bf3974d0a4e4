"""Clients that do everything at once: whatever happens, every join is answered once, and ends once."""

from __future__ import annotations

from collections import Counter

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from phxactor import Channel, Error, Exit, Ok, Stop, channel, on, trap_exit
from phxactor.channels import Payload
from tests.sockets.wires import Wire, only_the_connection_is_left, wire


class Room(Channel):
    """Joins and ends in every way, as the payload says."""

    async def join(self, topic: str, payload: Payload) -> Ok[Payload] | Error:
        if payload.get("trap"):
            trap_exit()
        await trio.sleep(payload.get("sleep", 0))
        match payload.get("then"):
            case "refuse":
                return Error({"reason": "refused"})
            case "crash":
                raise RuntimeError("crashed in join")
        return Ok(payload)

    @on("echo")
    async def echo(self, payload: Payload) -> Ok[Payload]:
        return Ok(payload)

    @on("sleep")
    async def sleep(self, payload: Payload) -> None:
        await trio.sleep(1)

    @on("crash")
    async def crash(self, payload: Payload) -> None:
        raise RuntimeError("crashed")

    @on("quit")
    async def quit(self, payload: Payload) -> None:
        raise Exit("normal")

    @on("close")
    async def close(self, payload: Payload) -> Stop:
        return Stop()


JOIN_TIMEOUT = 4.0
joins = st.builds(
    lambda topic, sleep, then, trap: (topic, "phx_join", {"sleep": sleep, "then": then, "trap": trap}),
    st.sampled_from("ab"),
    st.sampled_from([0, 0, 0.5, 2, 9]),
    st.sampled_from([None, None, None, "refuse", "crash"]),
    st.booleans(),
)
others: st.SearchStrategy[tuple[str, str, dict[str, object]]] = st.tuples(
    st.sampled_from("ab"),
    st.sampled_from(["echo", "echo", "sleep", "crash", "quit", "close", "phx_leave", "phx_leave"]),
    st.just({}),
)
pauses = st.sampled_from([0.0, 0.3, 1.0, 5.0])
steps = st.lists(st.one_of(joins, others, others, pauses), max_size=30)


@given(steps)
@settings(deadline=None)
def test_every_join_is_answered_once_and_ends_once(chosen: list[tuple[str, str, dict[str, object]] | float]) -> None:
    trio.run(play, chosen, clock=MockClock(autojump_threshold=0))


async def play(chosen: list[tuple[str, str, dict[str, object]] | float]) -> None:
    heard: list[list[object]] = []
    asked: dict[str, str] = {}
    current: dict[str, str] = {}
    async with wire(channel("*", Room), join_timeout=JOIN_TIMEOUT) as it:
        for number, step in enumerate(chosen):
            if isinstance(step, float):
                await trio.sleep(step)
                continue
            topic, event, payload = step
            ref = f"{event} {number}"
            asked[ref] = event
            if event == "phx_join":
                current[topic] = ref
            it.say(current.get(topic, "none"), ref, topic, event, payload)
        await trio.sleep(30 * 15)
        heard += await listen(it)
        check(heard, asked)
        alive = living(heard)
        assert len(it.mux) == len(alive)
        assert it.runtime.statistics().processes == 4 + len(alive)
        # Who is alive answers, and can be left.
        for topic in "ab":
            it.say(current.get(topic), "last echo", topic, "echo", "last")
            it.say(current.get(topic), "last leave", topic, "phx_leave")
        last = await listen(it)
        assert sum(one[4] == {"status": "ok", "response": "last"} for one in last) == len(alive)
        assert living(heard + last) == {}
        only_the_connection_is_left(it)


async def listen(it: Wire) -> list[list[object]]:
    heard = []
    for one in await it.hear():
        assert isinstance(one, list)
        heard.append(one)
    return heard


def check(heard: list[list[object]], asked: dict[str, str]) -> None:
    """Nothing is answered twice, no join is not answered, and nothing ends that has not begun."""
    replies = Counter(str(ref) for _, ref, _, event, _ in heard if event == "phx_reply")
    assert all(replies[ref] == 1 for ref, event in asked.items() if event == "phx_join")
    assert all(replies[ref] <= 1 for ref in asked)
    assert set(replies) <= set(asked)
    joined: set[object] = set()
    for join_ref, ref, _, event, payload in heard:
        assert isinstance(payload, dict)
        if event == "phx_reply" and asked[str(ref)] == "phx_join" and payload["status"] == "ok":
            joined.add(ref)
        if event in ("phx_close", "phx_error"):
            joined.remove(join_ref)  # once, and not before its answer


def living(heard: list[list[object]]) -> dict[object, object]:
    """List the joins that were accepted and have not ended, by topic."""
    alive: dict[object, object] = {}
    for join_ref, ref, topic, event, payload in heard:
        accepted = isinstance(payload, dict) and payload.get("status") == "ok"
        if event == "phx_reply" and accepted and str(ref).startswith("phx_join"):
            alive[topic] = ref
        if event in ("phx_close", "phx_error") and alive.get(topic) == join_ref:
            del alive[topic]
    return alive
