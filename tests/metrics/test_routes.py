"""Who may scrape."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter
from trio.testing import MockClock

from phxactor import Endpoint, open_runtime
from phxactor.http import PeerData
from phxactor.metrics import metrics_routes, uninstall
from phxactor.testing import HTTPClient

TOKEN = "a token of 22 letters."
HERE = PeerData("127.0.0.1", 5)
ELSEWHERE = PeerData("192.0.2.7", 5)


async def status(endpoint: Endpoint, peer: PeerData, path: str = "/metrics", **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return (await HTTPClient(endpoint, peer=peer).get(path, headers=named)).status


@pytest.mark.parametrize(
    ("peer", "headers", "expected"),
    [
        (HERE, {"host": "127.0.0.1:4000"}, 200),
        (HERE, {"host": "localhost"}, 200),
        (PeerData("::1", 5), {"host": "[::1]:4000"}, 200),
        (PeerData("::ffff:127.0.0.1", 5), {"host": "localhost"}, 200),
        (HERE, {"host": "scraper.internal"}, 200),
        (HERE, {"host": "evil.example"}, 403),
        (ELSEWHERE, {"host": "localhost"}, 403),
        (ELSEWHERE, {"host": "scraper.internal"}, 403),
        (HERE, {"host": "localhost", "x_forwarded_for": "192.0.2.7"}, 403),
        (HERE, {"host": "localhost", "forwarded": "for=192.0.2.7"}, 403),
    ],
)
async def test_without_a_token_only_this_machine_may(
    peer: PeerData, headers: dict[str, str], expected: int, autojump_clock: MockClock
) -> None:
    registry = CollectorRegistry()
    endpoint = Endpoint(routes=metrics_routes(hosts=["scraper.internal"], registry=registry))
    async with open_runtime():
        assert await status(endpoint, peer, **headers) == expected
    uninstall(registry)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (f"Bearer {TOKEN}", 200), (f"bearer  {TOKEN}", 200), (f"Basic {TOKEN}", 401), (f"Bearer {TOKEN}x", 401),
        ("", 401), (f"Bearer {TOKEN[:-1]}", 401), ("Bearer", 401), ("Bearer \u00e4", 401), (TOKEN, 401),
    ],
)  # fmt: skip
async def test_with_a_token_who_has_it_may(given: str, expected: int, autojump_clock: MockClock) -> None:
    registry = CollectorRegistry()
    endpoint = Endpoint(routes=metrics_routes("/numbers", token=TOKEN, registry=registry))
    async with open_runtime():
        answer = await HTTPClient(endpoint, peer=ELSEWHERE).get(
            "/numbers", headers={"host": "shop.example", "authorization": given}
        )
    assert answer.status == expected
    assert (answer.header("www-authenticate") is not None) == (expected == 401)
    uninstall(registry)


async def test_the_programs_own_metrics_are_shown_too(autojump_clock: MockClock) -> None:
    registry = CollectorRegistry()
    orders = Counter("orders", "Orders", registry=registry)
    orders.inc(7)
    async with open_runtime():
        answer = await HTTPClient(
            Endpoint(routes=metrics_routes(registry=registry)), headers={"host": "localhost"}
        ).get("/metrics")
    assert "orders_total 7.0" in answer.body.decode()
    assert "phxactor_processes" in answer.body.decode()
    uninstall(registry)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"token": "short"}, ValueError, "at least 16 characters"),
        ({"token": "\u00e4" * 20}, ValueError, "ASCII"),
        ({"token": 7}, TypeError, "must be text"),
        ({"hosts": "a"}, TypeError, "hosts is a list"),
        ({"path": "metrics"}, ValueError, "begins with a slash|begin with a slash"),
    ],
)
def test_options_that_are_wrong(options: dict[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        metrics_routes(**options)  # type: ignore[arg-type]
    uninstall()
