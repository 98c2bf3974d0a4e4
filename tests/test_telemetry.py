"""Events: one name each, and handlers that come and go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from phxactor.telemetry import EVENTS, Event

NAME = "phxactor.tests.happened"


@pytest.fixture
def event() -> Iterator[Event]:
    yield Event(NAME, "for these tests")
    del EVENTS[NAME]


def test_an_event_is_known_by_its_name(event: Event) -> None:
    assert EVENTS[NAME] is event
    assert repr(event) == f"<Event {NAME}>"


def test_two_events_cannot_have_one_name(event: Event) -> None:
    with pytest.raises(ValueError, match=f"there is already an event named '{NAME}'"):
        Event(NAME, "another")
    assert EVENTS[NAME] is event


def test_a_handler_is_called_once_however_often_it_was_attached(event: Event) -> None:
    heard: list[object] = []

    def hear(_: Event, fields: Mapping[str, object]) -> None:
        heard.append(fields["n"])

    event.attach(hear)
    event.attach(hear)
    event.emit(n=1)
    event.detach(hear)
    event.detach(hear)
    event.emit(n=2)
    assert heard == [1]


def test_a_handler_that_goes_while_it_is_told_keeps_nobody_from_hearing(event: Event) -> None:
    heard: list[str] = []

    def once(_: Event, __: Mapping[str, object]) -> None:
        heard.append("once")
        event.detach(once)

    def always(_: Event, __: Mapping[str, object]) -> None:
        heard.append("always")

    event.attach(once)
    event.attach(always)
    event.emit()
    event.emit()
    assert heard == ["once", "always", "always"]
