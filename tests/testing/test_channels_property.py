"""Random clients whose channels end in every way, in any order of steps: each is told of each end once."""

from __future__ import annotations

from typing import Any

import trio
from hypothesis import settings
from hypothesis import strategies as st

from phxactor import Channel, Message, Ok, Socket, Stop, channel, on
from phxactor.channels import Payload
from phxactor.runtime import KILL, Exit, Pid, Reason
from phxactor.socket import Reply
from phxactor.testing import Client, connect, settle
from phxactor.testing.faults import crashing, dying_after, dying_at
from phxactor.testing.invariants import assert_ended_once, nothing_leaked
from phxactor.testing.machine import ProcessMachine, invariant, rule
from phxactor.testing.strategies import benign_reasons, reasons

TOPICS = ("room:1", "room:2")


class Room(Channel):
    """Ends as it is told."""

    async def join(self, topic: str, payload: Payload) -> Ok[Payload]:
        await trio.sleep(payload.get("sleep", 0))
        return Ok(payload)

    @on("echo")
    async def echo(self, payload: Payload) -> Ok[Payload]:
        return Ok(payload)

    @on("end")
    async def end(self, payload: Any) -> Stop:  # noqa: ANN401
        way, reason = WAYS[payload]
        match way:
            case "stops":
                return Stop(reason)
            case "exits":
                raise Exit(reason)
        raise RuntimeError("boom")


class UserSocket(Socket):
    channels = (channel("room:*", Room),)


WAYS: list[tuple[str, Reason]] = []
"""Reasons do not travel: clients send the number of the way that they mean."""


class Clients(ProcessMachine):
    """One client, whose messages come as fast as they can."""

    async def start(self) -> None:
        self.client: Client = await connect(UserSocket)
        self.heard: list[Message | Reply] = []
        self.refs: dict[str, str | None] = dict.fromkeys(TOPICS)
        self.pushed: set[str] = set()
        self.leaks = nothing_leaked(self.client.endpoint.pubsub)
        await self.leaks.__aenter__()

    def send(self, topic: str, event: str, payload: object = None) -> None:
        ref = self.client.next_ref()
        if event == "phx_join":
            self.refs[topic] = ref
        self.pushed.add(ref)
        self.client.send(Message(topic, event, {} if payload is None else payload, ref, self.refs[topic]))

    @rule(topic=st.sampled_from(TOPICS), sleep=st.sampled_from([0, 0, 1]))
    def join(self, topic: str, sleep: float) -> None:
        self.send(topic, "phx_join", {"sleep": sleep})

    @rule(topic=st.sampled_from(TOPICS), event=st.sampled_from(["echo", "phx_leave"]))
    def push(self, topic: str, event: str) -> None:
        self.send(topic, event)

    @rule(topic=st.sampled_from(TOPICS), way=st.sampled_from(["raises", "stops", "exits"]), reason=reasons())
    def end(self, topic: str, way: str, reason: Reason) -> None:
        WAYS.append((way, reason))
        self.send(topic, "end", len(WAYS) - 1)

    @rule(topic=st.sampled_from(TOPICS), reason=st.one_of(st.just(KILL), benign_reasons(), reasons()))
    def signal(self, topic: str, reason: Reason) -> None:
        pid = self.client.transport.channel_of(topic)
        if pid is not None:
            pid.exit(reason)

    @rule(topic=st.sampled_from(TOPICS), nth=st.integers(1, 2))
    async def die_at_a_message(self, topic: str, nth: int) -> None:
        with dying_at(nth, of(topic)):
            self.send(topic, "phx_join")
            self.send(topic, "echo")
            self.send(topic, "phx_leave")
            await settle()

    @rule(topic=st.sampled_from(TOPICS))
    async def die_on_leaving(self, topic: str) -> None:
        with dying_after(object, of(topic)):
            self.send(topic, "phx_leave")
            await settle()

    @rule(topic=st.sampled_from(TOPICS), callback=st.sampled_from(["join", "echo", "terminate"]))
    async def crash(self, topic: str, callback: str) -> None:
        with crashing(Room, callback):
            self.send(topic, "phx_join")
            self.send(topic, "echo")
            self.send(topic, "phx_leave")
            await settle()

    @rule(seconds=st.sampled_from([0, 0, 0.5, 2]))
    async def wait(self, seconds: float) -> None:
        await trio.sleep(seconds)
        await settle()

    @invariant()
    def the_connection_stands(self) -> None:
        assert self.client.connected

    async def stop(self) -> None:
        await trio.sleep(10)
        heard = await self.client.receive_all()
        let_in = {item.topic: item.ref for item in heard if is_admission(item)}
        living = [let_in[topic] for topic in TOPICS if self.client.transport.channel_of(topic) is not None]
        assert_ended_once(heard, still_joined=living)
        replies = [item.ref for item in heard if isinstance(item, Reply)]
        assert len(set(replies)) == len(replies)
        assert self.pushed >= set(replies)
        for topic in TOPICS:
            self.send(topic, "phx_leave")
        await self.leaks.__aexit__(None, None, None)


def is_admission(item: Message | Reply) -> bool:
    return isinstance(item, Reply) and item.status == "ok" and item.ref == item.join_ref


def of(topic: str) -> Any:  # noqa: ANN401 - whom a fault is for
    def chosen(pid: Pid) -> bool:
        return pid.label == topic

    return chosen


TestClients = Clients.TestCase
TestClients.settings = settings(max_examples=60, stateful_step_count=12)
