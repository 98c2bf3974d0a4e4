"""Reads what Prometheus would: with prometheus-client's own parsers."""

from __future__ import annotations

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.samples import Sample


def samples(text: str) -> list[Sample]:
    """Return all samples of the older form."""
    families = parser.text_string_to_metric_families(text)
    return [sample for family in families for sample in family.samples]


def samples_of_openmetrics(text: str) -> list[Sample]:
    """Return all samples of OpenMetrics; its parser is strict."""
    families = openmetrics.text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    return [sample for family in families for sample in family.samples]


def value(found: list[Sample], name: str, **labels: str) -> float:
    """Return the sum of the samples that have this name and these labels."""
    chosen = [one for one in found if one.name == name and labels.items() <= one.labels.items()]
    assert chosen, (name, labels, sorted({one.name for one in found}))
    return sum(one.value for one in chosen)
