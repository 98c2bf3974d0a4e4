"""Traces by OpenTelemetry, with the extra `opentelemetry` (its API only). See README.md in this folder."""

from importlib.util import find_spec

if find_spec("opentelemetry") is None or find_spec("opentelemetry.trace") is None:
    raise ImportError("traces need OpenTelemetry's API: pip install 'phxactor[opentelemetry]'")

from phxactor.opentelemetry._tracing import start_tracing, stop_tracing

__all__ = ["start_tracing", "stop_tracing"]
