"""The handling of messages as spans: it stands around the handlers of servers and channels while something traces.

Whether a message is traced is decided first. One that is not costs a few steps; one that is has a context of its own,
so that what its handler calls, casts and broadcasts belongs to the same trace.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, Final

import attrs
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, get_current_span, set_span_in_context

from phxactor.opentelemetry._carried import Carried
from phxactor.opentelemetry._sampling import Sampler
from phxactor.opentelemetry._spans import ROOT, Spans, be_quiet, quiet
from phxactor.opentelemetry._w3c import read
from phxactor.otp import Call, Cast, Handler, Outcome, ServerProcess
from phxactor.runtime import Pid
from phxactor.socket import Broadcast, Message

CONNECTION: Final = "phxactor.opentelemetry.connection"
"""The key in the dictionary of a connection's process: the span context of its handshake."""
_WORDS: Final[dict[type | None, str]] = {Call: "handle_call", Cast: "handle_cast", None: "handle_info"}


@attrs.frozen(eq=False)
class Messages:
    """Returns what handles messages instead of the handlers of a server or channel."""

    spans: Spans
    sampler: Sampler
    carried: Carried

    def around(self, process: type[ServerProcess], kind: type | None, handler: Handler) -> Handler:
        """Stand around a handler."""
        if kind is Message:
            return self._around_input(handler)
        if kind is Broadcast:
            return self._around_broadcast(handler)
        return self._around_request(kind, handler)

    def _around_input(self, handler: Handler) -> Handler:
        """Trace what a client sends: a trace of its own, or that which its payload names."""
        sampler = self.sampler

        def handle(process: Any, message: Message) -> Awaitable[Outcome]:  # noqa: ANN401 - a ChannelProcess
            payload = message.payload
            if type(payload) is dict and "traceparent" in payload:
                given = read(payload["traceparent"], payload.get("tracestate"))
                if given is not None:
                    return self._asked(handler, process, message, given)
            left = sampler.left
            if left:
                sampler.left = left - 1
                if not quiet.get():
                    be_quiet()
                return handler(process, message)
            sampler.again()
            return self._traced_input(handler, process, message, ROOT)

        return handle

    def _asked(self, handler: Handler, process: Any, message: Message, given: SpanContext) -> Awaitable[Outcome]:  # noqa: ANN401
        if given.trace_flags.sampled and self.sampler.take_client():
            parent = set_span_in_context(NonRecordingSpan(given), ROOT)
            return self._traced_input(handler, process, message, parent)
        if not quiet.get():
            be_quiet()
        return handler(process, message)

    async def _traced_input(self, handler: Handler, process: Any, message: Message, parent: Context) -> Outcome:  # noqa: ANN401
        attributes = {**of_channel(process), "phxactor.event": message.event}
        name = f"process {attributes['messaging.destination.template']}"
        kind, links = SpanKind.CONSUMER, connection_of(process)
        return await self._traced(
            handler, process, message, name, parent, kind=kind, attributes=attributes, links=links
        )

    def _around_broadcast(self, handler: Handler) -> Handler:
        """Trace an intercepted broadcast: a trace of its own that links to the broadcast, which has many receivers."""

        def handle(process: Any, message: Broadcast) -> Awaitable[Outcome]:  # noqa: ANN401 - a ChannelProcess
            context = getattr(message, "context", None)
            if not isinstance(context, Context):
                if not quiet.get():
                    be_quiet()
                return handler(process, message)
            attributes = {**of_channel(process), "phxactor.event": message.event}
            name = f"process {attributes['messaging.destination.template']}"
            links = [get_current_span(context).get_span_context(), *connection_of(process)]
            kind = SpanKind.CONSUMER
            return self._traced(handler, process, message, name, ROOT, kind=kind, attributes=attributes, links=links)

        return handle

    def _around_request(self, kind: type | None, handler: Handler) -> Handler:
        """Trace calls and casts as children of what has sent them, and other messages."""
        word, sampler, carried = _WORDS[kind], self.sampler, self.carried

        def handle(process: ServerProcess, message: Any) -> Awaitable[Outcome]:  # noqa: ANN401 - of its kind
            links: Sequence[SpanContext] = ()
            if kind is None:
                context = None
                if carried and (sent := carried.take(message)) is not None:
                    context, links = ROOT, [get_current_span(sent).get_span_context()]
            else:
                context = getattr(message, "context", None)
            if context is None and sampler.take():
                context = ROOT
            if not isinstance(context, Context):
                if not quiet.get():
                    be_quiet()
                return handler(process, message)
            server = type(process.server).__qualname__
            attributes = {"phxactor.server": server, "phxactor.pid": str(process.pid)}
            name, internal = f"{word} {server}", SpanKind.INTERNAL
            return self._traced(
                handler, process, message, name, context, kind=internal, attributes=attributes, links=links
            )

        return handle

    async def _traced(
        self,
        handler: Handler,
        process: ServerProcess,
        message: object,
        name: str,
        parent: Context,
        *,
        kind: SpanKind,
        attributes: dict[str, str],
        links: Sequence[SpanContext],
    ) -> Outcome:
        opened = self.spans.open("message", name, parent, kind=kind, attributes=attributes, links=links)
        try:
            outcome = await handler(process, message)
        except BaseException as error:
            self.spans.fail(opened, error)
            raise
        self.spans.close("message")
        return outcome


def of_channel(process: Any) -> dict[str, str]:  # noqa: ANN401 - a ChannelProcess
    """Return the attributes of a channel, in the words of OpenTelemetry's messaging conventions."""
    socket = process.socket
    route = socket.route
    return {
        "messaging.system": "phxactor",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": str(socket.topic),
        "messaging.destination.template": str(socket.topic) if route is None else route.pattern,
        "messaging.message.conversation_id": conversation_of(socket.transport_pid),
        "phxactor.channel": type(process.channel).__qualname__,
        "phxactor.transport": socket.transport,
    }


def conversation_of(transport: Pid) -> str:
    """Return what names a connection in the spans of its messages."""
    return str(transport)


def connection_of(process: Any) -> list[SpanContext]:  # noqa: ANN401 - a ChannelProcess
    """Return the span context of the handshake of a channel's connection, if it was traced or its client has one."""
    found = (process.socket.transport_pid.dictionary or {}).get(CONNECTION)
    return [found] if isinstance(found, SpanContext) else []
