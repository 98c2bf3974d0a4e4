"""Messages as clients send them."""

from __future__ import annotations

from itertools import accumulate, pairwise

from hypothesis import strategies as st

from phxactor.socket import (
    Serializer,
    V2JSONSerializer,
)

V2: Serializer = V2JSONSerializer()


fields = st.text(max_size=63)  # of at most 252 bytes


def taken_apart(data: bytes, count: int) -> list[bytes]:
    """A binary message of so many fields: its kind, its fields, its payload."""
    ends = list(accumulate(data[1 : count + 1], initial=count + 1))
    return [data[:1], *(data[a:b] for a, b in pairwise(ends)), data[ends[-1] :]]
