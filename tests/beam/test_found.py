"""What random programs have found, each made short: it is played without the BEAM from now on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle.programs import Program, load

pytestmark = pytest.mark.allow_leaks("programs that nobody wrote leave processes behind")


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("program", load(Path(__file__).with_name("found.json")), ids=str)
def test_what_was_found_stays_as_on_the_beam(program: Program, *, backwards: bool) -> None:
    assert program.differences(backwards=backwards) == []
