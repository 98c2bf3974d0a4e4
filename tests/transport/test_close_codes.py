"""Which code a connection is closed with, by the reason of its process."""

from __future__ import annotations

import pytest

from phxactor.runtime import KILLED, NORMAL, SHUTDOWN, Crash, Reason, Shutdown
from phxactor.transport import CloseCode, close_code


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (NORMAL, 1000),
        (Shutdown("disconnected"), 1001),
        (SHUTDOWN, 1012),
        (KILLED, 1011),
        (Crash(ValueError("no")), 1011),
        ("odd", 1011),
        (Shutdown(["a list", "is no key of a table"]), 1011),
        (["nor", {"is": "this"}], 1011),
    ],
    ids=repr,
)
def test_every_reason_has_a_code(reason: Reason, code: int) -> None:
    assert close_code(reason) is CloseCode(code)
