"""Strategies for terms, and for bytes that are nearly terms."""

from __future__ import annotations

from hypothesis import strategies as st

from phxactor.token.external_term import Atom, Term, encode


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


ATOMS = st.text(max_size=255).filter(lambda name: name not in {"true", "false", "nil"}).map(Atom)
_SCALARS: st.SearchStrategy[Term] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(0, 255),
    st.integers(-(1 << 33), 1 << 33),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.binary().filter(lambda data: not _is_utf8(data)),
    ATOMS,
)
KEYS: st.SearchStrategy[Term] = st.recursive(_SCALARS, lambda keys: st.lists(keys, max_size=3).map(tuple), max_leaves=4)
TERMS: st.SearchStrategy[Term] = st.recursive(
    _SCALARS,
    lambda terms: st.one_of(
        st.lists(terms),
        st.lists(st.integers(0, 255)),
        st.lists(terms).map(tuple),
        st.dictionaries(KEYS, terms),
    ),
    max_leaves=20,
)
"""Terms that come back as they are."""


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw an encoded term in which some bytes were changed, taken out or put in."""
    data = bytearray(encode(draw(TERMS)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(data)


_TAGS = st.sampled_from([*range(70, 122), 77, 80, 104, 107, 108, 109, 116]).map(lambda tag: bytes((tag,)))
_SIZES = st.sampled_from(
    [b"\0", b"\0\0", b"\0\0\0\1", b"\0\0\0\2", b"\1", b"\2", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"]
)
MADE_UP: st.SearchStrategy[bytes] = st.lists(_TAGS | _SIZES | st.binary(max_size=4)).map(
    lambda parts: b"\x83" + b"".join(parts)
)
"""Bytes that go further into a decoder than random ones: tags and sizes, in any order."""
