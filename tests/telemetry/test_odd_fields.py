"""A line that has to wait keeps the fields that are text or numbers; no other value has its code run for that."""

from __future__ import annotations

import logging

import pytest

from phxactor.telemetry._log_queue import MAX_TEXT, text_only
from tests.runtime.odd import ODD, named


class Text(str):
    """Text that cannot be cut."""

    __slots__ = ()

    def __getitem__(self, _: object) -> str:
        raise LookupError


@pytest.mark.parametrize("kind", [kind for kind in ODD if not issubclass(kind, str | int | float)], ids=named)
def test_a_field_whose_own_code_raises_is_left_out(kind: type) -> None:
    record = logging.makeLogRecord({"msg": "line"})
    record.telemetry = {"reason": kind(), "count": 1, "why": "x" * 2 * MAX_TEXT, "text": Text("abc"), "none": None}
    kept = {"count": 1, "why": "x" * MAX_TEXT, "text": "abc", "none": None}
    assert text_only(record).telemetry == kept  # type: ignore[attr-defined]
