"""An endpoint behind nginx and HAProxy, as docs/deploying.md has them configured."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import trio

from phxactor import TrustedProxies
from phxactor.runtime import open_runtime
from tests.certificates import CERTIFICATE, CLIENT
from tests.conformance.client import Client, Closed, Rejected
from tests.conformance.server import serve_zoo
from tests.patience import PATIENCE
from tests.proxies.running import HAPROXY_TCP, Proxy, free_port, haproxy, nginx
from tests.proxies.shop import SOURCE, Shop, connect, healthy, http, info_of, poll, serving_shop, shop
from tests.sockets.serving import in_time

pytestmark = [pytest.mark.proxy, pytest.mark.socket]

Front: TypeAlias = Callable[[int], AbstractContextManager[Proxy]]
FORGED = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "Forwarded": "for=6.6.6.6;host=evil.example;proto=https",
    "X-Real-IP": "6.6.6.6",
}


@pytest.fixture(params=[nginx, haproxy], ids=["nginx", "haproxy"])
def front(request: pytest.FixtureRequest, tmp_path: Path) -> Front:
    """A proxy in front of a port, which has patience with what it asks for its health."""
    patient = ("timeout connect 5s", "timeout connect 5s\n    timeout check 60s")
    changes = [patient] if request.param is haproxy else []
    return lambda port: request.param(tmp_path, port, *changes)


async def test_a_client_has_its_own_address_and_the_host_it_asked_for(front: Front) -> None:
    async with serving_shop(shop()) as served:
        with front(served.port) as proxy:
            await healthy(proxy)
            for forged in ({}, FORGED):
                info = await info_of(proxy, origin=f"http://{proxy.host}", **forged)
                assert info["peer_data"]["address"] == SOURCE
                assert (info["uri"]["scheme"], info["uri"]["host"]) == ("http", "127.0.0.1")
                assert info["uri"]["port"] == proxy.port
                lines = [f"{name}: {value}" for name, value in forged.items()]
                assert await http(proxy, "/who", *lines) == (200, f"{SOURCE} http {proxy.host}".encode())
                assert await http(proxy, "/who", *lines, host="shop.example") == (
                    200,
                    f"{SOURCE} http shop.example".encode(),
                )


async def test_pages_of_the_host_may_connect_and_no_others(front: Front) -> None:
    async with serving_shop(shop()) as served:
        with front(served.port) as proxy:
            await healthy(proxy)
            url = "ws://shop.example/socket/websocket?vsn=2.0.0"
            for origin, allowed in (("https://shop.example", True), ("https://evil.example", False)):
                opening = connect(proxy, url=url, origin=origin, **FORGED)
                if allowed:
                    async with await opening:
                        pass
                else:
                    with pytest.raises(Rejected, match="403"):
                        await opening


@pytest.mark.parametrize("start", [nginx, haproxy])
async def test_tls_ends_at_the_proxy(start: Any, tmp_path: Path) -> None:  # noqa: ANN401
    port, certificate = free_port(), tmp_path / "shop.pem"
    certificate.write_bytes(CERTIFICATE.private_key_and_cert_chain_pem.bytes())
    if start is nginx:
        files = f"ssl_certificate {certificate}; ssl_certificate_key {certificate};"
        change = "server_name shop.example;", f"listen 127.0.0.1:{port} ssl; {files}"
    else:
        change = "default_backend shop", f"bind 127.0.0.1:{port} ssl crt {certificate}\n    default_backend shop"
    async with serving_shop(shop()) as served:
        with start(tmp_path, served.port, change) as proxy:
            await healthy(proxy)
            plain = await trio.open_tcp_stream("127.0.0.1", port, local_address=SOURCE)
            stream = trio.SSLStream(plain, CLIENT, server_hostname="app.test", https_compatible=True)
            url = "ws://app.test/socket/websocket?vsn=2.0.0"
            async with await Client.over(stream, url, origin="https://app.test", headers=FORGED) as client:
                await client.ask(["1", "1", "room:a", "phx_join", {}])
                reply: Any = await client.ask(["1", "2", "room:a", "info", {}])
            uri = reply[4]["response"]["uri"]
            assert (uri["scheme"], uri["host"], uri["port"]) == ("https", "app.test", 443)


async def test_a_long_poll(front: Front) -> None:
    async with serving_shop(shop(window=0.3)) as served:
        with front(served.port) as proxy:
            await healthy(proxy)
            origin = f"origin: http://{proxy.host}"
            status, opened = await poll(proxy, "", origin)
            assert (status, opened["status"]) == (200, 410)
            query = f"&token={opened['token']}"
            posted = await poll(proxy, query, origin, method="POST", message=["1", "1", "room:a", "phx_join", {}])
            assert posted == (200, {"status": 200})
            status, polled = await poll(proxy, query, origin)
            assert (status, polled["status"], len(polled["messages"])) == (200, 200, 1)
            status, idle = await poll(proxy, query, origin)  # for the whole window
            assert (status, idle["status"]) == (200, 204)


async def test_a_body_as_large_as_the_endpoint_takes(front: Front) -> None:
    async with serving_shop(shop(max_body_bytes=2 * 1024 * 1024)) as served:
        with front(served.port) as proxy:
            await healthy(proxy)
            body = b"a" * (2 * 1024 * 1024)
            assert await http(proxy, "/size", method="POST", body=body) == (200, b"2097152")
            assert (await http(proxy, "/size", method="POST", body=body + b"a"))[0] == 413


async def test_each_client_has_its_own_limit(front: Front) -> None:
    async with serving_shop(shop(max_connections_per_address=2)) as served:
        with front(served.port) as proxy:
            await healthy(proxy)
            async with await connect(proxy), await connect(proxy, **FORGED), await connect(proxy, source="127.0.0.3"):
                for headers in ({}, FORGED, {"X-Forwarded-For": "unknown,"}):
                    with pytest.raises(Rejected, match="429"):
                        await connect(proxy, **headers)
                async with await connect(proxy, source="127.0.0.3", **FORGED):
                    pass
            await in_time(_freed(served))
            async with await connect(proxy):
                pass


async def _freed(served: Shop) -> None:
    limits: Any = served.endpoint.serving.limits
    while limits._by_address:  # noqa: SLF001, ASYNC110
        await trio.sleep(0.005)


async def test_a_restart(front: Front) -> None:
    """1012 for a WebSocket, 410 for an open poll, 502 or 503 while nothing listens; then all come back."""
    async with serving_shop(shop()) as served:
        with front(served.port) as proxy:
            await healthy(proxy)
            _, opened = await poll(proxy)
            client = await connect(proxy)
            await client.ask(["1", "1", "room:a", "phx_join", {}])
            polled: list[Any] = []

            async def open_poll() -> None:
                polled.append(await poll(proxy, f"&token={opened['token']}"))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(open_poll)
                await trio.sleep(0.1)
                await served.stop()
                event = await client.next()
                while not isinstance(event, Closed):
                    event = await client.next()
                assert event.code == 1012
            assert polled[0][0] == 200
            assert polled[0][1]["status"] == 410
            assert (await http(proxy, "/who"))[0] in (502, 503)
            with pytest.raises(Rejected, match=r"50[23]"):
                await connect(proxy)
            await served.start()
            await healthy(proxy)
            assert (await poll(proxy, f"&token={opened['token']}"))[1]["status"] == 410
            await info_of(proxy)
            await client.stream.aclose()


@pytest.mark.node
@pytest.mark.parametrize("start", [nginx, haproxy])
def test_phoenix_js_plays_all_scenarios(start: Any, node: str, tmp_path: Path) -> None:  # noqa: ANN401
    folder = Path(__file__).parents[1] / "javascript"
    changes = [(" check inter 2s", "")] if start is haproxy else []  # the zoo has no path for health
    with serve_zoo(tmp_path) as zoo, start(tmp_path, int(zoo.url.rpartition(":")[2]), *changes) as proxy:
        played = subprocess.run(
            [node, "scenarios.mjs", "phoenix-1.8.16", f"http://{proxy.host}"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )
    results = re.findall(r"^(not ok|ok) \d+ - (.*)$", played.stdout, re.MULTILINE)
    planned = re.search(r"^1\.\.(\d+)$", played.stdout, re.MULTILINE)
    assert planned, played.stderr
    assert [name for result, name in results if result == "not ok"] == [], played.stdout
    assert len(results) == int(planned[1])


# ------------------------------------------------------------------------------------------------- PROXY protocol


@pytest.mark.parametrize("version", ["send-proxy", "send-proxy-v2"])
async def test_haproxy_tells_the_client_ahead_of_all_bytes(version: str, tmp_path: Path) -> None:
    trusted = TrustedProxies(["127.0.0.1"], header="proxy-protocol")
    async with serving_shop(shop(trusted_proxies=trusted)) as served:
        changed = "send-proxy-v2 check", f"{version} check inter 50ms"
        with haproxy(tmp_path, served.port, changed, site=HAPROXY_TCP) as proxy:
            await healthy(proxy)
            async with await trio.open_tcp_stream("127.0.0.1", proxy.port, local_address=SOURCE) as stream:
                port = stream.socket.getsockname()[1]
                async with await Client.over(stream, proxy.url(), headers=FORGED) as client:
                    await client.ask(["1", "1", "room:a", "phx_join", {}])
                    reply: Any = await client.ask(["1", "2", "room:a", "info", {}])
            assert reply[4]["response"]["peer_data"] == {"address": SOURCE, "port": port}
            await trio.sleep(0.2)  # checks of health, which are no clients
            await info_of(proxy)


async def test_nginx_on_a_path(tmp_path: Path) -> None:
    """The page's sub-path; the program knows nothing of it."""
    changes = [("location / {", "location /rt/ {"), ("proxy_pass http://shop;", "proxy_pass http://shop/;")]
    async with serving_shop(shop()) as served:
        with nginx(tmp_path, served.port, *changes) as proxy:
            async with await Client.open(proxy.url("/rt/socket/websocket?vsn=2.0.0"), origin=f"http://{proxy.host}"):
                pass
            assert (await http(proxy, "/rt/who"))[0] == 200
            assert (await http(proxy, "/who"))[0] == 404


async def test_nginx_on_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "shop.sock"
    endpoint = shop(trusted_proxies=["unix"])
    async with open_runtime():
        (await endpoint.start_link(path=path)).unwrap()
        with nginx(tmp_path, 0, ("127.0.0.1:0;", f"unix:{path};")) as proxy:
            info = await info_of(proxy, origin=f"http://{proxy.host}", **FORGED)
            assert info["peer_data"]["address"] == SOURCE
            assert await http(proxy, "/who") == (200, f"{SOURCE} http {proxy.host}".encode())
