"""Configurations that go wrong, as proxies have them by default: what a client sees, and the log line that helps."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import trio

from phxactor import TrustedProxies
from tests.conformance.client import Rejected
from tests.patience import PATIENCE
from tests.proxies.running import HAPROXY_TCP, haproxy, nginx
from tests.proxies.shop import connect, healthy, http, info_of, poll, serving_shop, shop

pytestmark = [pytest.mark.proxy, pytest.mark.socket]

UPGRADE = "proxy_set_header Upgrade $http_upgrade;"
CONNECTION = "proxy_set_header Connection $connection_upgrade;"
HOST = "proxy_set_header Host $http_host;"
TOLD_HOST = "proxy_set_header X-Forwarded-Host $http_host;"


def said(caplog: pytest.LogCaptureFixture, containing: str) -> str:
    """Return the last line of the log with this text."""
    found = [record.getMessage() for record in caplog.records if containing in record.getMessage()]
    assert found, [record.getMessage() for record in caplog.records]
    return found[-1]


async def test_without_the_host_of_the_browser(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving_shop(shop()) as served:
        with nginx(tmp_path, served.port, (HOST, ""), (TOLD_HOST, "")) as proxy:
            with pytest.raises(Rejected, match="403"):
                await connect(proxy, origin="https://board.example")
            line = said(caplog, "not allowed")
            assert "'https://board.example'" in line
            assert "the host 'shop' (header Host)" in line
            assert "check_origin=['https://board.example'] would allow it" in line
            assert (await poll(proxy, "", "origin: https://board.example"))[1]["status"] == 403


async def test_a_host_that_is_told_by_a_header_counts_only_from_trusted_proxies(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for trusted, allowed in ((["127.0.0.1"], True), (["192.0.2.1"], False)):
        async with serving_shop(shop(trusted_proxies=trusted)) as served:
            with nginx(tmp_path, served.port, (HOST, "")) as proxy:
                if allowed:
                    await info_of(proxy, origin=f"http://{proxy.host}")
                    continue
                with pytest.raises(Rejected, match="403"):
                    await connect(proxy, origin=f"http://{proxy.host}")
                assert f"the header X-Forwarded-Host, '{proxy.host}', does not count" in said(caplog, "not allowed")
                assert "127.0.0.1 is not in trusted_proxies" in said(caplog, "not allowed")


async def test_a_proxy_that_nobody_trusts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """All clients are one; and a page with a name is refused, since the endpoint listens on a loopback address."""
    caplog.set_level(logging.INFO)
    async with serving_shop(shop(trusted_proxies=None, max_connections_per_address=1)) as served:
        with nginx(tmp_path, served.port) as proxy:
            url = "ws://board.example/socket/websocket?vsn=2.0.0"
            with pytest.raises(Rejected, match="403"):
                await connect(proxy, url=url, origin="https://board.example")
            line = said(caplog, "DNS rebinding")
            assert "hosts=['board.example']" in line
            assert "trusted_proxies=['127.0.0.1']" in line
            async with await connect(proxy):
                with pytest.raises(Rejected, match=r"50|429"):
                    await connect(proxy, source="127.0.0.3")
            assert "there are 1 connections from 127.0.0.1" in said(caplog, "max_connections_per_address")


async def test_without_upgrade(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving_shop(shop()) as served:
        with nginx(tmp_path, served.port, (UPGRADE, ""), (CONNECTION, "")) as proxy, pytest.raises(Rejected):
            await connect(proxy)
    assert "pgrade" in said(caplog, "UserSocket")


async def test_a_time_out_below_the_window(tmp_path: Path) -> None:
    async with serving_shop(shop(window=30.0)) as served:
        with nginx(tmp_path, served.port, ("proxy_read_timeout 90s;", "proxy_read_timeout 1s;")) as proxy:
            _, opened = await poll(proxy)
            assert (await poll(proxy, f"&token={opened['token']}"))[0] == 504


async def test_a_check_of_a_path_that_is_not_there(tmp_path: Path) -> None:
    """`option httpchk` alone asks for `/`: the server counts as down, for all."""
    changes = [("option httpchk GET /health", "option httpchk"), ("inter 2s", "inter 50ms fall 1")]
    async with serving_shop(shop()) as served:
        with haproxy(tmp_path, served.port, *changes) as proxy, trio.fail_after(PATIENCE):
            while (await http(proxy, "/who"))[0] != 503:  # noqa: ASYNC110 - what happens in a proxy tells nobody
                await trio.sleep(0.02)


async def test_a_drain_is_seen_by_a_check(tmp_path: Path) -> None:
    async with serving_shop(shop()) as served:
        with (
            haproxy(tmp_path, served.port, ("inter 2s", "inter 50ms fall 1 rise 1")) as proxy,
            trio.fail_after(PATIENCE),
        ):
            await healthy(proxy)
            served.endpoint.serving.leaving = True
            while (await http(proxy, "/who"))[0] != 503:  # noqa: ASYNC110
                await trio.sleep(0.02)
            served.endpoint.serving.leaving = False
            await healthy(proxy)


@pytest.mark.parametrize("version", ["send-proxy", "send-proxy-v2"])
async def test_a_proxy_header_that_nobody_expects(
    version: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving_shop(shop()) as served:
        with haproxy(tmp_path, served.port, ("send-proxy-v2 check", version), site=HAPROXY_TCP) as proxy:
            assert (await http(proxy, "/who"))[0] == 400
    assert "TrustedProxies([...], header='proxy-protocol')" in said(caplog, "PROXY protocol")


async def test_a_proxy_header_that_does_not_come(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trusted = TrustedProxies(["127.0.0.1"], header="proxy-protocol")
    async with serving_shop(shop(trusted_proxies=trusted)) as served:
        with haproxy(tmp_path, served.port, ("send-proxy-v2 check", ""), site=HAPROXY_TCP) as proxy:
            async with await trio.open_tcp_stream("127.0.0.1", proxy.port) as stream:
                await stream.send_all(b"GET /who HTTP/1.1\r\nhost: a\r\n\r\n")
                with trio.fail_after(PATIENCE):
                    assert await stream.receive_some() == b""
    assert "closed 127.0.0.1:" in said(caplog, "no PROXY header")


async def test_a_body_above_the_limit_of_nginx(tmp_path: Path) -> None:
    async with serving_shop(shop()) as served:
        with nginx(tmp_path, served.port, ("client_max_body_size 11m;", "")) as proxy:
            status, text = await http(proxy, "/size", method="POST", body=b"a" * (1024 * 1024 + 1))
            assert status == 413
            assert b"nginx" in text
