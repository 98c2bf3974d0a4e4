"""The wire and the routes; here are the values that the serializers' tests have in common."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from phxactor.socket import Message, Ref, Reply

refs: Final[SearchStrategy[Ref]] = st.none() | st.text(max_size=63) | st.integers(0, 2**53) | st.floats(-1, 1)

scalars: Final[SearchStrategy[object]] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
payloads: Final[SearchStrategy[object]] = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
"""All that JSON can carry through orjson and come back the same."""

messages: Final = st.builds(Message, st.text(), st.text(), payloads, refs, refs)
replies: Final = st.builds(Reply, st.text(), st.text(), payloads, refs, refs)


def nested(depth: int) -> bytes:
    """JSON of arrays within arrays."""
    return b"[" * depth + b"]" * depth
