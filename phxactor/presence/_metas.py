"""What a program gives to track: keys, metas, and the `phx_ref` that each meta gets."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from inspect import signature
from secrets import token_bytes
from typing import Any, Final, final, get_type_hints

import attrs
from cattrs.preconf.orjson import make_converter
from orjson import dumps

from phxactor.presence._element import Meta

REF: Final = "phx_ref"
PREVIOUS: Final = "phx_ref_prev"

_PREFIX: Final = 9  # bytes, which are 12 characters; the number takes the other four
_NUMBERS: Final = 1 << 24

_converter: Final = make_converter()


@final
class Refs:
    """Makes the refs of one tracker: 16 characters that no other tracker, topic, life or node ever has (PR49, PR50).

    As in Phoenix, they are URL-safe base64 of 12 bytes: nine random ones, and a number of three.
    """

    __slots__ = ("_number", "_prefix")

    def __init__(self) -> None:
        self._number = _NUMBERS

    def __call__(self) -> str:
        """Make the next one."""
        if self._number == _NUMBERS:
            self._number = 0
            self._prefix = urlsafe_b64encode(token_bytes(_PREFIX)).decode()
        number = self._number
        self._number = number + 1
        return self._prefix + urlsafe_b64encode(number.to_bytes(3)).decode()


def key_of(given: object) -> str:
    """Return a key as text: it becomes text once, when it is tracked (PR6a). Raises TypeError for None and `bytes`."""
    if isinstance(given, str):
        return str(given)
    if given is None or isinstance(given, bytes):
        raise TypeError(f"a key is the text of who is present, such as a user's id, not {given!r:.200}")
    return str(given)


def meta_of(given: object) -> dict[str, Any]:
    """Return a new dict of a meta: of a mapping, or of an instance of an attrs class or dataclass.

    Its `phx_ref` and `phx_ref_prev` are left out (PR5). Raises TypeError for anything else (PR4).
    """
    if given is None:
        return {}
    if isinstance(given, Mapping):
        meta = dict(given)
    else:
        if isinstance(given, type) or not (attrs.has(type(given)) or is_dataclass(given)):
            raise TypeError(f"a meta is a dict, or an instance of an attrs class or dataclass, not {given!r:.200}")
        meta = dict(_converter.unstructure(given))
    meta.pop(REF, None)
    meta.pop(PREVIOUS, None)
    return meta


def updated(function: Callable[[Any], object], meta: Meta) -> object:
    """Call an update function with a copy of a meta, structured if its parameter is annotated with such a class.

    The class is an attrs class or a dataclass, such as the one that `track` was given; it does not see `phx_ref`.
    Raises what the function raises, and what cattrs raises for a meta that does not fit.
    """
    wanted = _annotated(function) if getattr(function, "__annotations__", None) else None
    return function(dict(meta) if wanted is None else _converter.structure(meta_of(meta), wanted))


def _annotated(function: Callable[[Any], object]) -> type | None:
    """Return the class of a function's parameter; None if it is annotated with anything else."""
    name = next(iter(signature(function).parameters), "")
    wanted = get_type_hints(function).get(name)
    return wanted if isinstance(wanted, type) and (attrs.has(wanted) or is_dataclass(wanted)) else None


def size_of(key: str, meta: Meta) -> int:
    """Return the bytes of a meta as JSON. Raises TypeError if JSON cannot hold the meta or the key."""
    try:
        dumps(key)
        return len(dumps(meta))
    except TypeError as error:
        raise TypeError(f"the meta of {key!r:.100} cannot be written as JSON: {error}") from None
