"""Declared messages: attrs classes that travel under a name.

@message("shop.add")
@attrs.frozen
class Add:
    item: str
    count: int = 1

The name and the fields travel, never the name of a class. So nodes of two versions of a program understand each other:
a field that this version does not know is dropped, and one that the sender did not know has its default.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import attrs

from phxactor.distribution._codec_errors import DecodeError
from phxactor.distribution._codec_types import Check, check_of

C = TypeVar("C", bound=type)

MAX_NAME: Final = 255
"""Characters of a declared name, at most."""


@attrs.frozen
class Field:
    """One field of a declared class that travels."""

    name: str
    argument: str
    """The name of its argument in `__init__`."""
    required: bool
    check: Check


class Declared:
    """A declared class: how its instances become fields and are made of fields."""

    __slots__ = ("_fields", "cls", "name")

    def __init__(self, name: str, cls: type) -> None:
        """Keep both; the annotations are read at the first use, as they may name classes that come later."""
        self.name = name
        self.cls = cls
        self._fields: tuple[Field, ...] | None = None

    def fields(self) -> tuple[Field, ...]:
        """Return the fields that travel: those that `__init__` takes.

        Raises TypeError for an annotation that names nothing, or that no data fits.
        """
        if self._fields is None:
            try:
                attrs.resolve_types(self.cls, include_extras=True)
            except NameError as error:
                raise TypeError(f"an annotation of {self.cls.__qualname__} names nothing: {error}") from None
            self._fields = tuple(
                Field(one.name, one.alias or one.name, one.default is attrs.NOTHING, check_of(one.type))
                for one in attrs.fields(self.cls)
                if one.init
            )
        return self._fields

    def take_apart(self, value: object, path: str = "") -> dict[str, object]:
        """Return the fields of an instance by name. Raises TypeError, with the path, where one has a wrong type."""
        taken: dict[str, object] = {}
        for one in self._fields or self.fields():
            field = getattr(value, one.name)
            one.check(field, f"{path}.{one.name}" if path else one.name)
            taken[one.name] = field
        return taken

    def make(self, given: dict[object, object]) -> object:
        """Make an instance. Raises DecodeError for a field that is missing, has a wrong type, or is refused."""
        arguments: dict[str, object] = {}
        for one in self.fields():
            if one.name in given:
                field = given[one.name]
                try:
                    one.check(field, one.name)
                except TypeError as error:
                    raise DecodeError(f"{self.name}: {error}") from None
                arguments[one.argument] = field
            elif one.required:
                raise DecodeError(f"{self.name}: the field {one.name} is missing, and has no default")
        try:
            return self.cls(**arguments)
        except Exception as error:
            raise DecodeError(f"{self.name}: {type(error).__name__} as it was made: {error!s:.200}") from error


by_name: Final[dict[str, Declared]] = {}
by_class: Final[dict[type, Declared]] = {}


def message(name: str) -> Callable[[C], C]:
    """Declare an attrs class as a message that travels between nodes under `name`, such as "shop.add".

    Each node of a cluster declares it. Its fields are data, of the types of their annotations; nothing is coerced.
    A field that is added later needs a default, as nodes of the older version do not send it.

    Raises:
        TypeError: the class is no attrs class; place `@message` above `@attrs.frozen`.
        ValueError: the name is taken, or is not 1 to 255 printable characters; or the class has a name already.

    """
    given: Any = name
    if not isinstance(given, str) or not 0 < len(given) <= MAX_NAME or not given.isprintable():
        raise ValueError(f"a message is declared under 1 to {MAX_NAME} printable characters, not {given!r:.100}")

    def declare(cls: C) -> C:
        if "__attrs_attrs__" not in getattr(cls, "__dict__", ()):
            raise TypeError(f"@message stands above @attrs.frozen, and {cls!r} is no attrs class")
        if (known := by_name.get(name)) is not None:
            raise ValueError(f"{name!r} is declared twice: by {known.cls!r} and by {cls!r}")
        if (known := by_class.get(cls)) is not None:
            raise ValueError(f"{cls!r} is declared twice: as {known.name!r} and as {name!r}")
        by_name[name] = by_class[cls] = Declared(name, cls)
        return cls

    return declare
