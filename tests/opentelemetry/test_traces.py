"""Traces of messages, in virtual time, by the SDK's exporter in memory."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import trio
from opentelemetry.trace import SpanKind, StatusCode
from trio.testing import MockClock

from phxactor import Reply, call, cast, open_runtime
from phxactor.channels._process import ChannelProcess
from phxactor.opentelemetry import start_tracing, stop_tracing
from phxactor.otp import Call, ServerProcess, Supervisor
from phxactor.telemetry import EVENTS
from phxactor.testing import ClientChannel, HTTPClient, connect
from tests.opentelemetry.program import CHILDREN, Store, UserSocket, endpoint
from tests.opentelemetry.recorded import id_of, recording, trace_of

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """Nothing is left of what traces."""
    before = {one: dict(one.handlers) for one in (ServerProcess, ChannelProcess)}
    init, make, handlers = Call.__init__, logging.getLogRecordFactory(), {e: e.handlers for e in EVENTS.values()}
    yield
    assert {one: dict(one.handlers) for one in (ServerProcess, ChannelProcess)} == before
    assert Call.__init__ is init
    assert logging.getLogRecordFactory() is make
    assert {e: e.handlers for e in EVENTS.values()} == handlers


async def joined(topic: str = "room:1", payload: object = None) -> ClientChannel:
    client = await connect(UserSocket, endpoint=endpoint)
    room = await client.join(topic, payload)
    await room.assert_joined()
    return room


async def children() -> None:
    (await Supervisor.start_link(CHILDREN)).unwrap()


async def test_a_message_is_one_trace_through_calls_casts_and_broadcasts(autojump_clock: MockClock) -> None:
    with recording() as found:
        async with open_runtime():
            await children()
            room = await joined()
            await room.assert_reply(room.push("buy", {}), "ok", within=1)
            await trio.sleep(1)
    process = found.one("process room:*")
    asked, handled = found.one("call Shop"), found.one("handle_call Shop")
    kept, told = found.one("handle_call Store"), found.one("handle_cast Store")
    sent = found.one("send news")
    within = [process, asked, handled, found.one("call Store"), kept, told, sent]
    assert len({trace_of(span) for span in within}) == 1
    parents = {span.name: span.parent and span.parent.span_id for span in within}
    assert parents == {
        "process room:*": None,
        "call Shop": id_of(process),
        "handle_call Shop": id_of(asked),
        "call Store": id_of(handled),
        "handle_call Store": id_of(found.one("call Store")),
        "handle_cast Store": id_of(handled),
        "send news": id_of(told),
    }
    heard = found.one("handle_info Reader")
    assert trace_of(heard) != trace_of(sent)
    assert [link.context.span_id for link in heard.links] == [id_of(sent)]
    assert process.kind is SpanKind.CONSUMER
    assert sent.kind is SpanKind.PRODUCER
    attributes = dict(process.attributes or {})
    assert attributes.pop("messaging.message.conversation_id")
    assert attributes == {
        "messaging.system": "phxactor", "messaging.operation.name": "process", "messaging.operation.type": "process",
        "messaging.destination.name": "room:1", "messaging.destination.template": "room:*",
        "phxactor.channel": "Room", "phxactor.transport": "websocket", "phxactor.event": "buy",
    }  # fmt: skip


async def test_each_message_is_a_trace_of_its_own(autojump_clock: MockClock) -> None:
    with recording() as found:
        async with open_runtime():
            room = await joined()
            for _ in range(3):
                await room.assert_reply(room.push("echo", {}), "ok", within=1)
    traces = [trace_of(span) for span in found.all() if span.name in ("process room:*", "join room:*")]
    assert len(traces) == len(set(traces)) == 4


async def test_a_payload_may_name_its_trace(autojump_clock: MockClock) -> None:
    with recording(sample=0) as found:
        async with open_runtime():
            await children()
            room = await joined(payload={"traceparent": PARENT, "tracestate": "a=b"})
            payload = {"traceparent": PARENT.replace(SPAN, "00f067aa0ba902b8")}
            await room.assert_reply(room.push("buy", payload), "ok", within=1)
            await room.assert_reply(room.push("buy", {}), "ok", within=1)
            await room.assert_reply(room.push("buy", {"traceparent": PARENT[:-1] + "0"}), "ok", within=1)
            await trio.sleep(1)
    join, process = found.one("join room:*"), found.one("process room:*")
    assert f"{trace_of(process):032x}" == f"{trace_of(join):032x}" == TRACE
    assert process.parent is not None
    assert f"{process.parent.span_id:016x}" == "00f067aa0ba902b8"
    assert join.parent is not None
    assert join.parent.is_remote
    assert join.parent.trace_state.to_header() == "a=b"
    assert found.names().count("handle_call Store") == 1


@pytest.mark.parametrize(
    "parent",
    [
        "", "x", PARENT.upper(), PARENT + "-more", PARENT[:-1], f"ff{PARENT[2:]}", PARENT.replace(TRACE, "0" * 32),
        PARENT.replace(SPAN, "0" * 16), "00" * 100_000, 7, None, ["x"], {"a": 1}, PARENT + "\n", " " + PARENT,
        PARENT.replace("4", "\u0664"),
    ],
)  # fmt: skip
async def test_a_malformed_context_is_ignored(parent: object, autojump_clock: MockClock) -> None:
    with recording() as found:
        async with open_runtime():
            room = await joined()
            await room.assert_reply(room.push("echo", {"traceparent": parent}), "ok", within=1)
    assert found.one("process room:*").parent is None


async def test_clients_cannot_have_more_traces_than_allowed(autojump_clock: MockClock) -> None:
    with recording(sample=0, client_rate=3) as found:
        async with open_runtime():
            room = await joined()
            for _ in range(50):
                await room.assert_reply(room.push("echo", {"traceparent": PARENT}), "ok", within=1)
    assert 3 <= len(found.all()) < 10


async def test_receivers_of_a_broadcast_link_to_it(autojump_clock: MockClock) -> None:
    with recording() as found:
        async with open_runtime():
            rooms = [await joined() for _ in range(3)]
            rooms[0].push("shout", {})
            await trio.sleep(1)
    sent = found.one("send endpoint.pubsub")
    receivers = [
        span
        for span in found.all()
        if span.name == "process room:*" and [link.context.span_id for link in span.links] == [id_of(sent)]
    ]
    assert len(receivers) == 3
    assert all(trace_of(span) != trace_of(sent) for span in receivers)
    assert (sent.attributes or {})["messaging.batch.message_count"] == 3


async def test_a_crash_is_an_error_and_its_log_names_the_trace(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with recording() as found:
        async with open_runtime():
            await children()
            room = await joined()
            await room.assert_reply(room.push("buy", {}), "ok", within=1)
            room.push("crash", {})
            await room.assert_crashed(within=1)
            logging.getLogger("tests").info("outside")
    crashed = found.one("process room:*", phxactor__event="crash")
    assert crashed.status.status_code is StatusCode.ERROR
    assert crashed.status.description == "ValueError"
    assert [event.name for event in crashed.events] == ["exception"]
    ids = {record.message.partition(" ")[0]: (record.trace_id, record.span_id) for record in caplog.records}  # type: ignore[attr-defined]
    bought = found.one("process room:*", phxactor__event="buy")
    assert ids["asked"] == (f"{trace_of(bought):032x}", f"{id_of(bought):016x}")
    assert ids["kept"] == (f"{trace_of(bought):032x}", f"{id_of(found.one('handle_call Store')):016x}")
    assert ids["Room"] == (f"{trace_of(crashed):032x}", f"{id_of(crashed):016x}")
    assert ids["outside"] == ("", "")


@pytest.mark.parametrize("sample", [0.0, 0.1, 1.0])
async def test_so_many_are_traced(sample: float, autojump_clock: MockClock) -> None:
    with recording(sample) as found:
        async with open_runtime():
            await children()
            room = await joined()
            for _ in range(400):
                await room.assert_reply(room.push("buy", {}), "ok", within=1)
            await trio.sleep(1)
    names = found.names()
    count = names.count("process room:*")
    assert {0.0: count == 0, 0.1: 10 < count < 90, 1.0: count == 400}[sample]
    for name in ("call Shop", "handle_call Shop", "call Store", "handle_call Store", "handle_cast Store"):
        assert names.count(name) == count, name  # whole traces or none


async def test_a_span_of_the_program_belongs_to_the_trace_or_is_none(autojump_clock: MockClock) -> None:
    with recording(sample=0.5) as found:
        tracer = found.provider.get_tracer("program")

        class Database(Store):
            async def handle_call(self, request: object, from_: object) -> Reply:
                with tracer.start_as_current_span("query"):
                    return await super().handle_call(request, from_)

        async with open_runtime():
            pid = (await Database.start()).unwrap()
            for _ in range(60):
                await call(pid, 1)
    spans = {id_of(span): span for span in found.all()}
    queries = [span for span in spans.values() if span.name == "query"]
    assert 5 < len(queries) < 55
    assert all(span.parent is not None and span.parent.span_id in spans for span in queries)


async def test_a_request_and_what_it_asks_are_one_trace(autojump_clock: MockClock) -> None:
    with recording() as found:
        async with open_runtime():
            await children()
            answer = await HTTPClient(endpoint).get("/items/7", headers={"traceparent": PARENT})
            assert answer.status == 200
    request, kept = found.one("GET /items/{id}"), found.one("handle_call Store")
    assert f"{trace_of(request):032x}" == f"{trace_of(kept):032x}" == TRACE
    assert request.kind is SpanKind.SERVER
    assert (request.attributes or {})["http.response.status_code"] == 200


async def test_it_begins_and_ends_while_processes_run(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await children()
        room = await joined()
        with recording() as found:
            await room.assert_reply(room.push("buy", {}), "ok", within=1)
        await room.assert_reply(room.push("buy", {}), "ok", within=1)
        cast("store", 1)
        await trio.sleep(1)
    assert found.names().count("process room:*") == 1


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"sample": 2}, ValueError), ({"sample": -0.1}, ValueError), ({"sample": "1"}, TypeError),
        ({"sample": True}, TypeError), ({"client_rate": -1}, ValueError), ({"client_rate": None}, TypeError),
        ({"sample": float("nan")}, ValueError), ({"client_rate": float("nan")}, ValueError),
    ],
)  # fmt: skip
def test_options_that_are_wrong(options: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        start_tracing(**options)  # type: ignore[arg-type]


def test_it_cannot_begin_twice() -> None:
    with recording(), pytest.raises(RuntimeError, match="traces already"):
        start_tracing()
    stop_tracing()
