"""What endpoints, sockets and channels send comes from their own thread; in any other it is one clear error (TM34)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Final

import pytest
import trio

from phxactor import (
    Channel,
    NoReply,
    Ok,
    RawSocket,
    Shutdown,
    Socket,
    WebSocketOptions,
    channel,
    from_thread,
    on,
    reply,
)
from phxactor.channels import Payload
from phxactor.runtime import NoProcessError, NotAProcessError, Runtime, WrongThreadError
from phxactor.testing import connect
from tests.conformance.client import Client
from tests.runtime.threads import PLACES, WITHOUT_PROCESS, Place, step
from tests.sockets.serving import Server, mounted, serving

pytestmark = pytest.mark.socket

JOIN: Final = ["1", "1", "room:1", "phx_join", {}]
JOINED: Final = ["1", "1", "room:1", "phx_reply", {"status": "ok", "response": {}}]


class Room(Channel):
    """Does things in a thread, and pushes what they raise."""

    @on("try")
    async def in_a_thread(self, payload: Payload) -> NoReply:
        name = payload["name"]
        ref = self.socket_ref()
        error = await trio.to_thread.run_sync(step, partial(WAYS[name], self))
        reply(ref, Ok({"error": type(error).__name__, "says": str(error)}))
        return NoReply()

    @on("broadcast")
    async def broadcast_here(self, payload: Payload) -> None:
        self.broadcast("news", payload)


WAYS: Final[dict[str, Callable[[Room], object]]] = {
    "push": lambda room: room.push("lost", {}),
    "broadcast": lambda room: room.broadcast("lost", {}),
    "broadcast_from": lambda room: room.broadcast_from("lost", {}),
    "reply": lambda room: reply(room.socket_ref(), Ok({"answered": "in a thread"})),
    "Socket.push": lambda room: room.socket.push("lost", {}),
    "Socket.close": lambda room: room.socket.close(Shutdown("lost")),
    "Endpoint.broadcast": lambda room: room.socket.endpoint.broadcast(room.topic, "lost", {}),
    "Endpoint.broadcast to nobody": lambda room: room.socket.endpoint.broadcast("nobody:1", "lost", {}),
    "Endpoint.broadcast_from": lambda room: room.socket.endpoint.broadcast_from(
        room.socket.transport_pid, room.topic, "lost", {}
    ),
    "Endpoint.local_broadcast": lambda room: room.socket.endpoint.local_broadcast(room.topic, "lost", {}),
    "Endpoint.subscribe": lambda room: room.socket.endpoint.subscribe("other"),
    "Endpoint.unsubscribe": lambda room: room.socket.endpoint.unsubscribe(room.topic),
    "exit of the connection": lambda room: room.socket.transport_pid.exit("boom"),
}


class UserSocket(Socket):
    channels = (channel("room:*", Room),)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("name", WAYS)
async def test_TM34_a_channel_sends_nothing_from_a_thread(name: str, compress: bool) -> None:
    served = mounted(UserSocket, WebSocketOptions(check_origin=False, compress=compress))
    async with serving(served) as server, await server.connect(compress=compress) as client:
        assert await client.ask(JOIN) == JOINED
        error, says = await asked(client, {"name": name})
        assert error == "WrongThreadError"
        assert "phxactor.from_thread" in says
        assert await client.ask(["1", "3", "room:1", "broadcast", {"n": 1}]) == [None, None, "room:1", "news", {"n": 1}]


async def asked(client: Client, payload: object) -> tuple[str, str]:
    """Have the channel do it in a thread."""
    match await client.ask(["1", "2", "room:1", "try", payload]):
        case ["1", "2", "room:1", "phx_reply", {"status": "ok", "response": {"error": error, "says": says}}]:
            return error, says
        case answer:
            raise AssertionError(answer)


class Worker(Channel):
    """Does its work in a thread, and tells how far it is."""

    @on("work")
    async def work(self, payload: Payload) -> Ok[object]:
        return Ok(await trio.to_thread.run_sync(self.work_in_thread, payload["n"]))

    def work_in_thread(self, number: int) -> object:
        for done in range(number):
            from_thread.run_sync(self.push, "progress", {"n": done})
        from_thread.run_sync(self.broadcast, "done", {"by": "channel"})
        from_thread.broadcast(self.socket.endpoint, self.topic, "done", {"by": "endpoint"})
        return {"did": number}


class WorkerSocket(Socket):
    channels = (channel("room:*", Worker),)


async def test_TM34_a_channel_pushes_and_broadcasts_by_from_thread() -> None:
    async with serving(mounted(WorkerSocket)) as server, await server.connect() as client:
        assert await client.ask(JOIN) == JOINED
        assert await client.ask(["1", "2", "room:1", "work", {"n": 20}]) == ["1", None, "room:1", "progress", {"n": 0}]
        told = [await client.json() for _ in range(22)]
        assert told == [
            *(["1", None, "room:1", "progress", {"n": step}] for step in range(1, 20)),
            [None, None, "room:1", "done", {"by": "channel"}],
            [None, None, "room:1", "done", {"by": "endpoint"}],
            ["1", "2", "room:1", "phx_reply", {"status": "ok", "response": {"did": 20}}],
        ]


async def test_TM34_a_foreign_thread_broadcasts_to_a_client_at_once() -> None:
    async with serving(mounted(UserSocket)) as server, await server.connect() as client:
        assert await client.ask(JOIN) == JOINED
        thread = threading.Thread(
            target=partial(from_thread.broadcast, server.endpoint, "room:1", "news", {"n": 1}, runtime=server.runtime)
        )
        thread.start()  # nothing else happens on the server, so nothing else wakes it
        assert await client.json() == [None, None, "room:1", "news", {"n": 1}]
        await trio.to_thread.run_sync(thread.join)


async def test_the_test_kit_does_as_a_server_does(phx_runtime: Runtime) -> None:
    client = await connect(WorkerSocket)
    room = await client.join("room:1")
    ref = room.push("work", {"n": 2})
    await room.assert_reply(ref, "ok", {"did": 2})
    await room.assert_push("progress", {"n": 1})
    await room.assert_push("done", {"by": "channel"})
    await room.assert_push("done", {"by": "endpoint"})


@pytest.mark.parametrize("name", WAYS)
async def test_the_test_kit_refuses_as_a_server_does(name: str, phx_runtime: Runtime) -> None:
    client = await connect(UserSocket)
    room = await client.join("room:1")
    ref = room.push("try", {"name": name})
    await room.assert_reply(ref, "ok", {"error": "WrongThreadError"})
    assert client.connected


class Raw(RawSocket):
    """Pushes from a thread."""

    async def handle_in(self, data: str | bytes) -> str:
        return type(await trio.to_thread.run_sync(step, partial(self.push, data))).__name__


async def test_TM34_a_raw_socket_pushes_nothing_from_a_thread() -> None:
    async with serving(mounted(Raw)) as server, await server.connect("/socket/websocket") as client:
        await client.send("hello")
        assert await client.next() == "WrongThreadError"


async def test_TM34_a_thread_that_broadcasts_all_the_time_loses_nothing_of_others() -> None:
    async with serving(mounted(UserSocket)) as server, await server.connect() as client:
        assert await client.ask(JOIN) == JOINED
        errors: list[BaseException] = []
        over = threading.Event()

        def work() -> None:
            while not over.is_set():
                try:
                    server.endpoint.broadcast("room:1", "lost", {})
                except WrongThreadError as error:
                    errors.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            for number in range(200):
                server.endpoint.broadcast("room:1", "news", {"n": number})
                assert await client.json() == [None, None, "room:1", "news", {"n": number}]
        finally:
            over.set()
            thread.join()
        assert errors


ENDPOINT: Final[dict[str, Callable[[Server], object]]] = {
    "broadcast": lambda server: server.endpoint.broadcast("room:1", "lost", {}),
    "broadcast what cannot be encoded": lambda server: server.endpoint.broadcast("room:1", "lost", {1: object()}),
    "broadcast to nobody": lambda server: server.endpoint.broadcast("nobody:1", "lost", {}),
    "broadcast_from": lambda server: server.endpoint.broadcast_from(server.runtime.main, "room:1", "lost", {}),
    "local_broadcast": lambda server: server.endpoint.local_broadcast("room:1", "lost", {}),
    "broadcast a disconnect": lambda server: server.endpoint.broadcast("user:1", "disconnect", {}),
    "start_link": lambda server: server.endpoint.start_link(port=0),
    "start_link without a port": lambda server: server.endpoint.start_link(server=False),
    "PubSub.subscribe another": lambda server: server.endpoint.pubsub.subscribe("room:1", pid=server.runtime.main),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ENDPOINT)
async def test_TM34_an_endpoint_is_left_alone_by_other_threads(name: str, place: Place) -> None:
    async with serving(mounted(UserSocket)) as server, await server.connect() as client:
        assert await client.ask(JOIN) == JOINED
        endpoint = server.endpoint

        def seen() -> object:
            return server.runtime.statistics(), endpoint.pubsub.statistics(), endpoint.address

        before = seen()
        error = await place(partial(ENDPOINT[name], server))
        if place in WITHOUT_PROCESS:
            assert isinstance(error, NotAProcessError), error
            assert "phxactor.from_thread" in str(error)
        elif "start" not in name:  # another runtime may have an endpoint of its own by the same options
            assert isinstance(error, NotAProcessError | NoProcessError), error
        assert seen() == before
        endpoint.broadcast("room:1", "news", {"n": 1})
        assert await client.json() == [None, None, "room:1", "news", {"n": 1}]
