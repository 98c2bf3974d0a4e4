"""What runs of an endpoint: one state for each start, and a tree that serves again after each crash in it."""

from __future__ import annotations

import contextvars
import json
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from phxactor import (
    KILL,
    Channel,
    DrainOptions,
    Endpoint,
    LongPollOptions,
    Pid,
    PubSub,
    Request,
    Response,
    Socket,
    Supervisor,
    channel,
    get,
    mount,
    on,
    open_runtime,
    receive,
    trap_exit,
)
from phxactor.otp import Error
from phxactor.runtime import Exited, NoProcessError, NotAProcessError
from tests.conformance.client import Client
from tests.patience import PATIENCE
from tests.sockets.serving import Server, eventually

JOIN = ["1", "1", "room:1", "phx_join", {}]
NEWS: Any = [None, None, "room:1", "news", {}]


class Room(Channel):
    """Has clients wait."""

    @on("slow")
    async def slow(self, payload: Any) -> None:  # noqa: ANN401
        await trio.sleep_forever()


class UserSocket(Socket, log=False):
    """Any room."""

    channels = (channel("room:*", Room),)


class OtherSocket(UserSocket):
    """The same, of another endpoint."""


async def hello(request: Request) -> Response:
    return Response.text("hello")


async def slow(request: Request) -> Response:
    await trio.sleep_forever()
    raise AssertionError


pytestmark = pytest.mark.socket

LONGPOLL = LongPollOptions(check_origin=False)


def endpoint(**options: Any) -> Endpoint:  # noqa: ANN401
    return Endpoint(
        sockets=[mount("/socket", UserSocket, longpoll=LONGPOLL)],
        routes=[get("/hello", hello), get("/slow", slow)],
        drain=DrainOptions(limit=600),
        **options,
    )


# ------------------------------------------------------------------------------------------------ starts


def test_the_options_never_change() -> None:
    made = endpoint(name="shop")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.name = "other"  # type: ignore[misc]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.draining = True  # type: ignore[attr-defined]
    assert repr(made) == "<Endpoint shop>"
    with pytest.raises(TypeError, match="a name must be a str"):
        Endpoint(name=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cannot be a name"):
        Endpoint(name="")
    with pytest.raises(TypeError, match=r'pubsub must be a PubSub\("name"\)'):
        Endpoint(pubsub="news")  # type: ignore[arg-type]


async def test_a_second_start_leaves_what_runs_alone() -> None:
    served = endpoint()
    async with open_runtime() as runtime:
        trap_exit()
        tree = (await served.start_link(port=0)).unwrap()
        server, where = Server(served, runtime), served.address
        async with await server.connect() as client:
            await client.ask(JOIN)
            for second in (served, endpoint()):  # the same, and another of its name
                for options in ({"server": False}, {"port": 0}):
                    assert await second.start_link(**options) == Error(("already_started", tree))
            assert served.address == where
            assert not served.serving.draining
            served.broadcast("room:1", "news", {})
            assert await client.json() == NEWS


async def test_two_endpoints_in_one_program() -> None:
    one, two = endpoint(name="one"), endpoint(name="two")
    async with open_runtime() as runtime:
        await Supervisor.start_link([one.child_spec(port=0), two.child_spec(port=0)])
        assert one.address != two.address
        async with await Server(one, runtime).connect() as client:
            await client.ask(JOIN)
            two.broadcast("room:1", "news", {"of": "two"})
            one.broadcast("room:1", "news", {})
            assert await client.json() == NEWS


async def test_one_endpoint_in_two_runtimes(autojump_clock: MockClock) -> None:
    served = endpoint()
    async with open_runtime():
        await served.start_link(server=False)
        first = served.serving
        served.subscribe("room:1")
        async with open_runtime():
            assert served.find() is None
            await served.start_link(server=False)
            assert served.serving is not first
            served.broadcast("room:1", "news", {})
            with pytest.raises(NotAProcessError, match="2 runtimes are open here"):
                contextvars.Context().run(served.broadcast, "room:1", "news", {})
        assert served.serving is first
        contextvars.Context().run(served.broadcast, "room:1", "last", {})
        message: Any = await receive()
        assert message.event == "last"


async def test_what_does_not_run_says_so(autojump_clock: MockClock) -> None:
    served = endpoint()
    with pytest.raises(NotAProcessError, match="no runtime is open here"):
        served.broadcast("room:1", "news", {})
    async with open_runtime():
        with pytest.raises(NoProcessError, match=r"the endpoint 'endpoint' does not run: use phxactor.run\(endpoint\)"):
            _ = served.address
        with pytest.raises(NoProcessError, match="does not run"):
            await served.serve_stream(memory_stream_pair()[1])
        with pytest.raises(NoProcessError, match=r"'endpoint\.pubsub' does not run"):
            served.broadcast("room:1", "news", {})
        await served.start_link(server=False)
        assert served.address is None


# ------------------------------------------------------------------------------------------- a shared PubSub


async def test_two_endpoints_share_a_pubsub() -> None:
    pubsub = PubSub("news")
    one = endpoint(name="one", pubsub=pubsub)
    two = Endpoint(name="two", sockets=[mount("/socket", OtherSocket)], pubsub=PubSub("news"))
    async with open_runtime() as runtime:
        root = (await Supervisor.start_link([pubsub, one.child_spec(port=0)])).unwrap()
        async with await Server(one, runtime).connect() as client:
            await client.ask(JOIN)
            (await Supervisor.start_child(root, two.child_spec(port=0))).unwrap()
            two.broadcast("room:1", "news", {})
            assert await client.json() == NEWS
            await Supervisor.terminate_child(root, "two")
            one.broadcast("room:1", "news", {})
            assert await client.json() == NEWS


async def test_a_shared_pubsub_that_does_not_run(autojump_clock: MockClock) -> None:
    async with open_runtime():
        trap_exit()
        refused = await endpoint(pubsub=PubSub("news")).start_link(server=False)
        assert isinstance(refused, Error)
        assert "the PubSub 'news' of the endpoint 'endpoint' does not run" in str(refused.reason)


async def test_clients_join_again_when_a_shared_pubsub_has_started_again() -> None:
    served = endpoint(pubsub=PubSub("news"))
    async with open_runtime() as runtime:
        trap_exit()
        await Supervisor.start_link([PubSub("news"), served.child_spec(port=0)])
        async with await Server(served, runtime).connect() as client:
            await client.ask(JOIN)
            served.subscribe("room:1")
            pubsub = runtime.names.whereis("news")
            assert pubsub is not None
            pubsub.exit(KILL)
            assert isinstance(await receive(), Exited)  # whoever else is subscribed is told as well
            error: Any = await client.json()
            assert error[3] == "phx_error"
            joined: Any = await client.ask(["2", "2", *JOIN[2:]])
            assert joined[4]["status"] == "ok"
            served.broadcast("room:1", "news", {})
            assert await client.json() == NEWS


# -------------------------------------------------------------------------------------------------- crashes


async def _busy(server: Server) -> tuple[trio.SocketStream, Client]:
    """Have a client wait for an answer of a route, and another for one of a channel."""
    stream = await trio.open_tcp_stream("127.0.0.1", server.port)
    await stream.send_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n")
    client = await server.connect()
    await client.ask(JOIN)
    await client.send(json.dumps(["1", "2", "room:1", "slow", {}]))
    return stream, client


async def _serves(server: Server) -> bool:
    try:
        status, _ = await server.request(b"GET /hello HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    except (OSError, NoProcessError):  # it starts again
        return False
    return status == 200


CHILDREN = ["pubsub", "UserSocket channels", "flusher", "reader", "sessions", "connections", "listener", "drainer"]


@pytest.mark.parametrize("name", CHILDREN)
async def test_it_serves_again_at_once_when_a_child_has_crashed(name: str) -> None:
    """Nothing is drained, whose limit is ten minutes here, and nobody is waited for, who does not hang up."""
    served = endpoint(port=0)
    async with open_runtime() as runtime:
        trap_exit()
        tree = (await served.start_link()).unwrap()
        server = Server(served, runtime)
        stream, client = await _busy(server)
        serving, port = served.serving, server.port
        children = {child.id: child.pid for child in await Supervisor.which_children(tree)}
        assert set(children) == set(CHILDREN)
        victim = children[name]
        assert isinstance(victim, Pid)
        victim.exit(KILL)
        await runtime.ended(victim)
        with trio.fail_after(PATIENCE):  # a tenth of what a drain may take
            while serving.has_lost_a_child() or not await _serves(server):  # noqa: ASYNC110
                await trio.sleep(0.01)
        assert served.serving is serving
        assert server.port == port
        async with await server.connect() as again:
            await again.ask(JOIN)
            served.broadcast("room:1", "news", {})
            assert await again.json() == NEWS
        await stream.aclose()
        await client.abort()
        tree.exit(KILL)


async def test_one_crash_after_the_other_keeps_the_port() -> None:
    """The endpoint's supervisor gives up; its own supervisor starts it again where it was."""
    served = endpoint()
    async with open_runtime() as runtime:
        trap_exit()
        await Supervisor.start_link([served.child_spec(port=0)])
        server = Server(served, runtime)
        serving, port = served.serving, server.port
        for _ in range(4):  # one more than a supervisor bears
            await eventually(lambda: served.find() is not None and not served.serving.has_lost_a_child())
            flusher = served.serving.child("flusher")
            assert flusher is not None
            flusher.exit(KILL)
            await runtime.ended(flusher)
        await eventually(lambda: served.find() is not None and served.find() is not serving)
        await eventually(lambda: served.serving.address is not None)
        assert server.port == port
        assert await _serves(server)


async def test_a_stop_drains() -> None:
    """It is told to stop while somebody waits, and waits too."""
    served = endpoint(port=0)
    async with open_runtime() as runtime:
        trap_exit()
        tree = (await served.start_link()).unwrap()
        server = Server(served, runtime)
        stream, client = await _busy(server)
        serving = served.serving
        tree.exit("shutdown")
        await eventually(lambda: serving.draining)
        assert tree in runtime.processes.values()
        await stream.aclose()
        await client.abort()
        await runtime.ended(tree)


async def test_a_refusal_reaches_a_client_that_still_writes() -> None:
    """A connection that is closed with bytes unread is reset, and the answer with it: the flusher reads on."""
    async with open_runtime() as runtime:
        served = endpoint()
        (await served.start_link(port=0)).unwrap()
        stream = await trio.open_tcp_stream("127.0.0.1", Server(served, runtime).port)
        async with stream:
            await stream.send_all(b"nonsense\r\n\r\n" + b"x" * 5_000_000)
            await stream.send_eof()
            answer = b""
            with trio.fail_after(PATIENCE):
                while some := await stream.receive_some():
                    answer += some
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"connection: close" in answer.lower()
