"""Hears events, for tests of spans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from phxactor.telemetry import EVENTS, Event


class Heard(list[tuple[str, dict[str, Any]]]):
    """The events that came, by the last words of their names."""

    def __call__(self, event: Event, fields: Mapping[str, Any]) -> None:
        self.append((event.name.removeprefix("phxactor."), dict(fields)))

    def names(self) -> list[str]:
        """List the names."""
        return [name for name, _ in self]

    def of(self, name: str) -> list[dict[str, Any]]:
        """List the fields of one event."""
        return [fields for found, fields in self if found == name]


@contextmanager
def listening(*names: str) -> Iterator[Heard]:
    """Listen to events for the length of the block."""
    heard = Heard()
    events = [EVENTS[f"phxactor.{name}"] for name in names]
    for event in events:
        event.attach(heard)
    try:
        yield heard
    finally:
        for event in events:
            event.detach(heard)
