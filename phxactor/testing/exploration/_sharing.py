"""Python objects that several processes can reach: their steps may depend on one another, and nothing records it.

It looks where a process begins: into the cells, arguments, attributes and named globals of its function, and from there
into containers, instances and nested functions. It does not see attributes of modules and classes (EX32 to EX34).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import FunctionType, MethodType
from typing import Any, Final, TypeAlias
from unittest.mock import patch

from phxactor.runtime import Pid, Runtime
from phxactor.testing.exploration._accesses import Thing

Body: TypeAlias = Callable[..., Any]

DEPTH: Final = 6
"""How many objects deep it looks."""
_CONTAINERS: Final = (list, dict, set, bytearray)
_ROOMS: Final = ("phxactor.", "trio.", "builtins.", "hypothesis.", "contextvars.")
"""Instances of classes from here are left out: the runtime's own objects are in the dependency table."""


class Sharing:
    """The objects that the processes of one play can reach."""

    def __init__(self) -> None:
        """Start with none."""
        self._found: dict[int, tuple[object, str, set[str]]] = {}
        """By address: the object, its name, and the functions of the processes that reach it."""

    def names(self) -> tuple[str, ...]:
        """Name the objects that more than one process can reach."""
        return tuple(sorted({name for _, name, users in self._found.values() if len(users) > 1}))

    def things(self, _: str) -> Sequence[Thing]:
        """Return what each process touches in every step, if shared objects count as dependencies."""
        return [("memory", "shared")] if self.names() else []

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look at each process that begins while the block lasts."""
        start = Runtime.start

        def started(  # noqa: PLR0917 - as the method has it
            runtime: Runtime,
            parent: Pid,
            body: Body,
            args: tuple[object, ...],
            link: bool = False,  # noqa: FBT001, FBT002 - as the method has it
            initial_call: str | None = None,
        ) -> Pid:
            pid = start(runtime, parent, body, args, link, initial_call)
            walk = _Walk(self._found, {str(pid.number)})
            walk.look(body, getattr(body, "__qualname__", "a process"))
            walk.users.add(str(parent.number))
            for arg in args:
                walk.look(arg, "an argument")
            return pid

        with patch.object(Runtime, "start", started):
            yield


class _Walk:
    """One look at what a process can reach."""

    def __init__(self, found: dict[int, tuple[object, str, set[str]]], users: set[str]) -> None:
        self.users = users
        self._found = found
        self._seen: set[int] = set()

    def look(self, thing: object, name: str, depth: int = 0) -> None:
        """Note an object, and look into it."""
        if id(thing) in self._seen or depth > DEPTH:
            return
        self._seen.add(id(thing))
        if isinstance(thing, partial):
            for part in (thing.func, *thing.args, *thing.keywords.values()):
                self.look(part, name, depth + 1)
            return
        if isinstance(thing, MethodType):
            self.look(thing.__self__, type(thing.__self__).__name__, depth + 1)
            thing = thing.__func__
        if isinstance(thing, FunctionType):
            self._look_into(thing, depth)
        elif isinstance(thing, _CONTAINERS) or _is_instance(thing):
            self._found.setdefault(id(thing), (thing, name, set()))[2].update(self.users)
        for part, called in _parts(thing):
            self.look(part, called or name, depth + 1)

    def _look_into(self, function: FunctionType, depth: int) -> None:
        code = function.__code__
        users = self.users
        self.users = users | {"maker"}  # the function that made the cells runs too
        for cell, name in zip(function.__closure__ or (), code.co_freevars, strict=True):
            try:
                inside = cell.cell_contents
            except ValueError:  # not set yet
                continue
            self.look(inside, f"`{name}`", depth + 1)
        self.users = users
        for name in code.co_names:
            if name in function.__globals__ and isinstance(function.__globals__[name], _CONTAINERS):
                self.look(function.__globals__[name], f"`{name}`", depth + 1)


def _parts(thing: object) -> Iterator[tuple[object, str]]:
    if isinstance(thing, dict):
        for value in list(thing.values()):
            yield value, ""
    elif isinstance(thing, list | tuple | set | frozenset):
        for value in list(thing):
            yield value, ""
    elif _is_instance(thing):
        for name, value in list(getattr(thing, "__dict__", {}).items()):
            yield value, f"`{name}`"


def _is_instance(thing: object) -> bool:
    kind = type(thing)
    return not isinstance(thing, type) and hasattr(thing, "__dict__") and not f"{kind.__module__}.".startswith(_ROOMS)
