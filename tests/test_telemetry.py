"""Events: one name each, and handlers that come and go."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from phxactor.runtime import Exit
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


class Odd:
    """A handler of which even the name raises."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self, event: Event, fields: Mapping[str, object]) -> None:
        raise self.error

    def __repr__(self) -> str:
        raise self.error

    def __eq__(self, other: object) -> bool:
        raise self.error

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("error", [LookupError(), SystemExit(), KeyboardInterrupt(), Exit("any"), GeneratorExit()])
def test_whatever_a_handler_raises_never_comes_out(error: BaseException, event: Event) -> None:
    """Nor what its `__repr__` raises, or a filter of the log to which that is told."""
    heard: list[object] = []

    def refuse(record: logging.LogRecord) -> bool:
        raise error

    event.handlers = (Odd(error), lambda _, fields: heard.append(fields["n"]))
    logger = logging.getLogger("phxactor.telemetry")
    logger.addFilter(refuse)
    try:
        event.emit(n=1)
    finally:
        logger.removeFilter(refuse)
    event.emit(n=2)
    assert heard == [1, 2]
    assert len(event.handlers) == 1


def test_a_module_that_is_executed_again_gets_its_event_back() -> None:
    source = (
        "from phxactor.telemetry import Event, log\n"
        "happened = Event('phxactor.tests.reloaded', {doc!r})\n"
        "log(happened, 10, lambda fields: 'it has')\n"
        "def hear(event, fields): heard.append({doc!r})\n"
        "happened.attach(hear)\n"
    )
    heard: list[str] = []
    names: dict[str, Any] = {"__name__": "tests.reloaded", "heard": heard}
    try:
        exec(source.format(doc="first"), names)  # noqa: S102 - as importlib.reload does
        first = names["happened"]

        def stays(_: Event, __: Mapping[str, object]) -> None:
            heard.append("stays")

        first.attach(stays)
        exec(source.format(doc="second"), names)  # noqa: S102
        assert names["happened"] is first
        assert first.doc == "second"
        assert len(first.handlers) == 3
        first.emit()
        assert heard == ["stays", "second"]
        with pytest.raises(ValueError, match="already an event"):
            exec(source.format(doc="other"), {"__name__": "tests.another", "heard": heard})  # noqa: S102
    finally:
        del EVENTS["phxactor.tests.reloaded"]


def test_no_module_declares_an_event_twice_in_one_execution() -> None:
    twice = "from phxactor.telemetry import Event\nfor _ in range(2): Event('phxactor.tests.twice', '')\n"
    try:
        with pytest.raises(ValueError, match="already an event"):
            exec(twice, {"__name__": "tests.twice"})  # noqa: S102
    finally:
        del EVENTS["phxactor.tests.twice"]


RELOAD: Final = """
import importlib, sys
import phxactor.client, phxactor.observer, phxactor.testing
from phxactor.telemetry import EVENTS
before = {name: (event, len(event.handlers)) for name, event in EVENTS.items()}
for name in sorted(name for name in sys.modules if name.startswith("phxactor.") and name.endswith("events")):
    importlib.reload(sys.modules[name])
assert {name: (event, len(event.handlers)) for name, event in EVENTS.items()} == before
"""


def test_our_own_events_can_be_reloaded() -> None:
    subprocess.run([sys.executable, "-c", RELOAD], check=True)


def test_who_measures_is_told_when_somebody_begins_to_listen_and_when_nobody_does_any_more(event: Event) -> None:
    told: list[bool] = []

    def look() -> None:
        told.append(bool(event.handlers))

    def fail(_: Event, __: Mapping[str, object]) -> None:
        raise ValueError

    def hear(_: Event, __: Mapping[str, object]) -> None:
        pass

    event.on_switch(look)
    assert told == []
    event.attach(hear)
    event.attach(fail)
    assert told == [True]
    event.detach(hear)
    event.emit()  # what raises is detached
    assert told == [True, False]
    event.attach(hear)
    late: list[bool] = []
    event.on_switch(lambda: late.append(True))
    assert (told, late) == ([True, False, True], [True])
