"""What is counted, under which names and labels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio
from trio.testing import MockClock

from phxactor import Endpoint, Exit, call, cast, open_runtime
from phxactor.channels._process import ChannelProcess
from phxactor.metrics import install, uninstall
from phxactor.metrics._counting import kind_of
from phxactor.metrics._tables import MOST, OTHER, Counts, Durations
from phxactor.otp import Supervisor
from phxactor.runtime import KILL, KILLED, NORMAL, SHUTDOWN, Crash, Shutdown
from phxactor.telemetry import EVENTS
from phxactor.testing import HTTPClient, Refused, connect
from tests.metrics.exposition import samples, samples_of_openmetrics, value
from tests.metrics.program import Counter, UserSocket, make_endpoint


@pytest.fixture(autouse=True)
def counted() -> Iterator[None]:
    """Count during a test, from zero."""
    uninstall()
    before = {name: event.handlers for name, event in EVENTS.items()}
    install()
    yield
    uninstall()
    assert {name: event.handlers for name, event in EVENTS.items()} == before


async def scraped(endpoint: Endpoint, accept: str = "") -> str:
    answer = await HTTPClient(endpoint, headers={"host": "localhost"}).get("/metrics", headers={"accept": accept})
    assert answer.status == 200
    return answer.body.decode()


async def play() -> Endpoint:
    """Have everything happen at least once."""
    endpoint = make_endpoint()
    (await Supervisor.start_link([Counter.child_spec(name="counter")])).unwrap()
    client = await connect(UserSocket, endpoint=endpoint)
    room = await client.join("room:secret-of-ann")
    await room.assert_joined()
    with pytest.raises(Refused):
        await client.join("room:no")
    for number in range(3):
        await room.assert_reply(room.push("echo", {}), "ok", within=1)
        await room.assert_reply(room.push(f"flood {number}", {}), "ok", within=1)
    await room.assert_reply(room.push("shout", {}), "ok", within=1)
    await room.assert_reply(room.push("ask", {}), "ok", within=1)
    room.push("crash", {"counter": True})
    await trio.sleep(6)
    with pytest.raises(Exit):
        await call("nobody", 1)
    browser = HTTPClient(endpoint)
    await browser.get("/items/7")
    await browser.get("/items/8")
    await browser.request("BREW", "/pot")
    return endpoint


async def test_what_happens_is_counted(autojump_clock: MockClock) -> None:
    async with open_runtime():
        found = samples(await scraped(await play()))
    of_room = {"channel": "Room", "route": "room:*"}
    handled = "phxactor_channel_message_duration_seconds_count"
    assert value(found, handled, **of_room, kind="in", event="echo", outcome="ok") == 3
    assert value(found, handled, **of_room, kind="in", event=OTHER, outcome="ok") == 3
    assert value(found, handled, **of_room, kind="in", event="crash", outcome="failed") == 1
    assert value(found, handled, **of_room, kind="out", event="whisper", outcome="ok") == 1
    assert value(found, "phxactor_channel_join_duration_seconds_count", **of_room, outcome="ok") == 1
    assert value(found, "phxactor_channel_join_duration_seconds_count", **of_room, outcome="refused") == 1
    assert value(found, "phxactor_joins_total", socket="UserSocket", status="error") == 1
    assert value(found, "phxactor_server_call_duration_seconds_count", server="Counter.init", outcome="ok") == 1
    assert value(found, "phxactor_server_call_duration_seconds_count", server="", outcome="failed") == 1
    assert value(found, "phxactor_server_message_duration_seconds_count", server="Counter", kind="call") == 1
    assert value(found, "phxactor_broadcasts_total", pubsub="endpoint.pubsub", origin="here") == 2
    assert value(found, "phxactor_deliveries_total", pubsub="endpoint.pubsub", origin="here") == 2
    assert value(found, "phxactor_crashes_total", kind="channel", **{"class": "Room"}) == 1
    assert value(found, "phxactor_crashes_total", kind="server", **{"class": "Counter"}) == 1
    assert value(found, "phxactor_restarts_total", supervisor="Supervisor.init", outcome="ok") == 1
    requests = "phxactor_http_request_duration_seconds_count"
    assert value(found, requests, method="GET", route="/items/{id}", status="200") == 2
    assert value(found, requests, method=OTHER, route="-", status="404") == 1
    assert value(found, "phxactor_processes") > 5
    assert value(found, "phxactor_loop_lag_seconds") == pytest.approx(0)
    assert value(found, "phxactor_collections_total") >= 0
    assert value(found, "phxactor_info") == 1
    assert value(found, "phxactor_connections", endpoint="endpoint") > 0
    assert value(found, "process_cpu_seconds_total") > 0


async def test_no_label_is_of_a_client(autojump_clock: MockClock) -> None:
    async with open_runtime():
        text = await scraped(await play())
    for word in ("secret-of-ann", "flood", "BREW", "PID", "items/7"):
        assert word not in text


async def test_it_is_openmetrics_for_who_asks_for_it(autojump_clock: MockClock) -> None:
    async with open_runtime():
        answer = await HTTPClient(await play(), headers={"host": "localhost"}).get(
            "/metrics", headers={"accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
        )
    assert (answer.header("content-type") or "").startswith("application/openmetrics-text; version=1.0.0")
    text = answer.body.decode()
    assert text.endswith("# EOF\n")
    assert value(samples_of_openmetrics(text), "phxactor_joins_total", status="ok") == 1


def test_a_metric_never_has_more_than_so_many_sets_of_labels() -> None:
    counts, durations = Counts("a", "b", ("c",)), Durations("d", "e", ("f",))
    for number in range(MOST + 10):
        counts.add((str(number),))
        durations.add((str(number),), 0.001 * number)
    assert len(counts.values) == len(durations.values) == MOST + 1
    assert counts.values[OTHER,] == 10
    assert sum(durations.values[OTHER,][:-1]) == 10


def test_buckets_count_what_is_at_most_their_bound() -> None:
    durations = Durations("phxactor_x_seconds", "text", ("a",), (0.5, 1.0))
    for seconds in (0.1, 0.5, 0.7, 1.0, 3.0):
        durations.add(("b",), seconds)
    found = {one.labels["le"]: one.value for one in durations.family().samples if one.name.endswith("_bucket")}
    assert found == {"0.5": 2, "1.0": 4, "+Inf": 5}
    assert value(durations.family().samples, "phxactor_x_seconds_sum") == pytest.approx(5.3)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (NORMAL, "normal"), (SHUTDOWN, "shutdown"), (Shutdown("left"), "shutdown"), (KILL, "killed"),
        (KILLED, "killed"), (Crash(ValueError()), "crash"), ("noproc", "other"), (object(), "other"),
    ],
)  # fmt: skip
def test_a_reason_has_a_kind(reason: object, kind: str) -> None:
    assert kind_of(reason) == kind


async def test_a_cast_to_nobody_counts_nothing(autojump_clock: MockClock) -> None:
    async with open_runtime():
        cast("nobody", 1)
        found = samples(await scraped(make_endpoint()))
    assert not [one for one in found if one.name.startswith("phxactor_server_message")]


def test_what_is_measured_once_is_not_measured_any_more_afterwards() -> None:
    uninstall()
    assert not [one for one in ChannelProcess.handlers.values() if "_measured" in getattr(one, "__qualname__", "")]
