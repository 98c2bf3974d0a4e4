"""Encodes terms, byte for byte as OTP 25 does."""

from __future__ import annotations

import math
import struct
from operator import itemgetter
from typing import Final, TypeGuard

from phxactor.token.external_term import _tags as tags
from phxactor.token.external_term._terms import CONSTANTS, MAX_DEPTH, MAX_SIZE, Atom, TermError

_NAMES: Final = {value: name for name, value in CONSTANTS.items()}
_MAX_BYTE: Final = 0xFF
_MAX_STRING: Final = 0xFFFF  # bytes; a longer charlist is a list of integers
_INT32: Final = range(-(1 << 31), 1 << 31)


def encode(term: object) -> bytes:
    """Encode a term as OTP 25 does.

    Raises TermError for what has no external term (NaN, infinity, an object of another class), lies too deep
    (`MAX_DEPTH`; so a list that holds itself), or is too large (`MAX_SIZE`).
    """
    output = bytearray((tags.VERSION,))
    _write(output, term, 0)
    return bytes(output)


def _write(output: bytearray, term: object, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise TermError(f"terms lie deeper than {MAX_DEPTH} in each other")
    match term:
        case None | True | False:
            _write_atom(output, _NAMES[term])
        case Atom(name):
            _write_atom(output, name)
        case int():
            _write_integer(output, term)
        case float():
            _write_float(output, term)
        case str() | bytes():
            binary = _bytes(term)
            _write_head(output, tags.BINARY, 4, len(binary))
            output += binary
        case tuple():
            _write_tuple(output, term, depth)
        case list():
            _write_list(output, term, depth)
        case dict():
            _write_map(output, term, depth)
        case _:
            raise TermError(f"{type(term).__qualname__} has no external term")
    _check_size(len(output))  # after each term: 60 nested lists, each holding the next one twice, are 2**60 terms


def _check_size(size: int) -> None:
    if size > MAX_SIZE:
        raise TermError(f"the term is larger than {MAX_SIZE} bytes")


def _write_head(output: bytearray, tag: int, width: int, size: int) -> None:
    """Write a tag and a length: the number of bytes that follow, or of terms, which take at least one byte each."""
    _check_size(size)
    output.append(tag)
    output += size.to_bytes(width, "big")


def _write_atom(output: bytearray, name: str) -> None:
    try:
        content = name.encode("latin-1")
    except UnicodeEncodeError:
        content = name.encode()
        small = len(content) <= _MAX_BYTE
        _write_head(output, tags.SMALL_ATOM_UTF8 if small else tags.ATOM_UTF8, 1 if small else 2, len(content))
    else:
        _write_head(output, tags.ATOM, 2, len(content))
    output += content


def _write_integer(output: bytearray, number: int) -> None:
    if 0 <= number <= _MAX_BYTE:
        output += bytes((tags.SMALL_INTEGER, number))
    elif number in _INT32:
        output.append(tags.INTEGER)
        output += number.to_bytes(4, "big", signed=True)
    else:
        size = (number.bit_length() + 7) // 8
        small = size <= _MAX_BYTE
        _write_head(output, tags.SMALL_BIG if small else tags.LARGE_BIG, 1 if small else 4, size)
        output.append(number < 0)
        output += abs(number).to_bytes(size, "little")


def _write_float(output: bytearray, number: float) -> None:
    if not math.isfinite(number):
        raise TermError(f"Erlang has no float {number}")
    output.append(tags.NEW_FLOAT)
    output += struct.pack(">d", number)


def _write_tuple(output: bytearray, items: tuple[object, ...], depth: int) -> None:
    small = len(items) <= _MAX_BYTE
    _write_head(output, tags.SMALL_TUPLE if small else tags.LARGE_TUPLE, 1 if small else 4, len(items))
    for item in items:
        _write(output, item, depth + 1)


def _write_list(output: bytearray, items: list[object], depth: int) -> None:
    if not items:
        output.append(tags.NIL)
        return
    characters = [item for item in items if _is_character(item)]
    if len(characters) == len(items) <= _MAX_STRING:
        _write_head(output, tags.STRING, 2, len(items))
        output += bytes(characters)
        return
    _write_head(output, tags.LIST, 4, len(items))
    for item in items:
        _write(output, item, depth + 1)
    output.append(tags.NIL)


def _is_character(item: object) -> TypeGuard[int]:
    return isinstance(item, int) and not isinstance(item, bool) and 0 <= item <= _MAX_BYTE


def _write_map(output: bytearray, items: dict[object, object], depth: int) -> None:
    _write_head(output, tags.MAP, 4, len(items))
    entries = [(_written_key(key, depth), _order(key), value) for key, value in items.items()]
    if len({written for written, _, _ in entries}) < len(entries):
        raise TermError("two keys of a dict are one key in Erlang: a str and the bytes of its UTF-8")
    for written, _, value in sorted(entries, key=itemgetter(1)):
        output += written
        _write(output, value, depth + 1)


def _written_key(key: object, depth: int) -> bytes:
    written = bytearray()
    _write(written, key, depth + 1)
    return bytes(written)


def _order(key: object) -> tuple[object, ...]:
    """Return the sort key of a map key in the order of Erlang's terms, in which all integer keys precede all floats."""
    match key:
        case None | True | False:
            return 2, _NAMES[key].encode()
        case Atom(name):
            return 2, name.encode()
        case int():
            return 0, key
        case float():
            return 1, key
        case tuple():
            return 3, len(key), *map(_order, key)
        case str() | bytes():
            return 4, _bytes(key)
        case _:  # lists and maps, which cannot be keys of a dict
            raise TermError(f"{type(key).__qualname__} is no key of a map")


def _bytes(text: str | bytes) -> bytes:
    if isinstance(text, bytes):
        return text
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise TermError("a str has half of a surrogate pair, which UTF-8 has not") from None
