"""Traces of real connections: messages link to the handshake; the SDK prints spans on the console."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any
from urllib.request import Request, urlopen

import orjson
import pytest
import trio

from phxactor import open_runtime
from tests.conformance.client import Client
from tests.demos.program import ROOT, environment
from tests.opentelemetry.program import endpoint
from tests.opentelemetry.recorded import Recorded, id_of, recording, trace_of
from tests.patience import PATIENCE

pytestmark = pytest.mark.socket

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


async def talk(query: str = "", sample: float = 1.0, **headers: str) -> Recorded:
    with recording(sample) as found:
        async with open_runtime():
            (await endpoint.start_link(port=0)).unwrap()
            assert endpoint.address is not None
            url = f"ws://127.0.0.1:{endpoint.address.port}/socket/websocket?vsn=2.0.0{query}"
            async with await Client.open(url, headers=headers) as client:
                await client.ask(["1", "1", "room:1", "phx_join", {}])
                await client.ask(["1", "2", "room:1", "echo", {}])
                await client.ask(["1", "3", "room:1", "echo", {"traceparent": PARENT.replace(SPAN, SPAN[::-1])}])
    return found


async def test_messages_link_to_the_handshake_of_their_connection() -> None:
    found = await talk()
    handshake = found.one("GET /socket/websocket")
    messages = [span for span in found.all() if span.name in ("join room:*", "process room:*")]
    assert len(messages) == 3
    for span in messages:
        assert [link.context.span_id for link in span.links] == [id_of(handshake)]
        assert trace_of(span) != trace_of(handshake)
    assert len({(span.attributes or {})["messaging.message.conversation_id"] for span in messages}) == 1
    assert (handshake.attributes or {})["http.response.status_code"] == 101


@pytest.mark.parametrize("way", ["header", "query"])
async def test_the_handshake_may_name_its_trace(way: str) -> None:
    found = await talk(traceparent=PARENT) if way == "header" else await talk(f"&traceparent={PARENT}")
    handshake = found.one("GET /socket/websocket")
    assert f"{trace_of(handshake):032x}" == TRACE
    assert handshake.parent is not None
    assert f"{handshake.parent.span_id:016x}" == SPAN


async def test_messages_link_to_the_clients_own_span_if_the_handshake_is_not_traced() -> None:
    found = await talk(f"&traceparent={PARENT[:-2]}00", sample=0)
    (span,) = found.all()
    assert span.name == "process room:*"
    assert f"{trace_of(span):032x}" == TRACE
    assert [f"{link.context.span_id:016x}" for link in span.links] == [SPAN]


CONSOLE = """
import trio
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from phxactor import call, open_runtime
from phxactor.opentelemetry import start_tracing
from tests.opentelemetry.program import Store

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(formatter=lambda span: span.to_json(None) + "\\n")))
trace.set_tracer_provider(provider)
start_tracing()

async def main():
    async with open_runtime():
        await call((await Store.start()).unwrap(), 7)

trio.run(main)
"""


@pytest.mark.slow
def test_the_console_shows_them_by_the_global_provider() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CONSOLE],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=ROOT,
        env=environment(),
        check=True,
    )
    (span,) = map(json.loads, done.stdout.splitlines())
    assert span["name"] == "handle_call Store"
    assert span["attributes"]["phxactor.server"] == "Store"


@pytest.mark.slow
def test_without_an_sdk_it_costs_a_little_and_does_nothing() -> None:
    program = CONSOLE.replace("provider = TracerProvider()\n", "").replace("trace.set_tracer_provider(provider)\n", "")
    program = "\n".join(line for line in program.splitlines() if "sdk" not in line and "provider" not in line)
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=ROOT,
        env=environment(),
        check=True,
    )
    assert done.stdout == done.stderr == ""


async def test_messages_of_long_polls_link_to_the_request_that_opened_their_session() -> None:
    """The session is a process of its own, and no request of it is the handshake of another."""
    with recording() as found:
        async with open_runtime():
            (await endpoint.start_link(port=0)).unwrap()
            assert endpoint.address is not None
            url = f"http://127.0.0.1:{endpoint.address.port}/socket/longpoll?vsn=2.0.0"

            def ask(query: str, *message: object) -> dict[str, Any]:
                body = orjson.dumps(message) if message else None
                headers = {"content-type": "application/json"}
                request = Request(url + query, body, headers)  # noqa: S310 - our own server
                with urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - our own server
                    told: dict[str, Any] = orjson.loads(answer.read())
                    return told

            opened = await trio.to_thread.run_sync(ask, "")
            query = f"&token={opened['token']}"
            for ref, event in (("1", "phx_join"), ("2", "echo")):
                await trio.to_thread.run_sync(ask, query, "1", ref, "room:1", event, {})
            told = await trio.to_thread.run_sync(ask, query)
            assert len(told["messages"]) == 2
    first, *_ = [span for span in found.all() if span.name == "GET /socket/longpoll"]
    for name in ("join room:*", "process room:*"):
        assert [link.context.span_id for link in found.one(name).links] == [id_of(first)]
