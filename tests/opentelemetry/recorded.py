"""Records spans in memory, by the SDK's own exporter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from phxactor.opentelemetry import start_tracing, stop_tracing


class Recorded:
    """The spans that have ended."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def all(self) -> list[ReadableSpan]:
        """List them in the order of their ends."""
        return list(self.exporter.get_finished_spans())

    def names(self) -> list[str]:
        """List their names."""
        return [span.name for span in self.all()]

    def one(self, name: str, **attributes: str) -> ReadableSpan:
        """Return the only one with a name, and with these attributes."""
        wanted = {key.replace("__", "."): value for key, value in attributes.items()}
        (found,) = [
            span for span in self.all() if span.name == name and wanted.items() <= dict(span.attributes or {}).items()
        ]
        return found


def trace_of(span: ReadableSpan) -> int:
    """Return the id of a span's trace."""
    assert span.context is not None
    return int(span.context.trace_id)


def id_of(span: ReadableSpan) -> int:
    """Return the id of a span."""
    assert span.context is not None
    return int(span.context.span_id)


@contextmanager
def recording(sample: float = 1.0, client_rate: float = 100.0) -> Iterator[Recorded]:
    """Trace for the length of the block."""
    found = Recorded()
    start_tracing(sample=sample, client_rate=client_rate, tracer_provider=found.provider)
    try:
        yield found
    finally:
        stop_tracing()
        found.provider.shutdown()
