"""The blocks of docs/deploying.md, for the tests that run them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[2] / "docs" / "deploying.md"


def block(language: str, containing: str) -> str:
    """Return the one block in a language that contains this text."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (text,) = [text for text in found if containing in text]
    assert isinstance(text, str)
    return text


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """Replace text that must be there, as a test would else run another configuration than it says."""
    for before, after in pairs:
        assert before in text, before
        text = text.replace(before, after)
    return text
