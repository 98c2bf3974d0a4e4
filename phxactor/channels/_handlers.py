"""Handlers named by event: `@on` and `@intercept`, and payloads structured into the handler's annotation."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar, cast, get_type_hints

import cattrs

from phxactor.channels._payloads import structure_into
from phxactor.channels._results import HandleResult

Method: TypeAlias = Callable[..., Awaitable[HandleResult]]
F = TypeVar("F", bound=Method)

_MARK = "_phxactor_events"


def on(event: str) -> Callable[[F], F]:
    """Have a method take a client's event: `async def handler(self, payload)`.

    Where the payload is annotated with a class (attrs, dataclass, TypedDict, ...), it is structured by cattrs, without
    coercion; one that does not fit is answered with status error, and says where. `bytes` is a binary message. The
    method returns a `HandleResult`.
    """
    return _marker("on", event)


def intercept(event: str) -> Callable[[F], F]:
    """Have a method take a broadcast of an event on the channel's topic instead of the client: Phoenix's `handle_out`.

    `async def handler(self, payload)`: it pushes to the client itself, or does not.
    """
    return _marker("intercept", event)


def _marker(kind: str, event: str) -> Callable[[F], F]:
    if not event or not isinstance(event, str):
        raise TypeError(f"@{kind} takes the name of an event, as in @{kind}('new_msg'), not {event!r}")

    def mark(method: F) -> F:
        if not inspect.iscoroutinefunction(cast("object", method)):
            raise TypeError(f"@{kind}({event!r}) goes before an `async def`, not {method!r}")
        method.__dict__.setdefault(_MARK, []).append((kind, event))
        return method

    return mark


def collect(cls: type, kind: str) -> dict[str, Method]:
    """Find the handlers of one kind of a class and its bases, by event.

    Raises TypeError when two methods of one class take one event, or an annotation cannot be read or structured.
    """
    found: dict[str, Method] = {}
    for base in reversed(cls.__mro__):
        here: dict[str, str] = {}
        for name, method in vars(base).items():
            for marked, event in getattr(method, _MARK, ()):
                if marked != kind:
                    continue
                if event in here:
                    raise TypeError(f"{cls.__name__}: {here[event]} and {name} both take {event!r}")
                here[event] = name
                _check_arguments(cls, name)
                found[event] = _structured(cls, name) if kind == "on" else getattr(cls, name)
    return found


def _check_arguments(cls: type, name: str) -> None:
    if len(inspect.signature(getattr(cls, name)).parameters) != 2:  # noqa: PLR2004 - self and payload
        raise TypeError(f"{cls.__name__}.{name} takes (self, payload)")


def _structured(cls: type, name: str) -> Method:
    """Wrap a method so that its payload is structured, if its annotation asks for that."""
    method: Method = getattr(cls, name)
    parameters = list(inspect.signature(method).parameters.values())
    try:
        wanted = get_type_hints(method).get(parameters[1].name, object)
    except NameError as error:
        raise TypeError(
            f"{cls.__name__}.{name}: the annotation of {parameters[1].name} cannot be read: {error}"
        ) from None
    try:
        structure = structure_into(wanted)
    except cattrs.StructureHandlerNotFoundError as error:
        raise TypeError(f"{cls.__name__}.{name}: {parameters[1].name} cannot be structured: {error}") from None
    if structure is None:
        return method

    async def handler(channel: object, payload: object) -> HandleResult:
        return await method(channel, structure(payload))

    return handler
