"""docs/events.md lists all events as they are declared."""

from __future__ import annotations

import pytest

from tests.events import PAGE, table, written


def test_the_page_lists_every_event() -> None:
    page = PAGE.read_text()
    assert written(page) == page, "run `python -m tests.events`, which writes the table"
    assert "| `phxactor.channel.crashed` | A channel ended abnormally: " in table()
    assert "exception. | ERROR |" in table()


def test_a_page_without_a_place_for_the_table_is_told() -> None:
    with pytest.raises(ValueError, match="no place"):
        written("# Events\n")
