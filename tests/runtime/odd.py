"""Values whose own code raises, whatever is done to them: they may come to anybody as messages, reasons, requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from phxactor.runtime import Exit


class Oddity(LookupError):
    """What they raise."""


def _raising(error: type[BaseException]) -> Callable[..., Any]:
    def method(*_: object, **__: object) -> Any:  # noqa: ANN401
        raise error("it is odd")

    return method


def _odd(name: str, error: type[BaseException] = Oddity, *names: str) -> type:
    """Make a class whose methods or properties of these names raise."""
    special = {"__class__", "ref", "event", "request", "reason", "pid"}
    members: dict[str, Any] = {
        one: property(_raising(error)) if one in special else _raising(error) for one in names or (name,)
    }
    if "__eq__" in members and "__hash__" not in members:
        members["__hash__"] = object.__hash__
    return type(f"Odd_{name.strip('_')}", (), members)


ALL: Final = (
    *("__class__", "__getattr__", "__eq__", "__ne__", "__hash__", "__repr__", "__str__", "__bool__", "__len__"),
    *("__iter__", "__format__", "__lt__", "__reduce_ex__", "ref", "event", "request", "reason", "pid"),
)
ODD: Final[list[type]] = [
    *(_odd(name) for name in ALL),
    _odd("__getattribute__"),
    _odd("everything", Oddity, *ALL),
    _odd("exits", Exit, *ALL),
    _odd("interrupts", KeyboardInterrupt, *ALL),
    type("OddText", (str,), {name: _raising(Oddity) for name in ("__eq__", "__hash__", "__repr__", "__str__")}),
]
"""Classes to make one of."""


def named(kind: type) -> str:
    """Name a class, as the id of a test."""
    return kind.__name__
