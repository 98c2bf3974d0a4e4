"""Handlers by event, `@on` and `@intercept`, and payloads structured into the type that a handler annotates."""

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
    """Make a method the handler of a client's event: `async def handler(self, payload)`; returns a `HandleResult`.

    If the payload is annotated with a class (attrs, dataclass, TypedDict, ...), cattrs structures it, without coercion.
    A payload that does not fit is answered with the status error, and the answer says where it does not fit. The
    annotation `bytes` means a binary message. Raises TypeError if the event is no text, or the method is not async.
    """
    return _marker("on", event)


def intercept(event: str) -> Callable[[F], F]:
    """Make a method the handler of a broadcast event on the channel's topic, as Phoenix's `handle_out` does.

    The client does not get the broadcast; the method, `async def handler(self, payload)`, may push to the client.
    Raises TypeError if the event is no text, or the method is not async.
    """
    return _marker("intercept", event)


def _marker(kind: str, event: str) -> Callable[[F], F]:
    if not event or not isinstance(event, str):
        raise TypeError(f"@{kind} needs the name of an event, as in @{kind}('new_msg'); got {event!r}")

    def mark(method: F) -> F:
        if not inspect.iscoroutinefunction(cast("object", method)):
            raise TypeError(f"@{kind}({event!r}) must decorate an `async def`; got {method!r}")
        method.__dict__.setdefault(_MARK, []).append((kind, event))
        return method

    return mark


def collect(cls: type, kind: str) -> dict[str, Method]:
    """Return the handlers of one kind in a class and its bases, by event.

    Raises TypeError if a class has two handlers for an event, or if an annotation cannot be resolved or structured.
    """
    found: dict[str, Method] = {}
    for base in reversed(cls.__mro__):
        here: dict[str, str] = {}
        for name, method in vars(base).items():
            for marked, event in getattr(method, _MARK, ()):
                if marked != kind:
                    continue
                if event in here:
                    raise TypeError(f"{cls.__name__}: {here[event]} and {name} both handle {event!r}; only one may")
                here[event] = name
                _check_arguments(cls, name)
                found[event] = _structured(cls, name) if kind == "on" else getattr(cls, name)
    return found


def _check_arguments(cls: type, name: str) -> None:
    if len(inspect.signature(getattr(cls, name)).parameters) != 2:  # noqa: PLR2004 - self and payload
        raise TypeError(f"{cls.__name__}.{name} must have the parameters (self, payload)")


def _structured(cls: type, name: str) -> Method:
    """Return the method, wrapped so that its payload is structured if its annotation is a class for that."""
    method: Method = getattr(cls, name)
    parameters = list(inspect.signature(method).parameters.values())
    try:
        wanted = get_type_hints(method).get(parameters[1].name, object)
    except NameError as error:
        raise TypeError(
            f"{cls.__name__}.{name}: the annotation of {parameters[1].name} cannot be resolved: {error}"
        ) from None
    try:
        structure = structure_into(wanted)
    except cattrs.StructureHandlerNotFoundError as error:
        kind = getattr(error.type_, "__qualname__", error.type_)
        raise TypeError(
            f"{cls.__name__}.{name}: {parameters[1].name} cannot be structured: nothing says how a payload "
            f"becomes a {kind}; phxactor.channels.register_payload_hook does (docs/channels.md)"
        ) from None
    if structure is None:
        return method

    async def handler(channel: object, payload: object) -> HandleResult:
        return await method(channel, structure(payload))

    return handler
