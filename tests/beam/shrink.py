"""Make a program short that shows something, by leaving out whatever it shows it without."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

from tests.oracle.programs import Source

T = TypeVar("T")

OPTIONS: Final = ("restart", "significant", "stubborn", "trap", "plan", "max_children", "auto")
"""What a specification can do without. A `shutdown` stays: without it, some could not be waited for."""


def shrink(source: Source, shows: Callable[[Sequence[Source]], list[bool]]) -> Source:
    """Leave out one thing after the other, large ones first; `shows` tells of many programs at once."""
    while True:
        shorter = list(candidates(source))
        found = [program for program, shown in zip(shorter, shows(shorter), strict=True) if shown]
        if not found:
            return source
        source = found[0]


def candidates(source: Source) -> Iterator[Source]:
    """Make all programs that are a little shorter, those that lack most first."""
    for steps in without(source["steps"]):
        yield {**source, "steps": steps}
    inner = signals if source["kind"] == "signals" else supervisors
    yield from inner(source)


def without(items: Sequence[T]) -> Iterator[list[T]]:
    """Leave out half of them, a quarter, down to a single one."""
    size = len(items)
    while size > 0:
        for start in range(0, len(items), size):
            yield [*items[:start], *items[start + size :]]
        size //= 2


def replaced(items: Sequence[T], index: int, item: T) -> list[T]:
    """Copy, with another item in one place."""
    return [*items[:index], item, *items[index + 1 :]]


# ------------------------------------------------------------------------------------------------------- signals


def signals(source: Source) -> Iterator[Source]:
    """Leave out commands, bodies, collections and actors."""
    steps = source["steps"]
    for index, (by, commands, collect) in enumerate(steps):
        for fewer in fewer_commands(commands):
            if fewer:
                yield {**source, "steps": replaced(steps, index, [by, fewer, collect])}
        if collect:
            yield {**source, "steps": replaced(steps, index, [by, commands, False])}
    if source["actors"] > 1:
        yield {**source, "actors": source["actors"] - 1}


def fewer_commands(commands: Sequence[list[Any]]) -> Iterator[list[list[Any]]]:
    """Leave out commands, and what is in them."""
    yield from without(commands)
    for index, command in enumerate(commands):
        match command:
            case ["guard", inner]:
                yield replaced(commands, index, inner)
            case [_, int(), list(body), *_] if command[0].startswith("spawn"):
                for fewer in fewer_commands(body):
                    yield replaced(commands, index, [*command[:2], fewer, *command[3:]])


# --------------------------------------------------------------------------------------------------- supervisors


def supervisors(source: Source) -> Iterator[Source]:
    """Leave out children, options and crashes."""
    for tree in simpler(source["tree"]):
        yield {**source, "tree": tree}
    steps = source["steps"]
    for index, step in enumerate(steps):
        match step:
            case ["start", target, spec]:
                for other in simpler(spec):
                    yield {**source, "steps": replaced(steps, index, ["start", target, other])}
            case ["crash", target, ids, reason]:
                for fewer in without(ids):
                    yield {**source, "steps": replaced(steps, index, ["crash", target, fewer, reason])}


def simpler(spec: Source) -> Iterator[Source]:
    """Leave out children and options of a specification."""
    children = spec.get("children", [])
    for fewer in without(children):
        yield {**spec, "children": fewer}
    for index, child in enumerate(children):
        for other in simpler(child):
            yield {**spec, "children": replaced(children, index, other)}
    for option in OPTIONS:
        if option in spec:
            yield {key: value for key, value in spec.items() if key != option}
    for plan in without(spec.get("plan", [])):
        if plan:
            yield {**spec, "plan": plan}
