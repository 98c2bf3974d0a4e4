from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any, Final

import pytest
import trio
from trio.testing import MockClock

from tests.beam import signals, supervisors
from tests.beam.programs import program
from tests.oracle.commands import Commands
from tests.oracle.programs import Program, Source

pytestmark = pytest.mark.allow_leaks("programs that nobody wrote leave processes behind")

PROGRAMS: Final = [program(1, number) for number in range(600)]
TREES: Final = [source for source in PROGRAMS if source["kind"] == "supervisors"]


def commands() -> Iterator[list[Any]]:
    """All commands of the kind signals, those in others too."""
    waiting = [
        command
        for source in PROGRAMS
        if source["kind"] == "signals"
        for _, commands, _ in source["steps"]
        for command in commands
    ]
    while waiting:
        command = waiting.pop()
        yield command
        match command:
            case ["guard", inner]:
                waiting.append(inner)
            case ["spawn" | "spawn_link" | "spawn_monitor", _, body, *_]:
                waiting.extend(body)


def below(spec: Source, parent: str | None) -> Iterator[tuple[Source, str | None]]:
    """A specification and those below it, each with the id of its supervisor."""
    yield spec, parent
    for child in spec.get("children", ()):
        yield from below(child, spec["id"])


def specifications() -> Iterator[tuple[Source, str | None]]:
    """All of them."""
    for source in TREES:
        yield from below(source["tree"], None)
        for name, target, *rest in source["steps"]:
            if name == "start":
                yield from below(rest[0], target)


def test_a_seed_and_a_number_make_a_program() -> None:
    assert [program(1, number) for number in range(600)] == PROGRAMS
    assert program(2, 7) != program(1, 7)
    assert len({str(source) for source in PROGRAMS}) == len(PROGRAMS)


def test_every_command_of_the_interpreter_is_written() -> None:
    known = {*Commands({}).table, "spawn", "spawn_link", "spawn_monitor"}
    assert {command[0] for command in commands()} == set(signals.WEIGHTS) == known
    assert {step[0] for source in TREES for step in source["steps"]} == set(supervisors.WEIGHTS)


def test_every_option_of_signals_is_written() -> None:
    written: dict[str, set[str]] = {}
    for name, *arguments in commands():
        written.setdefault(name, set()).update(str(argument) for argument in arguments)
    assert {str(options) for options in signals.OPTIONS} <= written["demonitor"]
    reasons = {*signals.REASONS, "kill", *map(str, signals.TUPLES)}
    assert reasons <= written["exit"]
    assert reasons <= written["signal"]
    assert {"soon", "never", *signals.NAMES} <= written["send_after"]
    for name in ("register", "unregister", "whereis", "send_name", "monitor_name"):
        assert set(signals.NAMES) <= written[name]
    assert {"True", "False"} <= written["trap"]


def test_every_option_of_supervisors_is_written() -> None:
    written: dict[str, set[object]] = {}
    for spec, _ in specifications():
        for option, value in spec.items():
            written.setdefault(option, set()).update(value if option == "plan" else [str(value)])
    assert written["sup"] == {*supervisors.STRATEGIES, "dynamic"}
    assert written["max"] == set("012345")
    assert written["max_children"] == set("123")
    assert written["auto"] == {"any_significant", "all_significant"}
    assert written["restart"] == {"transient", "temporary"}
    assert written["plan"] == set(supervisors.STARTS)
    assert written["trap"] == {"True", "False"}
    assert {str(value) for value in supervisors.WORKER_SHUTDOWNS if value is not None} <= written["shutdown"]
    assert {"significant", "stubborn"} <= set(written)


def test_nobody_waits_for_ever() -> None:
    for spec, parent in specifications():
        unreachable = spec.get("trap") and "unlinked" in spec.get("plan", ())
        if spec.get("stubborn") or unreachable:
            assert spec["shutdown"] in (30, "brutal_kill")
        if spec.get("shutdown") in (0, 1):
            assert not spec.get("trap")
        if parent is not None and parent[0] == "d":
            assert spec.get("shutdown") != 0
            assert "sup" not in spec


def test_nobody_tells_a_stubborn_worker_to_shut_down_who_waits_for_ever() -> None:
    for source in TREES:
        stubborn = {spec["id"] for spec, _ in below(source["tree"], None) if spec.get("stubborn")}
        for step in source["steps"]:
            match step:
                case ["start", target, spec]:
                    stubborn |= {spec["id"] for spec, _ in below(spec, target) if spec.get("stubborn")}
                case ["exit" | "stop", target, "shutdown"]:
                    assert target not in stubborn
                case ["crash", _, ids, "shutdown"]:
                    assert not stubborn.intersection(ids)


@pytest.mark.parametrize("source", PROGRAMS[:30], ids=itemgetter("id"))
def test_the_programs_can_be_played(source: Source) -> None:
    seen = trio.run(Program(source["kind"], source["id"], source, []).play, clock=MockClock())
    assert len(seen) == len(source["steps"])
