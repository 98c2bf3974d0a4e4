"""Structures payloads into the type of a handler's annotation, by cattrs. It coerces nothing; errors say where."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from typing import Any, Final, TypeAlias, is_typeddict

import attrs
import cattrs
from cattrs.preconf.orjson import make_converter
from cattrs.v import format_exception

from phxactor.socket import json_type

Structure: TypeAlias = Callable[[object], object]
"""Turns a payload into the value that a handler takes; raises PayloadError."""

RAW: Final = (object, Any, dict, Mapping, inspect.Parameter.empty)
"""Annotations that a payload is not structured into."""
LONGEST: Final = 200
"""Characters of a validator's message that the client gets, at most."""


class PayloadError(ValueError):
    """A client's payload does not fit the handler's annotation; `errors` says where, one line each."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


def structure_into(wanted: Any) -> Structure | None:  # noqa: ANN401 - any annotation
    """Return the function that structures a payload into a type; None if any payload fits.

    Raises cattrs.StructureHandlerNotFoundError for an annotation that nothing can be structured into.
    """
    if wanted in RAW or getattr(wanted, "__origin__", None) in RAW:
        return None
    hook = _binary if wanted is bytes else _converter.get_structure_hook(wanted)
    from_object = attrs.has(wanted) or is_dataclass(wanted) or is_typeddict(wanted)

    def structure(payload: object) -> object:
        if from_object and not isinstance(payload, dict):
            raise PayloadError([f"expected an object, not {json_type(payload)} @ payload"])
        try:
            return hook(payload, wanted)
        except PayloadError:  # a hook of the program's own has said where
            raise
        except Exception as error:  # noqa: BLE001 - hooks raise what they like, and it is told to the client
            raise PayloadError(cattrs.transform_error(error, "payload", _explain)) from None

    return structure


def _explain(error: BaseException, wanted: type | None) -> str:
    """Say what is wrong with one value; a message of a hook or a validator is used as it is."""
    if isinstance(error, TypeError | ValueError) and error.args and isinstance(error.args[0], str):
        return error.args[0][:LONGEST]
    return format_exception(error, wanted)


def _binary(payload: object, _: object) -> bytes:
    """Take the payload of a binary message as it is; cattrs would decode text, since JSON has no bytes."""
    if not isinstance(payload, bytes):
        raise TypeError(f"expected a binary message, not {json_type(payload)}")
    return payload


def _string(payload: object, _: object) -> str:
    if not isinstance(payload, str):
        raise TypeError(f"expected a string, not {json_type(payload)}")
    return payload


def _boolean(payload: object, _: object) -> bool:
    if not isinstance(payload, bool):
        raise TypeError(f"expected a boolean, not {json_type(payload)}")
    return payload


def _integer(payload: object, _: object) -> int:
    if isinstance(payload, bool) or not isinstance(payload, int):
        raise TypeError(f"expected a whole number, not {json_type(payload)}")
    return payload


def _number(payload: object, _: object) -> float:
    if isinstance(payload, bool) or not isinstance(payload, int | float):
        raise TypeError(f"expected a number, not {json_type(payload)}")
    return float(payload)


def register_payload_hook(cls: type, hook: Callable[[Any, Any], object]) -> None:
    """Say how payloads become instances of a class and its subclasses, where a handler's annotation names one.

    `hook(payload, wanted)` gets the payload, as JSON has it, and the class of the annotation; it returns what the
    handler gets. The client is answered with the text of its TypeError or ValueError, or with the lines of its
    PayloadError. Call it ahead of the channels that have such annotations: they find their hooks when their class is
    made.

    Raises:
        TypeError: `cls` is no class, or `hook` cannot be called.

    """
    given: object = cls
    if not (isinstance(given, type) and callable(hook)):
        raise TypeError(f"a payload hook is a class and a function of a payload and a class; got {cls!r}, {hook!r}")
    _converter.register_structure_hook(cls, hook)


_converter: Final = make_converter()
_converter.register_structure_hook(str, _string)
_converter.register_structure_hook(bool, _boolean)
_converter.register_structure_hook(int, _integer)
_converter.register_structure_hook(float, _number)
