"""Whatever a message, and its frame, can be."""

from __future__ import annotations

from hypothesis import strategies as st

from phxactor.envelope import Frame, Message

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
MESSAGES = st.builds(Message, st.integers(0, 255), TEXTS, TEXTS, TEXTS, st.binary(max_size=200))
NUMBERS = st.integers(0, 2**64 - 2)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    previous = draw(NUMBERS)
    return Frame(
        draw(st.binary(min_size=16, max_size=16)),
        draw(st.integers(previous + 1, 2**64 - 1)),
        previous,
        draw(NUMBERS),
        draw(st.binary(max_size=200)),
    )
