"""A message that nobody understands ends nobody: it is sent to every process of a whole program (N1, G37)."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from phxactor import (
    NORMAL,
    Channel,
    Down,
    Endpoint,
    GenServer,
    LongPollOptions,
    NoReply,
    Ok,
    RawSocket,
    Request,
    Socket,
    Stop,
    WebSocketOptions,
    channel,
    monitor,
    mount,
    on,
    self_pid,
    spawn,
)
from phxactor.channels import Payload
from phxactor.otp import (
    Agent,
    DynamicSupervisor,
    PartitionSupervisor,
    Registry,
    Supervisor,
    Task,
    TaskSupervisor,
    async_stream,
    call,
    cast,
    reply,
    system,
)
from phxactor.runtime import From, Pid, Runtime, open_runtime
from phxactor.telemetry import EVENTS
from tests.conformance.client import Client
from tests.longpoll.polling import PEER
from tests.runtime.odd import ODD, named

pytestmark = pytest.mark.socket


class Room(Channel):
    """Echoes."""

    @on("echo")
    async def echo(self, payload: Payload) -> Ok[Payload]:
        return Ok(payload)


class Custom(GenServer):
    """A custom channel that takes nothing but the end of its connection."""

    async def init(self, arguments: tuple[object, From, Socket]) -> None:
        _, from_, socket = arguments
        self.watch = monitor(socket.transport_pid)
        from_.reply(Ok())

    async def handle_info(self, message: object) -> Stop | None:
        return Stop(NORMAL) if type(message) is Down else None


class UserSocket(Socket):
    channels = (channel("room:*", Room), channel("custom:*", Custom))

    def identify(self) -> str:
        return "user"


class Raw(RawSocket):
    """Echoes."""

    async def handle_in(self, data: str | bytes) -> str | bytes:
        return data


class Server(GenServer):
    """Answers when it is told to."""

    async def init(self) -> None:
        self.asked: list[From] = []

    async def handle_call(self, request: object, from_: From) -> NoReply:
        self.asked.append(from_)
        return NoReply()

    async def handle_cast(self, request: object) -> None:
        for from_ in self.asked:
            reply(from_, request)


@attrs.define
class Program:
    """One of everything."""

    runtime: Runtime
    endpoint: Endpoint
    server: Pid
    agent: Pid
    waiting: Task[object]
    many: Task[object]
    streaming: Task[object]

    @property
    def port(self) -> int:
        assert self.endpoint.address is not None
        return self.endpoint.address.port


@asynccontextmanager
async def program() -> AsyncIterator[Program]:
    """Start it."""
    options = WebSocketOptions(check_origin=False, compress=True)
    dropping = WebSocketOptions(check_origin=False, slow_consumer="drop")
    endpoint = Endpoint(
        sockets=[
            mount("/socket", UserSocket, websocket=options, longpoll=LongPollOptions(check_origin=False)),
            mount("/dropping", UserSocket, websocket=dropping),
            mount("/raw", Raw, websocket=options),
        ]
    )
    async with open_runtime() as runtime:
        (await Supervisor.start_link([endpoint.child_spec(port=0), Server])).unwrap()
        (await PartitionSupervisor.start_link(DynamicSupervisor, name="partitions", partitions=2)).unwrap()
        (await Registry.start_link(name="names", keys="unique")).unwrap()
        (await Registry.start_link(name="groups", keys="duplicate", partitions=2)).unwrap()
        tasks = (await TaskSupervisor.start_link()).unwrap()
        suspended = (await Server.start_link()).unwrap()
        await system.suspend(suspended)
        server = (await Server.start_link(name=Registry.via("names", "server"))).unwrap()
        agent = (await Agent.start_link(lambda: 1)).unwrap()

        async def many() -> list[object]:
            supervised = await TaskSupervisor.async_(tasks, call, server, 2, None)
            return await Task.await_many([Task.async_(call, server, 1, None), supervised], None)

        async def ask(asked: object, *_: object) -> object:
            return await call(server, asked, None)

        async def streamed() -> list[object]:
            async with async_stream([3, 4], ask, timeout=None) as results:
                return [result.unwrap() async for result in results]

        waiting = [Task.async_(ask, 0), Task.async_(many), Task.async_(streamed)]
        yield Program(runtime, endpoint, server, agent, *waiting)


@pytest.mark.allow_leaks("a program that is stopped as a whole")
@pytest.mark.parametrize("kind", ODD, ids=named)
async def test_N1_G37_an_odd_message_to_everybody_ends_nobody(kind: type, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    async with program() as whole:
        clients = [
            await Client.open(f"ws://127.0.0.1:{whole.port}{path}", compress=compress)
            for path in ("/socket/websocket?vsn=2.0.0", "/dropping/websocket?vsn=2.0.0")
            for compress in (False, True)
        ]
        for client in clients:
            for topic in ("room:1", "custom:1"):
                await client.ask([topic, "1", topic, "phx_join", {}])
        raw = await Client.open(f"ws://127.0.0.1:{whole.port}/raw/websocket")
        await _poll(whole)
        while len((await system.get_state(whole.server))["asked"]) < 5:
            await trio.lowlevel.checkpoint()
        handlers = {name: event.handlers for name, event in EVENTS.items()}
        before = set(whole.runtime.processes.values())
        for pid in before:
            pid.send(kind())
        await _pass()
        assert {pid for pid in before if not pid.alive} == set()
        assert {name: event.handlers for name, event in EVENTS.items()} == handlers
        for client in clients:
            assert await client.ask(["room:1", "2", "room:1", "echo", {"n": 1}]) == [
                *("room:1", "2", "room:1", "phx_reply"),
                {"status": "ok", "response": {"n": 1}},
            ]
        await raw.send("echo")
        assert await raw.next() == "echo"
        assert Registry.lookup("names", "server") == [(whole.server, None)]
        assert await Agent.get(whole.agent, lambda value: value) == 1
        assert (await Registry.start_link(name="more", keys="unique")).unwrap().alive
        cast(whole.server, "answer")
        assert await whole.waiting == "answer"
        assert await whole.many == ["answer", "answer"]
        assert await whole.streaming == ["answer", "answer"]
        for client in [*clients, raw]:
            await client.stream.aclose()
        self_pid().mailbox.clear()


async def _poll(whole: Program) -> None:
    """Open a long-poll session."""
    done = trio.Event()

    async def ask() -> None:
        await whole.endpoint.answer(Request("GET", "/socket/longpoll?vsn=2.0.0", (), b"", peer=PEER))
        done.set()

    spawn(ask)
    await done.wait()


async def _pass() -> None:
    for _ in range(20):
        await trio.lowlevel.checkpoint()
