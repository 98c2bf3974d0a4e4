"""Decodes terms from untrusted bytes. Depth and memory are bounded, and the result holds only plain values."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Final

from phxactor.token.external_term import _tags as tags
from phxactor.token.external_term._terms import CONSTANTS, MAX_DEPTH, MAX_SIZE, Atom, Term, TermError


def decode(data: bytes) -> Term:
    """Decode one term: of OTP R16 or later, not compressed, and with nothing after it.

    Raises TermError for everything else, and for a term deeper than `MAX_DEPTH` or larger than `MAX_SIZE`.
    """
    if len(data) > MAX_SIZE:
        raise TermError(f"the term is larger than {MAX_SIZE} bytes")
    if data[:1] != bytes((tags.VERSION,)):
        raise TermError(f"an external term begins with the byte {tags.VERSION}")
    reader = _Reader(data)
    term = reader.term(0)
    if reader.remaining:
        raise TermError(f"{reader.remaining} bytes stand after the term")
    return term


class _Reader:
    """Decodes one term after another. Checks each announced length against the bytes left before it allocates."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 1

    @property
    def remaining(self) -> int:
        return len(self._data) - self._at

    def term(self, depth: int) -> Term:
        if depth > MAX_DEPTH:
            raise TermError(f"terms lie deeper than {MAX_DEPTH} in each other, at byte {self._at}")
        tag = self._unsigned(1)
        read = _READ.get(tag)
        if read is None:
            what = tags.REFUSED.get(tag, f"the unknown tag {tag}")
            raise TermError(f"{what} is not read, at byte {self._at - 1}")
        return read(self, depth)

    def _take(self, size: int) -> bytes:
        if size > self.remaining:
            raise TermError(f"{size} bytes are announced, {self.remaining} are there, at byte {self._at}")
        start = self._at
        self._at += size
        return self._data[start : self._at]

    def _unsigned(self, width: int) -> int:
        return int.from_bytes(self._take(width), "big")

    def _count(self, width: int, least: int) -> int:
        """Read the number of items that follow; each item takes at least `least` bytes."""
        count = self._unsigned(width)
        if count * least > self.remaining:
            raise TermError(f"{count} items are announced in {self.remaining} bytes, at byte {self._at}")
        return count

    def small_integer(self, _depth: int) -> int:
        return self._unsigned(1)

    def integer(self, _depth: int) -> int:
        return int.from_bytes(self._take(4), "big", signed=True)

    def small_big(self, _depth: int) -> int:
        return self._big(1)

    def large_big(self, _depth: int) -> int:
        return self._big(4)

    def _big(self, width: int) -> int:
        size = self._unsigned(width)
        sign = self._unsigned(1)
        if sign > 1:
            raise TermError(f"the sign of an integer is 0 or 1, not {sign}, at byte {self._at - 1}")
        magnitude = int.from_bytes(self._take(size), "little")
        return -magnitude if sign else magnitude

    def new_float(self, _depth: int) -> float:
        number: float = struct.unpack(">d", self._take(8))[0]
        if not math.isfinite(number):
            raise TermError(f"Erlang has no float {number}, at byte {self._at - 8}")
        return number

    def binary(self, _depth: int) -> str | bytes:
        content = self._take(self._unsigned(4))
        try:
            return content.decode()
        except UnicodeDecodeError:
            return content

    def atom(self, _depth: int) -> Atom | bool | None:
        return self._atom(2, "latin-1")

    def small_atom(self, _depth: int) -> Atom | bool | None:
        return self._atom(1, "latin-1")

    def atom_utf8(self, _depth: int) -> Atom | bool | None:
        return self._atom(2, "utf-8")

    def small_atom_utf8(self, _depth: int) -> Atom | bool | None:
        return self._atom(1, "utf-8")

    def _atom(self, width: int, encoding: str) -> Atom | bool | None:
        start = self._at
        content = self._take(self._unsigned(width))
        try:
            name = content.decode(encoding)
            return CONSTANTS[name] if name in CONSTANTS else Atom(name)
        except ValueError:
            raise TermError(f"the name of an atom is too long or not UTF-8, at byte {start}") from None

    def small_tuple(self, depth: int) -> tuple[Term, ...]:
        return tuple(self._items(self._count(1, 1), depth))

    def large_tuple(self, depth: int) -> tuple[Term, ...]:
        return tuple(self._items(self._count(4, 1), depth))

    def nil(self, _depth: int) -> list[Term]:
        return []

    def string(self, _depth: int) -> list[Term]:
        return list(self._take(self._unsigned(2)))

    def proper_list(self, depth: int) -> list[Term]:
        items = self._items(self._count(4, 1), depth)
        if self._unsigned(1) != tags.NIL:
            raise TermError(f"a list does not end with an empty list, at byte {self._at - 1}")
        return items

    def _items(self, count: int, depth: int) -> list[Term]:
        items = []
        for _ in range(count):
            items.append(self.term(depth + 1))  # noqa: PERF401 - a comprehension would be one more frame for each level in Python 3.11
        return items

    def map(self, depth: int) -> dict[Term, Term]:
        items: dict[Term, Term] = {}
        for _ in range(self._count(4, 2)):
            start = self._at
            key = self.term(depth + 1)
            try:
                known = key in items
            except TypeError:
                raise TermError(f"a list or a map is in a key, at byte {start}: Python cannot hash it") from None
            if known:
                raise TermError(f"a key is equal, in Python, to one before it, at byte {start}")
            items[key] = self.term(depth + 1)
        return items


_READ: Final[dict[int, Callable[[_Reader, int], Term]]] = {
    tags.NEW_FLOAT: _Reader.new_float,
    tags.SMALL_INTEGER: _Reader.small_integer,
    tags.INTEGER: _Reader.integer,
    tags.ATOM: _Reader.atom,
    tags.SMALL_TUPLE: _Reader.small_tuple,
    tags.LARGE_TUPLE: _Reader.large_tuple,
    tags.NIL: _Reader.nil,
    tags.STRING: _Reader.string,
    tags.LIST: _Reader.proper_list,
    tags.BINARY: _Reader.binary,
    tags.SMALL_BIG: _Reader.small_big,
    tags.LARGE_BIG: _Reader.large_big,
    tags.SMALL_ATOM: _Reader.small_atom,
    tags.MAP: _Reader.map,
    tags.ATOM_UTF8: _Reader.atom_utf8,
    tags.SMALL_ATOM_UTF8: _Reader.small_atom_utf8,
}
