"""The cases 1 to 7 and 10 of Autobahn's test suite by their ids: what a client sends, and what an echo owes it.

The suite itself needs a Python 2.7; these need nothing. What differs: nobody waits a second between two frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import attrs

from tests.conformance.client import Pong
from tests.transport.frames import BINARY, CLOSE, CONT, PING, PONG, TEXT, close_frame, frame

Echo: TypeAlias = str | bytes | Pong

HELLO: Final = "Hello, world!"
TOP: Final = 125
"""Bytes that a control frame holds at most."""
BYE: Final = close_frame(1000)
NO_CODE: Final = 1005
"""Stands for a close frame without a code."""


@attrs.frozen
class Case:
    """What is sent, in so many writes; what comes back; and the code of the server's close frame."""

    pieces: Sequence[bytes]
    echoes: Sequence[Echo] = ()
    code: int = 1000


def good(*frames: bytes, echoes: Sequence[Echo] = (), by: int = 0) -> Case:
    """Have frames answered, and close."""
    return Case(_chopped(b"".join([*frames, BYE]), by) if by else [*frames, BYE], echoes)


def bad(*frames: bytes, echoes: Sequence[Echo] = (), code: int = 1002, by: int = 0) -> Case:
    """Have frames refused."""
    return Case(_chopped(b"".join(frames), by) if by else frames, echoes, code)


def _chopped(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def fragments(opcode: int, *parts: bytes) -> list[bytes]:
    """Make the frames of one message."""
    last = len(parts) - 1
    return [frame(CONT if at else opcode, part, fin=at == last) for at, part in enumerate(parts)]


def text(message: str) -> bytes:
    return frame(TEXT, message.encode())


def numbered(beginning: str, cases: Sequence[Case]) -> Iterator[tuple[str, Case]]:
    """Number cases from 1."""
    return ((f"{beginning}.{number}", case) for number, case in enumerate(cases, 1))


# ------------------------------------------------------------------------------------------------ 1: framing

SIZES: Final = (0, 125, 126, 127, 128, 65535, 65536, 65536)


def _sizes(opcode: int, one: str | bytes) -> Iterator[Case]:
    for place, size in enumerate(SIZES):
        message = one * size
        data = message.encode() if isinstance(message, str) else message
        yield good(frame(opcode, data), echoes=[message], by=997 if place == len(SIZES) - 1 else 0)


# ----------------------------------------------------------------------------------------- 2: pings and pongs

PINGS: Final = [f"payload-{number}".encode() for number in range(10)]


def _pings() -> Iterator[Case]:
    for payload in (b"", b"ping", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * TOP):
        yield good(frame(PING, payload), echoes=[Pong(payload)])
    yield bad(frame(PING, b"\xfe" * (TOP + 1)))
    yield good(frame(PING, b"\xfe" * TOP), echoes=[Pong(b"\xfe" * TOP)], by=1)
    yield good(frame(PONG))
    yield good(frame(PONG, b"unsolicited"))
    yield good(frame(PONG, b"unsolicited"), frame(PING, b"asked"), echoes=[Pong(b"asked")])
    for by in (0, 1):
        yield good(*(frame(PING, payload) for payload in PINGS), echoes=[Pong(payload) for payload in PINGS], by=by)


# ------------------------------------------------------------------------------- 3, 4: reserved bits, opcodes

AFTER: Final = frame(PING)
"""What follows the wrong frame, and gets no answer."""


def _reserved_bits() -> Iterator[Case]:
    wrong = [frame(TEXT, HELLO.encode(), bits=bits << 4) for bits in range(8)]
    yield bad(wrong[1])
    yield bad(text(HELLO), wrong[2], AFTER, echoes=[HELLO])
    yield bad(text(HELLO), wrong[3], AFTER, echoes=[HELLO], by=1)
    yield bad(text(HELLO), wrong[4], AFTER, echoes=[HELLO], by=1)
    yield bad(frame(BINARY, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", bits=0x50))
    yield bad(frame(PING, HELLO.encode(), bits=0x60))
    yield bad(frame(CLOSE, bits=0x70))


def _opcodes(first: int) -> Iterator[Case]:
    yield bad(frame(first))
    yield bad(frame(first + 1, b"reserved"))
    yield bad(text(HELLO), frame(first + 2), AFTER, echoes=[HELLO])
    for opcode in (first + 3, first + 4):
        yield bad(text(HELLO), frame(opcode, b"reserved"), AFTER, echoes=[HELLO])


# ------------------------------------------------------------------------------------------ 5: fragmentation

TWO: Final = fragments(TEXT, b"fragment1", b"fragment2")
BOTH: Final = "fragment1fragment2"
FIVE: Final = fragments(TEXT, *(f"fragment{number}".encode() for number in range(1, 6)))
ALL: Final = "fragment1fragment2fragment3fragment4fragment5"
BETWEEN: Final = frame(PING, b"between")


def _fragmentation() -> Iterator[Case]:
    for opcode in (PING, PONG):
        yield bad(*fragments(opcode, b"fragment1", b"fragment2"))
    yield good(b"".join(TWO), echoes=[BOTH])
    yield good(*TWO, echoes=[BOTH])
    yield good(*TWO, echoes=[BOTH], by=1)
    answers: list[Echo] = [Pong(b"between"), BOTH]
    yield good(TWO[0] + BETWEEN + TWO[1], echoes=answers)
    yield good(TWO[0], BETWEEN, TWO[1], echoes=answers)
    yield good(TWO[0], BETWEEN, TWO[1], echoes=answers, by=1)
    for fin in (True, False):
        nothing = frame(CONT, b"of nothing", fin=fin)
        yield bad(nothing + text(HELLO))
        yield bad(nothing, text(HELLO))
        yield bad(nothing, text(HELLO), by=1)
    yield bad(b"".join(TWO) + frame(CONT, b"of nothing", fin=False) + text(HELLO), echoes=[BOTH])
    for fin in (False, True):
        yield bad(*[frame(CONT, b"of nothing", fin=fin), *TWO] * 2)
    yield bad(frame(TEXT, b"fragment1", fin=False) + frame(TEXT, b"fragment2"))
    pings = [frame(PING, b"1"), frame(PING, b"2")]
    pieces = [*FIVE[:2], pings[0], *FIVE[2:4], pings[1], FIVE[4]]
    for sent in ([b"".join(pieces[:3]), b"".join(pieces[3:])], pieces):
        yield good(*sent, echoes=[Pong(b"1"), Pong(b"2"), ALL])


# -------------------------------------------------------------------------------------------------- 6: UTF-8

GREEK: Final = "\u03ba\u1f79\u03c3\u03bc\u03b5"
MIXED: Final = "Hello-µ@ßöäüàá-UTF-8!!"
BROKEN: Final = (GREEK.encode() + b"\xed\xa0\x80", b"edited")
"""Half of a surrogate pair, in the middle."""


def _bytes_of(data: bytes) -> list[bytes]:
    return fragments(TEXT, *(data[at : at + 1] for at in range(len(data))))


def _fragmented_text() -> Iterator[tuple[str, Case]]:
    yield from numbered(
        "6.1",
        [
            good(text(""), echoes=[""]),
            good(*fragments(TEXT, b"", b"", b""), echoes=[""]),
            good(*fragments(TEXT, b"", b"middle", b""), echoes=["middle"]),
        ],
    )
    halves = MIXED[:12].encode(), MIXED[12:].encode()
    yield from numbered(
        "6.2",
        [
            good(text(MIXED), echoes=[MIXED]),
            good(*fragments(TEXT, *halves), echoes=[MIXED]),
            good(*_bytes_of(MIXED.encode()), echoes=[MIXED]),
            good(*_bytes_of(GREEK.encode()), echoes=[GREEK]),
        ],
    )
    broken = b"".join(BROKEN)
    yield from numbered("6.3", [bad(frame(TEXT, broken), code=1007), bad(*_bytes_of(broken), code=1007)])
    # A server may notice at once, or, as this one, when the message is whole.
    parts = [GREEK.encode(), b"\xf4\x90\x80\x80", b"edited"], [GREEK.encode() + b"\xf4", b"\x90", b"\x80\x80edited"]
    early = [bad(*fragments(TEXT, *three), code=1007) for three in parts]
    for three in parts:
        whole = frame(TEXT, b"".join(three))
        cuts = 6 + len(three[0]), 6 + len(three[0] + three[1])
        early.append(bad(whole[: cuts[0]], whole[cuts[0] : cuts[1]], whole[cuts[1] :], code=1007))
    yield from numbered("6.4", early)


VALID: Final = {
    **{f"6.5.{number}": one for number, one in enumerate(["hello$world", "hello¢world", "hello€world"], 1)},
    "6.5.4": "hello\U00024b62world",
    "6.5.5": GREEK,
    **{f"6.6.{size}": GREEK.encode()[:size].decode() for size in (2, 5, 7, 9, 11)},
    # The first and the last character of each length, and their neighbours.
    **{f"6.7.{number}": chr(code) for number, code in enumerate([0, 0x80, 0x800, 0x10000], 1)},
    **{f"6.9.{number}": chr(code) for number, code in enumerate([0x7F, 0x7FF, 0xFFFF, 0x10FFFF], 1)},
    **{f"6.11.{number}": chr(code) for number, code in enumerate([0xD7FF, 0xE000, 0xFFFD, 0x10FFFF], 1)},
    # The last two code points of each plane are no characters, and allowed; so are the last of the first plane.
    **{f"6.22.{2 * plane + which}": chr(plane * 0x10000 + 0xFFFD + which) for plane in range(17) for which in (1, 2)},
    **{f"6.23.{number}": chr(0xFFF8 + number) for number in range(1, 8)},
}
_CONTINUATIONS: Final = [("80bf" * 3)[: 2 * size] for size in (2, 3, 4, 5, 6)]
_INVALID: Final = {
    # Five and six bytes, which UTF-8 had once.
    "6.8": ["f888808080", "fc8480808080"],
    "6.10": ["f7bfbfbf", "fbbfbfbfbf", "fdbfbfbfbfbf"],
    # Continuations of nothing.
    "6.12": ["80", "bf", *_CONTINUATIONS, bytes(range(0x80, 0xC0)).hex()],
    # Beginnings of nothing.
    "6.13": [
        "".join(f"{lead:02x}20" for lead in range(first, last))
        for first, last in [(0xC0, 0xE0), (0xE0, 0xF0), (0xF0, 0xF8), (0xF8, 0xFC), (0xFC, 0xFE)]
    ],
    # The last byte is missing.
    "6.14": ["c0", "e080", "f08080", "f8808080", "fc80808080", "df", "efbf", "f7bfbf", "fbbfbfbf", "fdbfbfbfbf"],
    "6.15": ["c0e080f08080f8808080fc80808080dfefbff7bfbffbbfbfbffdbfbfbfbf"],
    "6.16": ["fe", "ff", "fefeffff"],
    # More bytes than a character needs.
    "6.17": ["c0af", "e080af", "f08080af", "f8808080af", "fc80808080af"],
    "6.18": ["c1bf", "e09fbf", "f08fbfbf", "f887bfbfbf", "fc83bfbfbfbf"],
    "6.19": ["c080", "e08080", "f0808080", "f880808080", "fc8080808080"],
    # Halves of surrogate pairs, and both halves.
    "6.20": ["eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf"],
    "6.21": [high + low for high in ("eda080", "edadbf", "edae80", "edafbf") for low in ("edb080", "edbfbf")],
}
INVALID: Final = {
    **{f"6.6.{size}": GREEK.encode()[:size] for size in (1, 3, 4, 6, 8, 10)},
    "6.11.5": b"\xf4\x90\x80\x80",
    **{
        f"{beginning}.{number}": bytes.fromhex(data)
        for beginning, wrong in _INVALID.items()
        for number, data in enumerate(wrong, 1)
    },
}

# ------------------------------------------------------------------------------------------------- 7: closing

ALLOWED: Final = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
FORBIDDEN: Final = (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999)


def _closing() -> Iterator[tuple[str, Case]]:
    long = "x" * 256 * 1024
    yield from numbered(
        "7.1",
        [
            good(text(HELLO), echoes=[HELLO]),
            Case([BYE, BYE]),
            Case([BYE, frame(PING)]),
            Case([BYE, text(HELLO)]),
            Case([TWO[0], BYE, TWO[1]]),
            Case([text(long), BYE, frame(PING)], [long]),
        ],
    )
    yield from numbered(
        "7.3",
        [
            Case([frame(CLOSE)], code=NO_CODE),
            bad(frame(CLOSE, b"a")),
            Case([BYE]),
            Case([close_frame(1000, b"because")]),
            Case([close_frame(1000, b"x" * (TOP - 2))]),
            bad(close_frame(1000, b"x" * (TOP - 1))),
        ],
    )
    yield "7.5.1", bad(close_frame(1000, b"".join(BROKEN)), code=1007)
    yield from numbered("7.7", [Case([close_frame(code)], code=code) for code in ALLOWED])
    yield from numbered("7.9", [bad(close_frame(code)) for code in FORBIDDEN])
    yield from numbered("7.13", [bad(close_frame(code)) for code in (5000, 65535)])


_LONG: Final = "*" * 65536

CASES: Final[dict[str, Case]] = {
    **dict(numbered("1.1", list(_sizes(TEXT, "*")))),
    **dict(numbered("1.2", list(_sizes(BINARY, b"\xfe")))),
    **dict(numbered("2", list(_pings()))),
    **dict(numbered("3", list(_reserved_bits()))),
    **dict(numbered("4.1", list(_opcodes(3)))),
    **dict(numbered("4.2", list(_opcodes(11)))),
    **dict(numbered("5", list(_fragmentation()))),
    **dict(_fragmented_text()),
    **{name: good(text(message), echoes=[message]) for name, message in VALID.items()},
    **{name: bad(frame(TEXT, data), code=1007) for name, data in INVALID.items()},
    **dict(_closing()),
    "10.1.1": good(b"".join(fragments(TEXT, *_chopped(_LONG.encode(), 1300))), echoes=[_LONG]),
}
