"""FastAPI, Django and phxactor on one port, by the real uvicorn; phoenix.js as released."""

from __future__ import annotations

import re
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import pytest
import trio

from tests.certificates import AUTHORITY, CERTIFICATE
from tests.conformance.client import Client, Closed, Rejected
from tests.conformance.server import ROOT, Zoo, serve_zoo
from tests.conftest import MODULES
from tests.forked import start
from tests.longpoll.proxy import proxying
from tests.patience import PATIENCE
from tests.sockets.serving import eventually, in_time

pytestmark = [pytest.mark.socket, pytest.mark.slow]

SITE = "tests.uvicorn.site"
JOIN = ["1", "1", "room:1", "phx_join", {}]
WEBSOCKET = "/socket/websocket?vsn=2.0.0"
POLL = "/socket/longpoll?vsn=2.0.0"


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zoo]:
    with serve_zoo(tmp_path_factory.mktemp("site"), "--loop", request.param, module=SITE) as running:
        yield running


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[Zoo]:
    """Start a site that may end by itself, or not start."""
    log = folder / "site.log"
    with log.open("w") as errors:
        process = start(SITE, *arguments, stderr=errors)
    assert process.stdout is not None
    with process.stdout:
        try:
            yield Zoo(process.stdout.readline().strip(), process, log)
        finally:
            process.kill()
            process.wait()


def url_of(site: Zoo, path: str = WEBSOCKET) -> str:
    return site.url.replace("http", "ws", 1) + path


def http(site: Zoo) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=site.url, timeout=PATIENCE)


# -------------------------------------------------------------------------------------------------- one port


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/sleep", "slept"),
        ("/django/sync", {"method": "GET", "body": 0}),
        ("/django/async", {"count": 1}),
        ("/admin/stats", None),  # a route of the zoo
    ],
)
async def test_each_answers_its_own_paths(path: str, answer: object, site: Zoo) -> None:
    async with http(site) as client:
        response = await client.get(path)
        assert response.status_code == 200
        found = response.json()
        if isinstance(answer, dict) and "count" in answer:
            assert found["count"] >= 1
        elif answer is not None:
            assert found == answer
        assert (await client.get("/nowhere")).status_code == 404


async def test_its_own_websockets_stay_the_applications(site: Zoo) -> None:
    async with await Client.open(url_of(site, "/ws")) as theirs, await Client.open(url_of(site)) as ours:
        await theirs.send("mine")
        assert await in_time(theirs.next()) == "mine"
        joined: Any = await ours.ask(JOIN)
        assert joined[4]["status"] == "ok"
        await theirs.send("still")
        assert await in_time(theirs.next()) == "still"
        await theirs.close()
    with pytest.raises(Rejected) as refused:
        await Client.open(url_of(site, "/nowhere"))
    assert refused.value.status == 500  # by Django, which knows no WebSockets


async def test_a_refused_handshake_reaches_the_client(site: Zoo) -> None:
    """An origin that is not allowed is answered on the duplicate of the socket."""
    with pytest.raises(Rejected) as refused:
        await Client.open(url_of(site, "/strict/websocket?vsn=2.0.0"), origin="http://elsewhere.test")
    assert refused.value.status == 403


async def test_a_handler_of_the_application_broadcasts_at_once(site: Zoo) -> None:
    async with http(site) as client, await Client.open(url_of(site)) as ours:
        await ours.ask(JOIN)
        await trio.sleep(0.05)  # trio sleeps now; without a wake-up it would until the client's next message
        for _ in range(3):
            await client.get("/news/room:1")
            with trio.fail_after(PATIENCE / 2):
                message: Any = await ours.json()
            assert message == [None, None, "room:1", "news", {"from": "FastAPI"}]


async def test_an_exit_is_an_ordinary_exception_of_a_handler(site: Zoo) -> None:
    async with http(site) as client:
        assert (await client.get("/gone")).status_code == 500
    await eventually(lambda: "ProcessExitError: the process has ended: {:noproc" in site.log.read_text())
    async with http(site) as client:
        assert (await client.get("/sleep")).json() == "slept"


async def test_bodies_pass_both_ways(site: Zoo) -> None:
    """A route of an endpoint gets a body with and without a length; more than its limit is refused."""
    topic = "x" * 300_000
    body = orjson.dumps({"topic": topic, "event": "e", "payload": {}})

    async def chunks() -> Any:  # noqa: ANN401
        for first in range(0, len(body), 10_000):
            yield body[first : first + 10_000]

    async with http(site) as client:
        for content in (body, chunks()):
            response = await client.post("/admin/broadcast", content=content)
            assert response.status_code == 200, response.text
        response = await client.post("/admin/broadcast", content=b"x" * (11 * 1024 * 1024))
        assert response.status_code == 413
    async with http(site) as client:
        assert (await client.head("/admin/stats")).status_code == 200
        assert (await client.post("/upload", content=body)).json() == len(body)


async def test_messages_of_a_poll_whose_client_leaves_are_kept(site: Zoo) -> None:
    """They come with the next poll, once; and uvicorn's log has no token."""
    async with http(site) as client:
        token = (await client.get(POLL)).json()["token"]
        poll = f"{POLL}&token={token}"
        await client.post(poll, content=orjson.dumps(JOIN), headers={"content-type": "application/x-ndjson"})
        assert len((await client.get(poll)).json()["messages"]) == 1
        with trio.move_on_after(0.2):
            await client.get(poll)  # it is given up, and its connection closed
        await client.get("/news/room:1")
        found = (await in_time(client.get(poll))).json()
        assert [orjson.loads(message)[3] for message in found["messages"]] == ["news"]


# ------------------------------------------------------------------------------------------------- phoenix.js


def played(command: list[str | Path], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=4 * PATIENCE, check=False)
    results = re.findall(r"^(not ok|ok) \d+ - (.*)$", done.stdout, re.MULTILINE)
    planned = re.search(r"^1\.\.(\d+)$", done.stdout, re.MULTILINE)
    assert planned, done.stderr
    assert [name for result, name in results if result == "not ok"] == [], done.stdout
    assert len(results) == int(planned[1]), done.stdout + done.stderr
    assert done.returncode == 0, done.stderr


@pytest.mark.node
@pytest.mark.parametrize("version", ["phoenix-1.7.14", "phoenix-1.8.16"])
def test_phoenix_js_plays_all_scenarios(version: str, site: Zoo, node: str) -> None:
    played([node, "scenarios.mjs", version, site.url], ROOT / "tests" / "javascript")


@pytest.mark.node
def test_phoenix_js_polls(site: Zoo, node: str) -> None:
    with ExitStack() as stack:
        refusing = stack.enter_context(proxying(site.url, "refuse"))
        swallowing = stack.enter_context(proxying(site.url, "swallow"))
        command: list[str | Path] = [node, "phoenix.mjs", MODULES, "phoenix-1.8.16", site.url, refusing, swallowing]
        played(command, ROOT / "tests" / "longpoll")


# ----------------------------------------------------------------------------------------------------- stopping


def stream_of(site: Zoo) -> socket.socket:
    """Open a stream of the application that never ends."""
    url = urlsplit(site.url)
    sock = socket.create_connection((url.hostname or "", url.port or 0), PATIENCE)
    sock.sendall(b"GET /sse HTTP/1.1\r\nhost: a\r\n\r\n")
    assert sock.recv(100).startswith(b"HTTP/1.1 200 ")
    return sock


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_a_stop_tells_the_clients_at_once(loop: str, tmp_path: Path) -> None:
    """While a stream of the application is open: WebSockets see 1012, a poll 410; the lifespan ends last."""
    with serve_zoo(tmp_path, "--loop", loop, "--grace", "600", module=SITE) as site, stream_of(site) as open_stream:
        async with http(site) as client, await Client.open(url_of(site)) as ours:
            await ours.ask(JOIN)
            token = (await client.get(POLL)).json()["token"]
            polled: list[httpx.Response] = []

            async def poll() -> None:
                polled.append(await client.get(f"{POLL}&token={token}"))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(poll)
                await trio.sleep(1)  # until the poll waits: nothing tells
                site.process.terminate()
                assert await in_time(ours.next()) == Closed(1012)
            assert site.process.poll() is None  # uvicorn waits for the stream
            assert polled[0].json() == {"status": 410}
        open_stream.close()
        await trio.to_thread.run_sync(site.process.wait, PATIENCE)
    assert site.process.returncode == 0
    text = site.log.read_text()
    assert "lifespan ends after phxactor" in text
    assert text.endswith("returned\n")


async def test_a_second_signal_kills(tmp_path: Path) -> None:
    """An open stream, and a `timeout_graceful_shutdown` of an hour, hold nothing then."""
    with running(tmp_path, "--grace", "3600") as site, stream_of(site):
        site.process.terminate()
        await eventually(lambda: "Waiting for connections to close" in site.log.read_text())
        assert site.process.poll() is None
        site.process.terminate()
        assert await trio.to_thread.run_sync(site.process.wait, PATIENCE) == 1
    assert site.log.read_text().endswith("a second signal has killed what had not ended\n")


async def test_a_crash_for_good_ends_the_program(tmp_path: Path) -> None:
    """A site without its sockets must not go on in silence: also with a stream open, which has five seconds then."""
    with running(tmp_path) as site, stream_of(site):
        async with http(site) as client:
            await client.get("/kill")
        assert await trio.to_thread.run_sync(site.process.wait, PATIENCE) == 1
    assert "phxactor has ended: {:root_ended, :killed}" in site.log.read_text()
    assert "Traceback" not in site.log.read_text().partition("phxactor has ended")[2]


def test_a_child_that_does_not_start_is_said_in_a_line(tmp_path: Path) -> None:
    with running(tmp_path, "--broken") as site:
        assert site.process.wait(PATIENCE) == 1
    text = site.log.read_text()
    assert text.splitlines()[-1] == "the database is not there"
    assert "lifespan begins" not in text


# ----------------------------------------------------------------------------------------------------- the rest


async def test_django_alone(tmp_path: Path) -> None:
    with serve_zoo(tmp_path, "--django", module=SITE) as site:
        async with http(site) as client, await Client.open(url_of(site)) as ours:
            await ours.ask(JOIN)
            assert (await client.get("/django/async")).json() == {"count": 1}
            assert (await client.post("/django/sync", content=b"x" * 100)).json()["body"] == 100


async def test_tls_of_uvicorn(tmp_path: Path) -> None:
    """The connection stays asyncio's, its bytes come by a stream: large messages, and the close of a stop."""
    identity = tmp_path / "identity.pem"
    CERTIFICATE.private_key_and_cert_chain_pem.write_to_path(identity)
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    with serve_zoo(tmp_path, "--tls", str(identity), module=SITE) as site:
        port = urlsplit(site.url).port
        assert site.url.startswith("https")
        tcp = await trio.open_tcp_stream("127.0.0.1", port or 0)
        stream = trio.SSLStream(tcp, context, server_hostname="app.test", https_compatible=True)
        ours = await Client.over(stream, "wss://app.test" + WEBSOCKET)
        await ours.ask(JOIN)
        for size in (10, 200_000, 900_000):
            answer: Any = await in_time(ours.ask(["1", "2", "room:1", "echo", {"data": "x" * size}]))
            assert len(answer[4]["response"]["data"]) == size
        site.process.send_signal(signal.SIGINT)
        assert await in_time(ours.next()) == Closed(1012)
        await trio.aclose_forcefully(stream)
        assert await trio.to_thread.run_sync(site.process.wait, PATIENCE) == 0
