"""The spans that are open in a task: begun by one event, and ended by another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar, Token
from typing import Final, final

import attrs
from opentelemetry import context as contexts
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from phxactor.runtime import Exit, is_benign

ROOT: Final = Context()
"""The context of a span that has no parent."""
_UNSAMPLED: Final = set_span_in_context(NonRecordingSpan(SpanContext(1, 1, is_remote=False)), ROOT)
"""The context of what is not traced: an SDK's sampler does not record what has such a parent."""
quiet: Final[ContextVar[bool]] = ContextVar("phxactor.opentelemetry.quiet", default=False)
"""Whether this task handles messages that are not traced: what it asks others is not traced either."""


@final
@attrs.frozen(eq=False)
class Opened:
    """A span that is current in its task until it is closed."""

    what: str
    span: Span
    token: Token[Context]
    before: Opened | None


_opened: Final[ContextVar[Opened | None]] = ContextVar("phxactor.opentelemetry.opened", default=None)


def current() -> Context | None:
    """Return the context of the current span if it is recorded, whoever has begun it; else None."""
    here = contexts.get_current()
    return here if here and get_current_span(here).is_recording() else None


def be_quiet() -> None:
    """Have what this task begins from now on be no trace of its own, such as a span of a database driver."""
    quiet.set(True)
    contexts.attach(_UNSAMPLED)


@final
@attrs.frozen(eq=False)
class Spans:
    """Begins and ends spans of one tracer."""

    tracer: Tracer

    def open(
        self,
        what: str,
        name: str,
        parent: Context,
        *,
        kind: SpanKind,
        attributes: Mapping[str, AttributeValue],
        links: Sequence[SpanContext] = (),
    ) -> Opened:
        """Begin a span and make it the current one of this task."""
        span = self.tracer.start_span(
            name,
            context=parent,
            kind=kind,
            attributes=attributes,
            links=[Link(one) for one in links],
            record_exception=False,
            set_status_on_exception=False,
        )
        opened = Opened(what, span, contexts.attach(set_span_in_context(span, parent)), _opened.get())
        _opened.set(opened)
        return opened

    def close(self, what: str, *, failed: str = "", **attributes: AttributeValue) -> Span | None:
        """End the current span, if it is of this kind; `failed` is what the status says."""
        opened = _opened.get()
        if opened is None or opened.what != what:
            return None
        _opened.set(opened.before)
        for name, value in attributes.items():
            opened.span.set_attribute(name.replace("__", "."), value)
        if failed:
            opened.span.set_status(Status(StatusCode.ERROR, failed))
        opened.span.end()
        contexts.detach(opened.token)
        return opened.span

    @staticmethod
    def fail(opened: Opened, error: BaseException) -> None:
        """End the span of a process that ends. It stays current, so that the report of the end belongs to the trace."""
        if isinstance(error, Exception) and not isinstance(error, Exit):
            opened.span.record_exception(error)
            opened.span.set_status(Status(StatusCode.ERROR, type(error).__qualname__))
        elif isinstance(error, Exit) and not is_benign(error.reason):
            opened.span.set_status(Status(StatusCode.ERROR, "exit"))
        opened.span.end()
        _opened.set(opened.before)
