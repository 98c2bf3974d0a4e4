"""As much of PromQL as the dashboard uses: which metrics a query names, and which of their labels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from phxactor.metrics import dashboard

_SELECTOR: Final = re.compile(r"\b([a-z_]+)\{([^}]*)\}")
_LABEL: Final = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_BY: Final = re.compile(r"\bby \(([^)]*)\)")
_OF_PROMETHEUS: Final = frozenset({"job", "instance", "worker"})
"""Labels that the scraper gives, and that of workers."""


def queries() -> Iterator[str]:
    """Return all queries of the dashboard, as Grafana sends them."""
    for panel in json.loads(dashboard())["panels"]:
        for target in panel.get("targets", ()):
            query = target["expr"].replace("$__rate_interval", "1m")
            yield query.replace("$job", ".*").replace("$instance", ".*")


def named(query: str) -> tuple[set[str], set[str]]:
    """Return the names of the metrics in a query, and of the labels that it needs of them."""
    names, labels = set(), set()
    for name, selector in _SELECTOR.findall(query):
        names.add(name)
        labels.update(_LABEL.findall(re.sub(r'"[^"]*"', '""', selector)))
    for group in _BY.findall(query):
        labels.update(label.strip() for label in group.split(","))
    return names, labels - _OF_PROMETHEUS
