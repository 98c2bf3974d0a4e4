"""Addresses that mean the same on every node, such as the key of a sharded server: they travel by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs

from phxactor.distribution._codec_errors import DecodeError
from phxactor.runtime import Pid


@attrs.frozen
class AddressKind:
    """A class of addresses: its name in messages, and how an address becomes a name and a key, and is found."""

    what: str
    take_apart: Callable[[Any], tuple[str, str]]
    find: Callable[[str, str], Pid]
    """Returns the address on this node; raises where there is none."""


by_class: Final[dict[type, AddressKind]] = {}
_by_name: Final[dict[str, AddressKind]] = {}


def register_address(cls: type[Pid], kind: AddressKind) -> None:
    """Let the addresses of a class travel."""
    by_class[cls] = _by_name[kind.what] = kind


def found(what: str, name: str, key: str) -> Pid:
    """Find an address that has come. Raises DecodeError for what is none here."""
    kind = _by_name.get(what)
    if kind is None:
        raise DecodeError(f"no address is called {what!r:.100} here")
    return kind.find(name, key)
