"""The first byte of each kind of term: the names of the format without `_EXT`, and the kinds that are refused."""

from typing import Final

VERSION: Final = 131
"""The version byte, which precedes the first tag."""

NEW_FLOAT: Final = 70
SMALL_INTEGER: Final = 97
INTEGER: Final = 98
ATOM: Final = 100
SMALL_TUPLE: Final = 104
LARGE_TUPLE: Final = 105
NIL: Final = 106
STRING: Final = 107
LIST: Final = 108
BINARY: Final = 109
SMALL_BIG: Final = 110
LARGE_BIG: Final = 111
SMALL_ATOM: Final = 115
MAP: Final = 116
ATOM_UTF8: Final = 118
SMALL_ATOM_UTF8: Final = 119

REFUSED: Final = {
    77: "a bit string",
    80: "a compressed term",
    82: "a reference to an atom cache",
    88: "a pid",
    89: "a port",
    90: "a reference",
    99: "a float as text",
    101: "a reference",
    102: "a port",
    103: "a pid",
    112: "a function",
    113: "a function",
    114: "a reference",
    117: "a function",
    120: "a port",
    121: "a term for one node only",
}
