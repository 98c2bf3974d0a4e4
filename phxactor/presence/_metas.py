"""What a program gives to track: keys, metas, and the `phx_ref` that each meta gets."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from secrets import token_bytes
from typing import Any, Final, final

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
        if isinstance(given, type) or not (attrs.has(type(given)) or hasattr(given, "__dataclass_fields__")):
            raise TypeError(f"a meta is a dict, or an instance of an attrs class or dataclass, not {given!r:.200}")
        meta = dict(_converter.unstructure(given))
    meta.pop(REF, None)
    meta.pop(PREVIOUS, None)
    return meta


def size_of(key: str, meta: Meta) -> int:
    """Return the bytes of a meta as JSON. Raises TypeError if JSON cannot hold the meta or the key."""
    try:
        dumps(key)
        return len(dumps(meta))
    except TypeError as error:
        raise TypeError(f"the meta of {key!r:.100} cannot be written as JSON: {error}") from None
