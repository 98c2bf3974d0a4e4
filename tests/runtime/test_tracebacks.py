"""What stays of the traceback of an exception that has ended a process: its lines, and nothing of its frames."""

from __future__ import annotations

import gc
import logging
import sys
import traceback
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest

from phxactor.runtime import Crash, Exit, Shutdown, events, forget_frames, open_runtime, spawn, without_our_frame
from phxactor.telemetry import Event
from phxactor.testing import settle


class Payload:
    """Something that a frame holds."""


kept: list[weakref.ref[Payload]] = []


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    kept.clear()
    logging.disable()
    gc.disable()
    yield
    gc.enable()
    logging.disable(logging.NOTSET)


def alive() -> int:
    """Count the payloads that are still there."""
    return sum(one() is not None for one in kept)


def fails(error: BaseException) -> NoReturn:
    payload = Payload()
    kept.append(weakref.ref(payload))
    raise error


def fails_deeply(depth: int) -> NoReturn:
    payload = Payload()
    kept.append(weakref.ref(payload))
    if depth:
        fails_deeply(depth - 1)
    fails(ValueError("deep"))


def fails_twice(*, by: bool) -> NoReturn:
    try:
        fails(ValueError("first"))
    except ValueError as error:
        second = KeyError("second")
        if by:
            second.__cause__ = error
        fails(second)


def fails_in_a_group() -> NoReturn:
    errors: list[Exception] = []
    for error in (ValueError("one"), KeyError("two")):
        try:
            fails(error)
        except (ValueError, KeyError) as caught:
            errors.append(caught)
    try:
        raise ExceptionGroup("both", errors)
    finally:
        del errors, error


def fails_by_attribute() -> NoReturn:
    payload = Payload()
    kept.append(weakref.ref(payload))
    payload.missing  # type: ignore[attr-defined]  # noqa: B018 - it is what fails
    raise AssertionError


WAYS: dict[str, Callable[[], object]] = {
    "plain": lambda: fails(ValueError("x")),
    "deep": lambda: fails_deeply(20),
    "with a context": lambda: fails_twice(by=False),
    "with a cause": lambda: fails_twice(by=True),
    "in a group": fails_in_a_group,
    "by an attribute": fails_by_attribute,
    "by an exit": lambda: fails(Exit("boom")),
}


def caught(way: Callable[[], object]) -> BaseException:
    try:
        way()
    except BaseException as error:  # noqa: BLE001 - it is the subject
        return without_our_frame(error)
    raise AssertionError


def text(error: BaseException) -> list[str]:
    """Write a traceback, without the marks within its lines."""
    lines = "".join(traceback.format_exception(error)).splitlines()
    return [line for line in lines if line.strip(" |") == "" or set(line) - set(" |~^")]


@pytest.mark.parametrize("way", WAYS)
def test_its_lines_stay_and_its_frames_go(way: str) -> None:
    error = caught(WAYS[way])
    before = text(error)
    assert alive() == len(kept) > 0
    forget_frames(Crash(error))
    assert alive() == 0
    assert text(error) == before


@pytest.mark.parametrize(
    "reason",
    [
        Crash,
        lambda error: error,
        lambda error: (Crash(error), "called"),
        lambda error: ("a", ("b", Shutdown(("failed", Crash(error))))),
        lambda error: Exit((Crash(error), None)),
    ],
)
def test_it_is_found_wherever_it_stands_in_a_reason(reason: Callable[[BaseException], object]) -> None:
    error = caught(WAYS["plain"])
    forget_frames(reason(error))
    assert alive() == 0


class Resists(ValueError):
    """Has its own idea of what an exception is."""

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("__"):
            raise RuntimeError(name)
        return super().__getattribute__(name)


@pytest.mark.parametrize(
    "reason",
    [lambda: "boom", lambda: None, object, lambda: [ValueError()], Resists, lambda: ExceptionGroup("x", [Resists()])],
)
def test_a_reason_is_anything(reason: Callable[[], object]) -> None:
    forget_frames(reason())


def test_a_circle_of_causes_ends() -> None:
    error = caught(WAYS["plain"])
    error.__cause__ = second = caught(WAYS["plain"])
    second.__cause__ = error
    forget_frames(error)
    assert alive() == 0


def test_what_goes_on_with_the_same_exception_is_not_disturbed() -> None:
    error = caught(WAYS["plain"])

    def waits() -> Iterator[str]:
        text = "there"
        try:
            raise error
        except ValueError:
            yield "waits"
        yield text

    waiting = waits()
    assert next(waiting) == "waits"
    forget_frames(error)
    assert next(waiting) == "there"


def test_it_is_printed_by_the_interpreter_too(capsys: pytest.CaptureFixture[str]) -> None:
    error = caught(WAYS["deep"])
    forget_frames(error)
    sys.__excepthook__(type(error), error, error.__traceback__)
    printed = capsys.readouterr().err.splitlines()
    assert printed == "".join(traceback.format_exception(error)).splitlines()


async def test_handlers_of_events_see_the_frames() -> None:
    seen: list[object] = []

    def hear(_: Event, fields: Any) -> None:  # noqa: ANN401
        trace = fields["exception"].__traceback__
        while trace.tb_next is not None:
            trace = trace.tb_next
        seen.append(type(trace.tb_frame.f_locals["payload"]))

    async def crashes() -> None:
        fails(ValueError("x"))

    events.crashed.attach(hear)
    try:
        async with open_runtime():
            pid = spawn(crashes)
            await settle()
    finally:
        events.crashed.detach(hear)
    assert seen == [Payload]
    assert alive() == 0
    assert isinstance(pid.exit_reason, Crash)
    assert text(pid.exit_reason.exception)[-1] == "ValueError: x"
