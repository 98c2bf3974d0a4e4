"""WebSockets of ASGI applications, over streams in memory: what both sides are told, and with which codes."""

from __future__ import annotations

import gc
import logging
import weakref
from typing import Any

import pytest
import trio
import wsproto
from trio.testing import MockClock, wait_all_tasks_blocked
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Message,
    Ping,
    Pong,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason

from phxactor import call
from phxactor.gateway import ApplicationWebSocket, asgi
from phxactor.gateway._websocket_talk import WebSocketTalk
from tests.gateway.talking import House, Talk, hosting


class App:
    """An application whose steps a test writes."""

    def __init__(self, steps: Any) -> None:  # noqa: ANN401
        self.steps = steps
        self.log: list[Any] = []
        self.go = trio.Event()
        self.scope: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        assert scope["type"] == "websocket"
        self.scope = scope
        await self.steps(self, receive, send)


class Client:
    """A client of a WebSocket."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.protocol = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        self.events: list[Any] = []

    @classmethod
    async def open(cls, house: House, target: str = "/ws", **options: Any) -> Client:  # noqa: ANN401
        client = cls(await house.connect())
        await client.send(Request(host="app.test", target=target, **options))
        return client

    async def send(self, *events: Any) -> None:  # noqa: ANN401
        await self.talk.send(b"".join(self.protocol.send(event) for event in events))

    async def event(self) -> Any:  # noqa: ANN401
        while not self.events:
            with trio.fail_after(1000):
                data = bytes(await self.talk.stream.receive_some())
            self.protocol.receive_data(data or None)
            self.events += self.protocol.events()
        return self.events.pop(0)

    async def accepted(self) -> AcceptConnection:
        event = await self.event()
        assert isinstance(event, AcceptConnection), event
        return event

    async def refused(self) -> tuple[int, dict[str, str], bytes]:
        event = await self.event()
        assert isinstance(event, RejectConnection), event
        body, headers = b"", {name.decode(): value.decode() for name, value in event.headers}
        while isinstance(more := await self.event(), RejectData):
            body += more.data
            if more.body_finished:
                break
        return event.status_code, headers, body

    async def closed(self) -> tuple[int, str]:
        event = await self.event()
        assert isinstance(event, CloseConnection), event
        return event.code, event.reason or ""


async def echo(app: App, receive: Any, send: Any) -> None:  # noqa: ANN401
    """Accept, send back what comes, and log the end."""
    app.log.append((await receive())["type"])
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        app.log.append(message.get("text", message.get("bytes")))
        await send({**message, "type": "websocket.send"})
    app.log.append(message)


async def test_messages_go_both_ways_and_fragments_are_joined() -> None:
    app = App(echo)
    async with hosting(asgi("/", app, lifespan="off")) as house:
        client = await Client.open(house)
        await client.accepted()
        await client.send(TextMessage("é"), BytesMessage(b"\0"))
        assert [(await client.event()).data, (await client.event()).data] == ["é", b"\0"]
        await client.send(TextMessage("fra", message_finished=False), TextMessage("gment"))
        assert (await client.event()).data == "fragment"
        await client.send(CloseConnection(3001, "bye"))
        assert await client.closed() == (3001, "bye")
    assert app.log[0] == "websocket.connect"
    assert app.log[-1] == {"type": "websocket.disconnect", "code": 3001, "reason": "bye"}


@pytest.mark.parametrize(
    ("end", "code"),
    [(CloseConnection(1000), 1000), (CloseConnection(CloseReason.NO_STATUS_RCVD), 1005), (None, 1006)],
    ids=["1000", "1005", "lost"],
)
async def test_messages_before_the_close_are_received_first(end: CloseConnection | None, code: int) -> None:
    async def steps(app: App, receive: Any, send: Any) -> None:  # noqa: ANN401
        await send({"type": "websocket.accept"})
        await app.go.wait()
        for _ in range(6):
            message = await receive()
            app.log.append(message.get("text", message.get("code", message["type"])))

    app = App(steps)
    async with hosting(asgi("/", app, lifespan="off")) as house:
        client = await Client.open(house)
        await client.accepted()
        await client.send(*(TextMessage(str(number)) for number in range(3)))
        if end is not None:
            await client.send(end)
        await client.talk.leave()
        app.go.set()
        await wait_all_tasks_blocked()
        assert house.running() == house.running("Connection") == []
    assert app.log == ["websocket.connect", "0", "1", "2", code, code]


async def test_a_waiting_disconnect_is_received_in_a_cancelled_scope_and_send_raises_an_OSError() -> None:
    async def steps(app: App, receive: Any, send: Any) -> None:  # noqa: ANN401
        await receive()
        await send({"type": "websocket.accept"})
        await app.go.wait()
        with trio.CancelScope() as scope:
            scope.cancel()
            app.log.append((await receive())["code"])
        for kind in ("send", "close"):
            with pytest.raises(OSError, match="the client has left"):
                await send({"type": f"websocket.{kind}", "text": "x"})
        app.log.append("end")

    app = App(steps)
    async with hosting(asgi("/", app, lifespan="off")) as house:
        client = await Client.open(house)
        await client.accepted()
        await client.talk.leave()
        app.go.set()
        await wait_all_tasks_blocked()
    assert app.log == [1006, "end"]


async def test_a_scope_has_subprotocols_and_the_application_chooses_one_with_its_headers() -> None:
    async def steps(app: App, receive: Any, send: Any) -> None:  # noqa: ANN401
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "b", "headers": [(b"X-Own", b"1"), (b"Upgrade", b"no")]})
        await receive()

    app = App(steps)
    async with hosting(asgi("/", app, lifespan="off")) as house:
        client = await Client.open(house, "/ws/%C3%A9?x=1", subprotocols=["a", "b"])
        event = await client.accepted()
    assert event.subprotocol == "b"
    assert (b"x-own", b"1") in event.extra_headers
    assert app.scope["subprotocols"] == ["a", "b"]
    assert (app.scope["scheme"], app.scope["path"], app.scope["query_string"]) == ("ws", "/ws/é", b"x=1")
    assert app.scope["extensions"] == {"websocket.http.response": {}}
    assert "method" not in app.scope


async def test_a_close_before_accept_is_a_403() -> None:
    async def steps(app: App, receive: Any, send: Any) -> None:  # noqa: ANN401
        await send({"type": "websocket.close", "code": 4000})
        with pytest.raises(OSError, match="left"):
            await send({"type": "websocket.send", "text": "x"})

    async with hosting(asgi("/", App(steps), lifespan="off")) as house:
        assert (await (await Client.open(house)).refused())[0] == 403


async def test_a_denial_response_is_the_answer() -> None:
    async def steps(app: App, receive: Any, send: Any) -> None:  # noqa: ANN401
        headers = [(b"content-type", b"application/json"), (b"content-length", b"8")]
        await send({"type": "websocket.http.response.start", "status": 401, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b'{"no"', "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b":1}"})

    async with hosting(asgi("/", App(steps), lifespan="off")) as house:
        status, headers, body = await (await Client.open(house)).refused()
    assert (status, headers["content-type"], body) == (401, "application/json", b'{"no":1}')


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("how", ["raise", "exit", "return"])
async def test_an_application_that_ends_is_told_to_its_client(
    where: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps(app: App, receive: Any, send: Any) -> None:  # noqa: ANN401
        await receive()
        if where == "after":
            await send({"type": "websocket.accept"})
        if how == "raise":
            raise ValueError("broken")
        if how == "exit":
            await call("nobody", 1)

    async with hosting(asgi("/", App(steps), lifespan="off")) as house:
        client = await Client.open(house, "/fails")
        if where == "before":
            assert (await client.refused())[0] == 500
        else:
            await client.accepted()
            assert (await client.closed())[0] == (1000 if how == "return" else 1011)
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == (0 if (where, how) == ("after", "return") else 1)


async def test_an_application_closes_with_its_code_and_reason() -> None:
    async def steps(app: App, receive: Any, send: Any) -> None:  # noqa: ANN401
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4321, "reason": "é" * 100})
        app.log += [await receive(), await receive()]
        with pytest.raises(OSError, match="left"):
            await send({"type": "websocket.send", "text": "x"})

    app = App(steps)
    async with hosting(asgi("/", app, lifespan="off")) as house:
        client = await Client.open(house)
        await client.accepted()
        assert await client.closed() == (4321, "é" * 61)  # a close frame has at most 125 bytes
    assert app.log[-1]["code"] == 4321


async def test_a_client_that_leaves_before_the_decision_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def steps(app: App, receive: Any, send: Any) -> None:  # noqa: ANN401
        app.log.append((await receive())["type"])
        app.log.append((await receive())["type"])
        await send({"type": "websocket.accept"})

    app = App(steps)
    async with hosting(asgi("/", app, lifespan="off")) as house:
        client = await Client.open(house)
        await wait_all_tasks_blocked()
        await client.talk.leave()
        assert house.running() == house.running("Connection") == []
    assert app.log == ["websocket.connect", "websocket.disconnect"]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_client_that_gets_no_decision_in_time_is_answered_503(autojump_clock: MockClock) -> None:
    async def steps(app: App, receive: Any, send: Any) -> None:  # noqa: ANN401
        await trio.sleep_forever()

    async with hosting(asgi("/", App(steps), lifespan="off", timeout=5)) as house:
        assert (await (await Client.open(house)).refused())[0] == 503
        await wait_all_tasks_blocked()
        assert house.running() == []


async def test_an_application_that_does_not_end_after_its_client_is_cancelled(autojump_clock: MockClock) -> None:
    async def steps(app: App, receive: Any, send: Any) -> None:  # noqa: ANN401
        await send({"type": "websocket.accept"})
        await trio.sleep_forever()

    async with hosting(asgi("/", App(steps), lifespan="off", timeout=5, ping_interval=10**6)) as house:
        client = await Client.open(house)
        await client.accepted()
        await trio.sleep(1000)
        await client.talk.leave()
        assert house.running() == ["WebSocket /ws"]
        await trio.sleep(20)
        assert house.running() == []


async def test_the_server_stops_with_1012(autojump_clock: MockClock) -> None:
    app = App(echo)
    async with hosting(asgi("/", app, lifespan="off")) as house:
        client = await Client.open(house)
        await client.accepted()
        async with trio.open_nursery() as nursery:
            drainer = next(pid for pid in house.runtime.processes.values() if pid.initial_call == "Drainer")
            nursery.start_soon(house.runtime.ended, drainer)
            supervisor = house.runtime.names.whereis("endpoint")
            assert supervisor is not None
            supervisor.exit("shutdown")
            assert await client.closed() == (1012, "")
            await client.talk.leave()
    assert app.log[-1]["code"] == 1012


async def test_an_application_that_takes_nothing_makes_its_client_wait(autojump_clock: MockClock) -> None:
    async def steps(app: App, receive: Any, send: Any) -> None:  # noqa: ANN401
        await send({"type": "websocket.accept"})
        await app.go.wait()
        await echo(app, receive, send)

    app = App(steps)
    sent = 0
    async with hosting(asgi("/", app, lifespan="off")) as house:
        client = Client(await house.connect(lockstep=True))
        await client.send(Request(host="app.test", target="/ws"))
        await client.accepted()

        async def pour() -> None:
            nonlocal sent
            for _ in range(100):
                await client.send(BytesMessage(b"x" * 10_000))
                sent += 10_000

        async with trio.open_nursery() as nursery:
            nursery.start_soon(pour)
            await wait_all_tasks_blocked()
            assert sent < 200_000
            nursery.cancel_scope.cancel()


async def test_send_waits_for_a_slow_client(autojump_clock: MockClock) -> None:
    async def steps(app: App, receive: Any, send: Any) -> None:  # noqa: ANN401
        await send({"type": "websocket.accept"})
        for number in range(100):
            await send({"type": "websocket.send", "bytes": b"x" * 50_000})
            app.log.append(number)

    app = App(steps)
    async with hosting(asgi("/", app, lifespan="off")) as house:
        client = Client(await house.connect(lockstep=True))
        await client.send(Request(host="app.test", target="/ws"))
        await client.accepted()
        await wait_all_tasks_blocked()
        assert len(app.log) < 10
        size = 0
        while isinstance(event := await client.event(), Message):
            size += len(event.data)
        assert size == 5_000_000
        assert isinstance(event, CloseConnection)


async def test_a_message_over_the_limit_closes_with_1009_and_wrong_text_with_1007() -> None:
    app = App(echo)
    async with hosting(asgi("/", app, lifespan="off", max_message_bytes=1000)) as house:
        for data, code in ((BytesMessage(b"x" * 1001), 1009), (b"\x81\x81\0\0\0\0\xff", 1007)):
            client = await Client.open(house)
            await client.accepted()
            await (client.talk.send(data) if isinstance(data, bytes) else client.send(data))
            assert (await client.closed())[0] == code
            await wait_all_tasks_blocked()
            assert app.log[-1]["code"] == code


async def test_a_silent_client_is_pinged_and_then_lost(autojump_clock: MockClock) -> None:
    app = App(echo)
    async with hosting(asgi("/", app, lifespan="off", ping_interval=20)) as house:
        client = await Client.open(house)
        await client.accepted()
        for _ in range(3):
            began = trio.current_time()
            assert isinstance(await client.event(), Ping)
            assert 19 < trio.current_time() - began < 22
            await client.send(Pong())
        assert isinstance(await client.event(), Ping)
        began = trio.current_time()
        await trio.sleep(25)
        assert house.running() == []
        assert app.log[-1]["code"] == 1006


async def test_websockets_do_not_count_as_requests() -> None:
    async def steps(app: App, receive: Any, send: Any) -> None:  # noqa: ANN401
        await echo(app, receive, send)

    app = App(steps)
    async with hosting(asgi("/", app, lifespan="off", max_requests=2)) as house:
        clients = [await Client.open(house) for _ in range(5)]
        for client in clients:
            await client.accepted()
        assert (await house.ask("/")).status == 500  # it is asked, and fails: it has no HTTP


async def test_nothing_is_left_of_a_websocket_that_has_ended() -> None:
    app = App(echo)
    gc.collect()  # those of other tests
    async with hosting(asgi("/", app, lifespan="off")) as house:
        client = await Client.open(house)
        await client.accepted()
        sides = [one for one in gc.get_objects() if type(one) in (ApplicationWebSocket, WebSocketTalk)]
        assert len(sides) == 2
        gone = [weakref.ref(one) for one in sides if isinstance(one, WebSocketTalk)]
        del sides
        gc.disable()
        try:
            await client.talk.leave()
            await wait_all_tasks_blocked()
            assert [one() for one in gone] == [None]
        finally:
            gc.enable()


async def test_a_request_that_is_no_handshake_is_refused_and_one_with_a_body_is_http() -> None:
    async def http(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"http"})

    async with hosting(asgi("/", http, lifespan="off")) as house:
        assert (await house.ask("/", upgrade="websocket", connection="upgrade")).status == 400
        assert (await house.ask("/", "POST", b"x", upgrade="websocket", connection="upgrade")).body == b"http"
        assert (await house.ask("/", upgrade="h2c", connection="upgrade")).body == b"http"
