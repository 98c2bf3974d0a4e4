"""Where an endpoint listens: what can be said, and what is opened."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from phxactor import Channel, Endpoint, Socket, WebSocketOptions, channel, mount
from phxactor.http import PeerData
from phxactor.net import DEFAULT, Address, locate, peer_of
from phxactor.otp import Error
from phxactor.runtime import open_runtime, trap_exit
from tests.conformance.client import Client
from tests.patience import PATIENCE
from tests.sockets.serving import eventually


def ipv6() -> bool:
    """Tell whether this machine has an IPv6 address at all; some containers have none."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not ipv6(), reason="this machine has no ::1")
WS = "ws://app.test/socket/websocket?vsn=2.0.0"


class Lobby(Channel):
    """Lets everybody in."""


class UserSocket(Socket, log=False):
    """Tells who has connected."""

    channels = (channel("lobby", Lobby),)
    infos: list[Any]

    async def connect(self, params: Any, connect_info: Any) -> None:  # noqa: ANN401
        UserSocket.infos.append(connect_info)


def endpoint(**options: Any) -> Endpoint:  # noqa: ANN401
    UserSocket.infos = []
    websocket = WebSocketOptions(connect_info=["peer_data", "uri"])
    return Endpoint(sockets=[mount("/socket", UserSocket, websocket=websocket)], **options)


async def join(client: Client) -> object:
    return await client.ask(["1", "1", "lobby", "phx_join", {}])


JOINED = ["1", "1", "lobby", "phx_reply", {"status": "ok", "response": {}}]


# ------------------------------------------------------------------------------------------ what can be said


def test_an_address_as_a_url() -> None:
    assert str(Address("127.0.0.1", 4000)) == "http://127.0.0.1:4000"
    assert str(Address("::1", 4000, secure=True)) == "https://[::1]:4000"
    assert str(Address(path="/run/x.sock")) == "unix:/run/x.sock"


def test_what_is_not_given_is_as_before() -> None:
    assert locate(None, None, None) == DEFAULT == Address("127.0.0.1", 4000)
    assert locate(None, 0, None) == Address("127.0.0.1", 0)
    assert locate("::", None, None) == Address("::", 4000)
    unix = locate(None, None, Path("x.sock"))
    assert unix == Address(path="x.sock")
    assert locate(None, None, None, unix) is unix
    assert locate(None, 5, None, unix) == Address("127.0.0.1", 5)
    assert locate(None, None, "y.sock", DEFAULT) == Address(path="y.sock")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"path": "x.sock", "port": 1}, "not both"),
        ({"path": "x.sock", "host": "::1"}, "not both"),
        ({"path": ""}, "is empty"),
        ({"port": 65536}, "0 to 65535"),
        ({"port": -1}, "0 to 65535"),
        ({"port": True}, "0 to 65535"),
        ({"path_mode": 0o1000}, "0o777"),
        ({"path_mode": "rw"}, "0o777"),
    ],
)
def test_what_cannot_be_fails_when_given(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Endpoint(**given)


def test_peers() -> None:
    assert peer_of(("192.0.2.1", 7)) == PeerData("192.0.2.1", 7)
    assert peer_of(("::ffff:192.0.2.1", 7, 0, 0)) == PeerData("192.0.2.1", 7)
    assert str(peer_of(("2001:db8::1", 7, 0, 0))) == "[2001:db8::1]:7"
    assert str(peer_of("")) == "local"


# -------------------------------------------------------------------------------------------------------- IPv6


@pytest.mark.socket
@needs_ipv6
async def test_all_addresses_of_ipv6_are_those_of_ipv4_too() -> None:
    served = endpoint(host="::", port=0)
    async with open_runtime():
        (await served.start_link()).unwrap()
        assert served.address is not None
        for host in ("::1", "127.0.0.1"):
            stream = await trio.open_tcp_stream(host, served.address.port)
            async with await Client.over(stream, WS) as client:
                assert await join(client) == JOINED
    assert [info["peer_data"]["address"] for info in UserSocket.infos] == ["::1", "127.0.0.1"]


@pytest.mark.socket
@needs_ipv6
async def test_one_address_of_ipv6() -> None:
    served = endpoint(host="::1", port=0)
    async with open_runtime():
        (await served.start_link()).unwrap()
        assert served.address is not None
        assert str(served.address) == f"http://[::1]:{served.address.port}"
        url = f"ws://[::1]:{served.address.port}/socket/websocket?vsn=2.0.0"
        async with await Client.open(url, origin="http://[::1]:9") as client:
            assert await join(client) == JOINED
        with pytest.raises(OSError, match="failed"):
            await trio.open_tcp_stream("127.0.0.1", served.address.port)
    assert UserSocket.infos[0]["uri"]["host"] == "::1"


# ------------------------------------------------------------------------------------------------ Unix sockets


@pytest.mark.socket
@pytest.mark.parametrize("mode", [0o600, 0o660])
async def test_a_unix_socket(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "app.sock"
    before = os.umask(0)
    try:
        served = endpoint(path=path, path_mode=mode)
        async with open_runtime():
            (await served.start_link()).unwrap()
            assert str(served.address) == f"unix:{path}"
            assert stat.S_IMODE(path.stat().st_mode) == mode
            stream = await trio.open_unix_socket(path)
            async with await Client.over(stream, WS, origin="http://app.test") as client:
                assert await join(client) == JOINED
        await eventually(lambda: not path.exists())
    finally:
        os.umask(before)
    assert UserSocket.infos[0]["peer_data"] == {"address": "local", "port": 0}


@pytest.mark.socket
async def test_a_path_goes_before_what_the_endpoint_says_and_the_other_way_round(tmp_path: Path) -> None:
    async with open_runtime():
        served = endpoint(port=0)
        (await served.start_link(path=tmp_path / "x.sock")).unwrap()
        assert (tmp_path / "x.sock").is_socket()
    async with open_runtime():
        served = endpoint(path=tmp_path / "y.sock")
        (await served.start_link(port=0)).unwrap()
        assert str(served.address).startswith("http://127.0.0.1:")
        assert not (tmp_path / "y.sock").exists()


@pytest.mark.socket
async def test_a_dead_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with open_runtime():
        (await endpoint(path=path).start_link()).unwrap()
        stream = await trio.open_unix_socket(path)
        async with await Client.over(stream, WS) as client:
            assert await join(client) == JOINED


@pytest.mark.socket
@pytest.mark.parametrize("backlog", [0, 5])
async def test_a_socket_on_which_somebody_listens_is_not(tmp_path: Path, backlog: int) -> None:
    path = tmp_path / "app.sock"
    with socket.socket(socket.AF_UNIX) as other, socket.socket(socket.AF_UNIX) as full:
        other.bind(str(path))
        other.listen(backlog)
        full.connect(str(path))  # with a backlog of 0, nobody else can connect
        async with open_runtime():
            trap_exit()
            started = await endpoint(path=path).start_link()
            assert isinstance(started, Error)
            assert f"the address unix:{path} is in use" in str(started.reason)
    assert path.is_socket()


@pytest.mark.socket
async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    async with open_runtime():
        trap_exit()
        started = await endpoint(path=path).start_link()
        assert isinstance(started, Error)
        assert "no socket" in str(started.reason)
    assert path.read_text() == "data"


@pytest.mark.socket
async def test_a_path_that_is_too_long_says_so(tmp_path: Path) -> None:
    async with open_runtime():
        trap_exit()
        started = await endpoint(path=tmp_path / ("x" * 200)).start_link()
        assert isinstance(started, Error)
        assert "too long" in str(started.reason)


@pytest.mark.socket
async def test_the_file_of_a_successor_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    async with open_runtime():
        (await endpoint(path=path).start_link()).unwrap()
        path.unlink()
        with socket.socket(socket.AF_UNIX) as successor:
            successor.bind(str(path))
    assert path.is_socket()


@pytest.mark.socket
def test_a_program_on_a_unix_socket(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    path = tmp_path / "app.sock"
    program.write_text(
        "import sys, phxactor\n"
        "from phxactor.net.events import listening\n"
        "listening.attach(lambda _, fields: print(fields['url'], flush=True))\n"
        "phxactor.run(phxactor.Endpoint(), path=sys.argv[1])\n"
    )
    process = subprocess.Popen([sys.executable, program, path], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as stdout:
        try:
            assert stdout.readline() == f"unix:{path}\n"
            process.terminate()
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
            process.wait()
    assert not path.exists()
