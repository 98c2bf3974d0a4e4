"""Polls whose clients go: what they would have brought is brought by the next one that lives, once and in order."""

from __future__ import annotations

import random
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

import attrs
import orjson
import pytest
import trio
from trio.testing import memory_stream_pair

from phxactor import Endpoint, LongPollOptions, mount
from phxactor.endpoint import Serving
from phxactor.http import SEND_TIMEOUT
from phxactor.runtime import open_runtime, receive
from phxactor.testing import SimulatedNode, cluster
from tests.certificates import CERTIFICATE, CLIENT
from tests.longpoll.polling import UserSocket
from tests.patience import PATIENCE
from tests.sockets.serving import Server, in_time

pytestmark = pytest.mark.socket

PATH = "/socket/longpoll?vsn=2.0.0"
HUGE = "x" * 100_000
Leaving: TypeAlias = Literal["FIN", "RST"]
Open: TypeAlias = Callable[[], Awaitable[trio.abc.Stream]]


@attrs.define
class Client:
    """A client of one session; each request has a connection of its own, unless it says which."""

    server: Server
    open: Open
    opens_at: Open
    """Opens a connection to the node of the session, if that is another one than that of all other requests."""
    tell: Callable[[Callable[[], object]], object]
    """Has the program do something at the node of the session."""
    token: str = ""

    header: str = ""
    """A line that all its requests have."""

    async def request(self, method: str, body: bytes = b"", stream: trio.abc.Stream | None = None) -> trio.abc.Stream:
        """Send a request, and return where the answer comes."""
        stream = await self.open() if stream is None else stream
        head = f"{method} {PATH}&token={self.token} HTTP/1.1\r\nhost: a\r\n{self.header}"
        await stream.send_all(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        return stream

    async def answer(self, stream: trio.abc.Stream) -> Any:  # noqa: ANN401
        """Read an answer."""
        data = b""
        with trio.fail_after(PATIENCE):
            while True:
                head, end, body = data.partition(b"\r\n\r\n")
                if end and len(body) >= int(re.search(rb"(?i)content-length: *(\d+)", head)[1]):  # type: ignore[index]
                    return orjson.loads(body)
                some = await stream.receive_some(65536)
                assert some, data[:200]
                data += some

    async def ask(self, method: str, body: bytes = b"") -> Any:  # noqa: ANN401
        stream = await self.request(method, body)
        found = await self.answer(stream)
        await trio.aclose_forcefully(stream)
        return found

    async def start(self) -> None:
        """Open the session, and join."""
        stream = await self.opens_at()
        self.token = (await self.answer(await self.request("GET", stream=stream)))["token"]
        await trio.aclose_forcefully(stream)
        assert (await self.ask("POST", b'["1","1","room:1","phx_join",{}]'))["status"] == 200
        assert len((await self.ask("GET"))["messages"]) == 1

    def news(self, *numbers: int, text: str = "") -> None:
        """Have the program broadcast."""
        for number in numbers:
            self.tell(partial(self.server.endpoint.broadcast, "room:1", "news", [number, text]))

    async def heard(self, stream: trio.abc.Stream | None = None) -> list[int]:
        """Poll, and return the numbers of what comes."""
        said = await (self.ask("GET") if stream is None else self.answer(stream))
        return [orjson.loads(text)[4][0] for text in said["messages"]]


def leave(stream: trio.abc.Stream, how: Leaving) -> None:
    """Be gone, at once, and without a pass of the scheduler."""
    while isinstance(stream, trio.SSLStream):
        stream = stream.transport_stream
    assert isinstance(stream, trio.SocketStream)
    if how == "RST":
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()


@asynccontextmanager
async def client_of(
    kind: str,
    tmp_path: Path,
    trusted: list[str] | None = None,
    **options: Any,  # noqa: ANN401
) -> AsyncIterator[Client]:
    """Serve over TCP, TLS or a Unix socket; `trusted` are proxies."""
    context = None
    if kind == "tls":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        CERTIFICATE.configure_cert(context)
    longpoll = LongPollOptions(check_origin=False, **options)
    if kind == "relayed":
        async with relayed_client(longpoll) as client:
            yield client
        return
    endpoint = Endpoint(sockets=[mount("/socket", UserSocket, longpoll=longpoll)], tls=context, trusted_proxies=trusted)
    where: dict[str, Any] = {"path": tmp_path / "sock"} if kind == "unix" else {"port": 0}
    async with open_runtime() as runtime:
        (await endpoint.start_link(**where)).unwrap()
        server = Server(endpoint, runtime)

        async def open_stream() -> trio.abc.Stream:
            if kind == "unix":
                return await trio.open_unix_socket(str(tmp_path / "sock"))
            stream: trio.abc.Stream = await trio.open_tcp_stream("127.0.0.1", server.port)
            if kind == "tls":
                stream = trio.SSLStream(stream, CLIENT, server_hostname="app.test", https_compatible=True)
            return stream

        client = Client(server, open_stream, open_stream, lambda act: act())
        await client.start()
        yield client


@asynccontextmanager
async def relayed_client(longpoll: LongPollOptions) -> AsyncIterator[Client]:
    """Serve over TCP by two nodes; all requests but the first come to the one that has not the session."""
    endpoint = Endpoint(
        sockets=[mount("/socket", UserSocket, longpoll=longpoll)], secret_key_base="a secret of both nodes"
    )
    async with cluster(2, children=lambda: [endpoint.child_spec(port=0)]) as (here, there):

        def port(node: SimulatedNode) -> int:
            serving = Serving.found(endpoint.name, node.runtime)
            assert serving is not None
            assert serving.address is not None
            return serving.address.port

        async def act() -> None:
            while True:
                what = await receive()
                assert callable(what)
                what()

        at_here, at_there = (partial(trio.open_tcp_stream, "127.0.0.1", port(one)) for one in (here, there))
        client = Client(Server(endpoint, there.runtime), at_there, at_here, here.spawn(act).send)
        await client.start()
        yield client


kinds = pytest.mark.parametrize("kind", ["tcp", "tls", "relayed"])
ways = pytest.mark.parametrize("how", ["FIN", "RST"])


async def waits(stream: trio.abc.Stream) -> None:
    """See that a poll waits."""
    with trio.move_on_after(0.1):
        raise AssertionError(await stream.receive_some())


@kinds
@ways
@pytest.mark.parametrize("abandoned", [1, 2])
@pytest.mark.parametrize("noticed", [False, True], ids=["at once", "later"])
async def test_a_poll_that_was_given_up_swallows_nothing(
    kind: str, how: Leaving, abandoned: int, noticed: bool, tmp_path: Path
) -> None:
    async with client_of(kind, tmp_path) as client:
        for _ in range(abandoned):
            stream = await client.request("GET")
            await waits(stream)
            leave(stream, how)
        if noticed:
            await trio.sleep(0.05)
        client.news(1, 2)
        await trio.sleep(0.05)
        client.news(3)
        assert await client.heard() == [1, 2, 3]


@kinds
@ways
@pytest.mark.parametrize("read", [0, 1, 300_000])
async def test_what_was_written_by_half_is_written_again(kind: str, how: Leaving, read: int, tmp_path: Path) -> None:
    """The system takes some of it, and says that it is sent."""
    async with client_of(kind, tmp_path) as client:
        stream = await client.request("GET")
        client.news(*range(30), text=HUGE)
        await trio.sleep(0.05)
        while read > 0:
            read -= len(await stream.receive_some(read))
        leave(stream, how)
        await trio.sleep(0.05)
        client.news(30, 31)
        assert await client.heard() == [*range(32)]
        client.news(32)
        assert await client.heard() == [32]


@kinds
async def test_who_polls_again_without_having_read_has_it_by_the_newer_poll(kind: str, tmp_path: Path) -> None:
    """A proxy that retries, or a client that has lost its network, closes nothing."""
    async with client_of(kind, tmp_path) as client:
        first = await client.request("GET")
        client.news(*range(30), text=HUGE)
        await trio.sleep(0.05)
        began = trio.current_time()
        assert await client.heard() == [*range(30)]
        assert trio.current_time() - began < SEND_TIMEOUT  # which would end the first, too
        with pytest.raises((trio.BrokenResourceError, AssertionError)):
            await client.answer(first)
        await trio.aclose_forcefully(first)


@kinds
async def test_what_has_arrived_is_not_brought_again(kind: str, tmp_path: Path) -> None:
    async with client_of(kind, tmp_path) as client:
        stream = None
        for number in range(20):
            client.news(number)
            stream = await client.request("GET", stream=stream)
            assert await client.heard(stream) == [number]
        assert stream is not None
        leave(stream, "FIN")
        client.news(20)
        assert await client.heard() == [20]


@kinds
async def test_a_request_that_came_behind_a_poll_is_answered_behind_it(kind: str, tmp_path: Path) -> None:
    async with client_of(kind, tmp_path) as client:
        stream = await client.request("GET")
        body = b'["1","2","room:1","echo",2]'
        head = f"POST {PATH}&token={client.token} HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n\r\n"
        await stream.send_all(head.encode() + body + b"GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n")
        await waits(stream)
        client.news(1)
        data = b""
        with trio.fail_after(PATIENCE):
            while b"404" not in data:
                data += await stream.receive_some(65536)
        places = [data.find(word) for word in (b"news", b'{"status":200}', b"404")]
        assert -1 not in places
        assert places == sorted(places)
        await trio.aclose_forcefully(stream)


async def test_behind_a_proxy_on_a_unix_socket(tmp_path: Path) -> None:
    async with client_of("unix", tmp_path) as client:
        stream = await client.request("GET")
        client.news(1)
        await trio.sleep(0.05)
        leave(stream, "FIN")  # it has not been read, and by a Unix socket one knows
        await trio.sleep(0.05)
        assert await client.heard() == [1]
        client.news(2)
        assert await client.heard() == [2]


@pytest.mark.parametrize(
    ("trusted", "header", "heard"),
    [
        (None, "", [1, 2]),
        (["127.0.0.1"], "", [2]),
        (None, "x-forwarded-for: 192.0.2.1\r\n", [2]),
        (None, "via: 1.1 a\r\n", [2]),
    ],
    ids=["client", "trusted", "forwarded", "via"],
)
async def test_a_proxy_that_resets_later_has_taken_the_answer(
    trusted: list[str] | None, header: str, heard: list[int], tmp_path: Path
) -> None:
    """HAProxy resets connections that it needs no more; from a client, a reset says that it has not read the answer."""
    async with client_of("tcp", tmp_path, trusted) as client:
        client.header = header
        client.news(1)
        stream = await client.request("GET")
        assert await client.heard(stream) == [1]
        await trio.sleep(0.05)
        leave(stream, "RST")
        await trio.sleep(0.05)
        client.news(2)
        assert await client.heard() == heard


async def test_over_a_stream_in_memory(tmp_path: Path) -> None:
    async with client_of("tcp", tmp_path) as client:
        ours, theirs = memory_stream_pair()
        (await client.server.endpoint.serve_stream(theirs)).unwrap()
        await client.request("GET", stream=ours)
        await waits(ours)
        await ours.aclose()
        await trio.sleep(0.01)
        client.news(1)
        assert await client.heard() == [1]


async def test_a_session_whose_polls_are_all_given_up_ends(tmp_path: Path) -> None:
    async with client_of("tcp", tmp_path, window=2) as client:
        for _ in range(10):
            leave(await client.request("GET"), "FIN")
            await trio.sleep(0.02)
        assert len(client.server.endpoint.serving.sessions) == 1
        with trio.fail_after(PATIENCE):
            while len(client.server.endpoint.serving.sessions):  # noqa: ASYNC110
                await trio.sleep(0.02)


@pytest.mark.parametrize("kind", ["tcp", "relayed"])
@pytest.mark.parametrize("seed", range(3))
async def test_all_messages_come_once_and_in_order_however_polls_end(kind: str, seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)  # noqa: S311
    async with client_of(kind, tmp_path) as client:
        sent = 0
        heard: list[int] = []
        for _ in range(60):
            stream = await client.request("GET")
            if chance.random() < 0.5:
                await trio.sleep(chance.choice([0, 0.001, 0.01]))
            how: Leaving = chance.choice(["FIN", "RST"])
            ending = chance.choice(["leaves", "leaves later", "stays"])
            if ending == "leaves":
                leave(stream, how)
            for _ in range(chance.randrange(4)):
                client.news(sent, text=chance.choice(["", "", HUGE * 3]))
                sent += 1
            if ending == "leaves later":
                await trio.sleep(chance.choice([0, 0.001, 0.01]))
                leave(stream, how)
            elif ending == "stays":
                client.news(sent)
                sent += 1
                heard += await in_time(client.heard(stream))
                leave(stream, "FIN")
        client.news(sent)
        heard += await client.heard()
        assert heard == [*range(sent + 1)]
