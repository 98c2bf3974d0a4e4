"""Begins and ends tracing: what stands around handlers, and the events that open and close spans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs

from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TracerProvider,
    get_tracer,
    set_span_in_context,
)

import phxactor
from phxactor.http import Request
from phxactor.opentelemetry import _nodes as nodes
from phxactor.opentelemetry._carried import Carried, carry, carry_no_more
from phxactor.opentelemetry._messages import CONNECTION, Messages, connection_of, of_channel
from phxactor.opentelemetry._records import name_none, name_traces
from phxactor.opentelemetry._sampling import Sampler
from phxactor.opentelemetry._spans import ROOT, Spans, be_quiet, current, quiet
from phxactor.opentelemetry._w3c import MAX_PARENT, read
from phxactor.otp import interpose, withdraw
from phxactor.runtime import self_pid
from phxactor.socket import Broadcast
from phxactor.telemetry import EVENTS, Event

Fields: TypeAlias = Mapping[str, Any]
CLIENT_RATE: Final = 100.0
"""Traces per second that clients can have, unless another number is given."""
_LONG: Final = 8192
"""Characters of a query in which a `traceparent` is looked for."""


class Tracing:
    """All that traces; `begin` attaches it, `end` detaches it."""

    def __init__(self, sampler: Sampler, provider: TracerProvider | None) -> None:
        self._spans = Spans(get_tracer("phxactor", phxactor.__version__, provider))
        self._sampler = sampler
        self._carried = Carried()
        self._messages = Messages(self._spans, sampler, self._carried)
        handlers: dict[str, Callable[[Event, Fields], object]] = {
            "http.request.start": self._request,
            "http.request": self._answered,
            "socket.connected": self._connected,
            "channel.join.start": self._join,
            "channel.join.stop": self._joined,
            "server.call.start": self._call,
            "server.call.stop": self._called,
            "pubsub.broadcast.start": self._broadcast,
            "pubsub.broadcast.stop": self._handed_out,
        }
        self._handlers = [(EVENTS[f"phxactor.{name}"], handler) for name, handler in handlers.items()]

    def begin(self) -> None:
        """Trace from now on."""
        nodes.listen()
        carry()
        name_traces()
        interpose(self._messages.around)
        for event, handler in self._handlers:
            event.attach(handler)

    def end(self) -> None:
        """Trace no more."""
        for event, handler in self._handlers:
            event.detach(handler)
        withdraw(self._messages.around)
        name_none()
        carry_no_more()
        self._carried.clear()

    # ---------------------------------------------------------------------------------------------- sampling

    def _parent(self, given: SpanContext | None) -> Context | None:
        """Return the context in which something that comes from outside begins its span; None if it has none."""
        sampler = self._sampler
        if sampler.take() if given is None else given.trace_flags.sampled and sampler.take_client():
            return ROOT if given is None else set_span_in_context(NonRecordingSpan(given), ROOT)
        if not quiet.get():
            be_quiet()
        return None

    # ------------------------------------------------------------------------- requests, handshakes and joins

    def _request(self, _: Event, fields: Fields) -> None:
        """Begin the span of a request. That of a handshake is what the spans of its connection's messages link to."""
        request: Request = fields["request"]
        given = _of_request(request)
        parent = self._parent(given)
        opens = request.header("upgrade") is not None or request.path.endswith("/longpoll")
        if parent is not None:
            attributes = {
                "http.request.method": fields["method"],
                "http.route": fields["route"],
                "url.path": request.path,
                "url.scheme": request.scheme,
                "client.address": request.peer.address,
            }
            name = f"{fields['method']} {fields['route']}"
            given = self._spans.open(
                "request", name, parent, kind=SpanKind.SERVER, attributes=attributes
            ).span.get_span_context()
        me = self_pid()
        if opens and (given is not None or CONNECTION in (me.dictionary or {})):
            me.dictionary = {**(me.dictionary or {}), CONNECTION: given}

    def _connected(self, _: Event, fields: Fields) -> None:
        """Give a session of long polls, a process of its own, the span of the request that has opened it."""
        me = self_pid()
        given = (fields["by"].dictionary or {}).get(CONNECTION)
        if given is not None and fields["by"] is not me:
            me.dictionary = {**(me.dictionary or {}), CONNECTION: given}

    def _answered(self, _: Event, fields: Fields) -> None:
        status = int(fields["status"])
        failed = f"status {status}" if status >= 500 else ""  # noqa: PLR2004 - the server's own failures
        self._spans.close("request", failed=failed, http__response__status_code=status)

    def _join(self, _: Event, fields: Fields) -> None:
        process = fields["process"]
        payload = fields["payload"]
        given = read(payload.get("traceparent"), payload.get("tracestate")) if type(payload) is dict else None
        parent = self._parent(given)
        if parent is not None:
            attributes = {**of_channel(process), "messaging.operation.name": "join", "phxactor.event": "phx_join"}
            name = f"join {fields['route']}"
            self._spans.open(
                "join", name, parent, kind=SpanKind.CONSUMER, attributes=attributes, links=connection_of(process)
            )

    def _joined(self, _: Event, fields: Fields) -> None:
        outcome = fields["outcome"]
        self._spans.close("join", failed=outcome if outcome == "failed" else "", phxactor__outcome=outcome)

    # ----------------------------------------------------------------------------------- calls and broadcasts

    def _call(self, _: Event, fields: Fields) -> None:
        parent = current()
        if parent is not None:
            name = fields["server"].removesuffix(".init")
            self._spans.open(
                "call", f"call {name}", parent, kind=SpanKind.INTERNAL, attributes={"phxactor.server": name}
            )

    def _called(self, _: Event, fields: Fields) -> None:
        outcome = fields["outcome"]
        self._spans.close("call", failed="" if outcome == "ok" else outcome)

    def _broadcast(self, _: Event, fields: Fields) -> None:
        """Begin the span of a broadcast: within a trace, or where another node has sent one with its context."""
        pubsub, topic, event, message = fields["pubsub"], fields["topic"], fields["event"], fields["message"]
        if fields["origin"] == "node":
            given = nodes.expected(fields["sender"], pubsub, topic)
            parent = None if given is None else set_span_in_context(NonRecordingSpan(given), ROOT)
            word, kind = "receive", SpanKind.CONSUMER
        else:
            parent = current()
            if parent is None and not quiet.get() and self._sampler.take():
                parent = ROOT
            word, kind = "send", SpanKind.PRODUCER
        if parent is None:
            return
        attributes = {
            "messaging.system": "phxactor",
            "messaging.operation.name": word,
            "messaging.operation.type": word,
            "messaging.destination.name": topic,
            "phxactor.pubsub": pubsub,
            **({} if event is None else {"phxactor.event": event}),
        }
        span = self._spans.open("broadcast", f"{word} {pubsub}", parent, kind=kind, attributes=attributes).span
        context = set_span_in_context(span, parent)
        if type(message) is Broadcast:
            message.context = context
        elif event is None:
            self._carried.note(message, context)
        if fields["crosses"]:
            nodes.send(pubsub, topic, event, span.get_span_context())

    def _handed_out(self, _: Event, fields: Fields) -> None:
        failed = fields["outcome"] if fields["outcome"] != "ok" else ""
        self._spans.close("broadcast", failed=failed, messaging__batch__message_count=fields["receivers"])


def _of_request(request: Request) -> SpanContext | None:
    """Return the context of a request: of its headers, or, as browsers cannot set these, of its query."""
    parent, state = request.header("traceparent"), request.header("tracestate")
    if parent is None and len(request.query) <= _LONG and "traceparent=" in request.query:
        params = parse_qs(request.query, max_num_fields=100)
        parent, state = (params.get(name, [None])[0] for name in ("traceparent", "tracestate"))
    return None if parent is None or len(parent) > MAX_PARENT else read(parent, state)


_running: Final[list[Tracing]] = []


def start_tracing(
    *, sample: float = 1.0, client_rate: float = CLIENT_RATE, tracer_provider: TracerProvider | None = None
) -> None:
    """Trace the messages of all processes of this program from now on, with the tracer provider that is set globally.

    Args:
        sample: the share of messages, handshakes and requests that are traced, 0 to 1. It is decided before anything
            is spent on a message; so leave the SDK's sampler as it is.
        client_rate: traces per second that clients can have: those whose `traceparent` says `sampled` are traced,
            whatever `sample` says. Those beyond count as any other.
        tracer_provider: another tracer provider.

    Raises:
        TypeError: a number is none.
        ValueError: `sample` is not between 0 and 1, or `client_rate` is below 0.
        RuntimeError: it traces already.

    """
    if _running:
        raise RuntimeError("phxactor traces already: stop_tracing() first")
    for name, value in (("sample", sample), ("client_rate", client_rate)):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"{name} must be a number, not {value!r:.100}")
    if not 0 <= sample <= 1:
        raise ValueError(f"sample must be between 0 and 1, not {sample!r}")
    if not client_rate >= 0:
        raise ValueError(f"client_rate must be at least 0, not {client_rate!r}")
    tracing = Tracing(Sampler(sample, client_rate), tracer_provider)
    _running.append(tracing)
    tracing.begin()


def stop_tracing() -> None:
    """Trace no more; it is no error if nothing traces."""
    while _running:
        _running.pop().end()
