"""Bytes of connections: of those that are connected, and of those that have ended; a sum never goes down."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import trio
from prometheus_client import CollectorRegistry, generate_latest
from trio.testing import MockClock

from phxactor import Endpoint, WebSocketOptions, mount
from phxactor.metrics import install, uninstall
from phxactor.metrics._traffic import DISCONNECTED, Traffic
from phxactor.runtime import current_runtime, open_runtime
from phxactor.telemetry import Event
from tests.conformance.client import Client
from tests.metrics.exposition import samples, value
from tests.metrics.program import UserSocket
from tests.metrics.served import until
from tests.patience import PATIENCE


def emit(came: int, went: int, socket: str = "UserSocket", transport: str = "websocket") -> None:
    DISCONNECTED.emit(socket=socket, transport=transport, peer="here", reason=None, traffic=(came, went), level=None)


def shown(traffic: Traffic) -> dict[str, dict[tuple[str, ...], float]]:
    return {
        family.name: {tuple(one.labels.values()): one.value for one in family.samples} for family in traffic.families()
    }


async def test_connections_that_have_ended_stay_in_the_sums(autojump_clock: MockClock) -> None:
    traffic = Traffic()
    traffic.attach()
    async with open_runtime():
        emit(3, 5)
        emit(30, 50)
        emit(7, 9, transport="longpoll")
        await traffic.read(current_runtime())
        labels, polled = ("UserSocket", "websocket"), ("UserSocket", "longpoll")
        assert shown(traffic)["phxactor_received_bytes"] == {labels: 33, polled: 7}
        assert shown(traffic)["phxactor_sent_bytes"] == {labels: 55, polled: 9}
    traffic.detach()
    emit(100, 100)
    assert shown(traffic)["phxactor_received_bytes"] == {labels: 33, polled: 7}


async def test_a_sum_never_goes_down(autojump_clock: MockClock) -> None:
    """Where a connection was read and then ended, before the answer was made."""
    traffic = Traffic()
    traffic.attach()
    key = ("UserSocket", "websocket")
    traffic.live = {key: (10, 20)}
    emit(10, 20)
    assert shown(traffic)["phxactor_received_bytes"] == {key: 20}
    traffic.live = {}
    assert shown(traffic)["phxactor_received_bytes"] == {key: 20}
    emit(15, 5)
    assert shown(traffic)["phxactor_received_bytes"] == {key: 25}
    assert shown(traffic)["phxactor_sent_bytes"] == {key: 40}
    traffic.detach()


async def test_what_nobody_has_counted_is_left_out() -> None:
    traffic = Traffic()
    traffic.attach()
    DISCONNECTED.emit(socket="S", transport="websocket", peer="", reason=None, traffic=None, level=None)
    traffic.detach()
    assert shown(traffic) == {"phxactor_received_bytes": {}, "phxactor_sent_bytes": {}}


@pytest.mark.socket
async def test_bytes_of_a_client_grow_while_it_talks_and_stay_when_it_goes() -> None:
    registry = CollectorRegistry()
    sockets = [mount("/socket", UserSocket, websocket=WebSocketOptions(check_origin=False))]
    endpoint = Endpoint(sockets=sockets, port=0)

    def bytes_of(name: str) -> float:
        found = samples(generate_latest(registry).decode())
        return value(found, f"phxactor_{name}_bytes_total", socket="UserSocket", transport="websocket")

    gone = trio.Event()

    def note(_: Event, __: Mapping[str, object]) -> None:
        gone.set()

    async with open_runtime():
        install(registry)
        (await endpoint.start_link()).unwrap()
        assert endpoint.address is not None
        target = f"ws://127.0.0.1:{endpoint.address.port}/socket/websocket?vsn=2.0.0"
        async with await Client.open(target) as client:
            await client.ask(["1", "1", "room:1", "phx_join", {}])
            before = bytes_of("received"), bytes_of("sent")
            assert min(before) > 100
            await client.send(["1", "3", "room:1", "echo", {"text": "x" * 5000}])
            await until(client, lambda one: one[1] == "3")
            after = bytes_of("received"), bytes_of("sent")
            assert after[0] - before[0] >= 5000
            assert after[1] >= before[1]
            DISCONNECTED.attach(note)
        with trio.fail_after(PATIENCE):
            await gone.wait()
        DISCONNECTED.detach(note)
        assert bytes_of("received") >= after[0]
        assert bytes_of("sent") >= after[1]
    uninstall(registry)
