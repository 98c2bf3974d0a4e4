from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phxactor.token.external_term import Term, TermError, decode, encode
from tests.token.terms import KEYS, MADE_UP, TERMS, damaged


@given(TERMS)
def test_terms_come_back(term: Term) -> None:
    data = encode(term)
    assert decode(data) == term
    assert encode(decode(data)) == data  # the types are the same too: 1, 1.0 and True are written differently


@given(st.dictionaries(KEYS, st.integers(), max_size=40))
def test_a_map_is_written_alike_in_whatever_order_it_was_made(items: dict[Term, int]) -> None:
    assert encode(dict(reversed(items.items()))) == encode(items)


@given(st.binary())
def test_binaries_come_back_as_text_or_bytes(data: bytes) -> None:
    read = decode(encode(data))
    assert isinstance(read, str | bytes)
    assert (read.encode() if isinstance(read, str) else read) == data


@given(st.one_of(st.binary(), st.binary().map(b"\x83".__add__), MADE_UP, damaged()))
def test_any_bytes_are_a_term_or_a_term_error(data: bytes) -> None:
    try:
        term = decode(data)
    except TermError:
        return
    assert decode(encode(term)) == term


@given(TERMS, st.data())
def test_no_beginning_of_a_term_is_one(term: Term, data: st.DataObject) -> None:
    whole = encode(term)
    part = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        decode(part)
    except TermError:
        return
    raise AssertionError(part)
