"""Children of `os.fork` that handlers make: they end, and nothing of them reaches anybody's client."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import trio

from phxactor.runtime.fork import STRAYED
from tests.certificates import CERTIFICATE, CLIENT
from tests.conformance.client import Client, Rejected
from tests.demos.program import Program
from tests.demos.program import serving as program
from tests.patience import PATIENCE

pytestmark = [pytest.mark.socket, pytest.mark.slow]

STATUS: Final = {
    "exits": 3,
    "exits well": 0,
    "says why": 1,
    "raises": 1,
    "waits": 1,
    "returns": 1,
    "exits in a nursery": 1,
    "exits in a scope": 3,
    "ends at once": 4,
    "ends its process": 1,
}
"""What a child ends with."""
SAYS: Final = {
    "says why": "why\n",
    "raises": "ValueError: in the child\n",
    "waits": STRAYED,
    "returns": STRAYED,
    "exits in a nursery": STRAYED,
    "ends its process": STRAYED,
}
"""What it says."""


@attrs.frozen
class Forking:
    """The program, and how clients come to it."""

    program: Program
    secure: bool

    async def stream(self) -> trio.abc.Stream:
        plain = await trio.open_tcp_stream("127.0.0.1", int(self.program.port))
        if not self.secure:
            return plain
        return trio.SSLStream(plain, CLIENT, server_hostname="app.test", https_compatible=True)

    async def connect(self, path: str = "/socket/websocket?vsn=2.0.0") -> Client:
        return await Client.over(await self.stream(), f"ws://app.test{path}")

    async def get(self, path: str) -> str:
        """Return the body of the only answer, and see that nothing comes behind it."""
        stream = await self.stream()
        answer = b""
        with trio.fail_after(PATIENCE):
            await stream.send_all(f"GET {path} HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n".encode())
            while some := await stream.receive_some():
                answer += some
        await trio.aclose_forcefully(stream)
        head, _, body = answer.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        assert length is not None
        assert len(body) == int(length[1])
        return body.decode()

    def says(self) -> str:
        return "".join(self.program.lines)


@pytest.fixture(scope="module", params=["plain", "tls"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forking]:
    secure = request.param == "tls"
    folder = tmp_path_factory.mktemp("fork")
    os.environ["HANDLED"] = str(folder / "handled")
    arguments = []
    if secure:
        arguments.append(str(folder / "certificate.pem"))
        CERTIFICATE.private_key_and_cert_chain_pem.write_to_path(arguments[0])
    with program(*arguments, python=str(Path(__file__).with_name("forking.py"))) as started:
        yield Forking(started, secure)
        code, output = started.stop(signal.SIGTERM)
        assert code == 0
        # The parent alone has served, has been told to stop, and has stopped.
        counted = [output.count(text) for text in ("listening", "stopped\n", "terminated", "crashed")]
        assert counted == [1, 1, 0, 0]
        assert output.count("Traceback") == output.count("ValueError: in the child")


def handled(text: str) -> int:
    """Count how often a message was handled."""
    return Path(os.environ["HANDLED"]).read_text().count(f"{text}\n")


@pytest.fixture
async def bystander(running: Forking) -> AsyncIterator[Client]:
    """A client that gets no more than what it asks for."""
    async with bystanding(running) as client:
        yield client


@asynccontextmanager
async def bystanding(running: Forking) -> AsyncIterator[Client]:
    async with await running.connect() as client:
        await client.ask(["1", "1", "room", "phx_join", {}])
        yield client
        answer = ["1", "9", "room", "phx_reply", {"status": "ok", "response": "still there"}]
        got: Any = await client.ask(["1", "9", "room", "echo", "still there"])
        while got[3] == "forked":  # the parent's broadcast
            got = await client.json()
        assert got == answer


@pytest.mark.parametrize("how", STATUS)
async def test_in_a_handler_of_a_channel(how: str, running: Forking, bystander: Client) -> None:
    for size in (1, 200_000):  # more than may wait in a connection: looking at it would write
        async with await running.connect() as client:
            await client.ask(["1", "1", "room", "phx_join", {}])
            await client.send(["1", "2", "room", "fork", {"how": how, "size": size}])
            await client.send(["1", "3", "room", "echo", f"behind {how}{size}"])
            replies: list[Any] = []
            while len(replies) < 3:
                replies.append(await client.json())
            assert [(reply[1], reply[3]) for reply in replies] == [
                (None, "forked"),
                ("2", "phx_reply"),
                ("3", "phx_reply"),
            ]
            assert replies[1][4]["response"] == {"status": STATUS[how]}
            assert handled(f"behind {how}{size}") == 1
    assert SAYS.get(how, "") in running.says()


@pytest.mark.parametrize("how", STATUS)
async def test_in_a_join(how: str, running: Forking, bystander: Client) -> None:
    async with await running.connect() as client:
        answer: Any = await client.ask(["1", "1", "room", "phx_join", {"how": how}])
        assert answer[4]["response"] == {"status": STATUS[how]}


@pytest.mark.parametrize("how", STATUS)
@pytest.mark.parametrize("path", ["page", "slow", "server"])
async def test_in_a_route_or_a_server(path: str, how: str, running: Forking, bystander: Client) -> None:
    assert await running.get(f"/{path}?how={how.replace(' ', '%20')}") == str(STATUS[how])


@pytest.mark.parametrize("how", STATUS)
async def test_in_connect(how: str, running: Forking, bystander: Client) -> None:
    query = f"vsn=2.0.0&how={how.replace(' ', '%20')}"
    with pytest.raises(Rejected, match=f"403: b'{STATUS[how]}'"):
        await running.connect(f"/socket/websocket?{query}")
    assert await running.get(f"/socket/longpoll?{query}") == '{"status":403}'


@pytest.mark.parametrize("how", STATUS)
async def test_in_a_raw_socket(how: str, running: Forking, bystander: Client) -> None:
    async with await running.connect("/raw/websocket") as client:
        for _ in range(2):
            await client.send(how)
            assert await client.next() == str(STATUS[how])
