"""A rolling restart of real workers: who is back within the grace never seems to have gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.demos.program import serving
from tests.soak.people import PATIENT, people, restart, url_of

pytestmark = [pytest.mark.socket, pytest.mark.slow]


async def test_PR117_PR124_nobody_flickers_and_nobody_stays_as_a_ghost(tmp_path: Path) -> None:
    (tmp_path / "here.py").write_text(PATIENT)
    with serving("serve", "here:application", "--workers", "2", cwd=tmp_path) as program:
        async with people([url_of(program)], 12) as everybody:
            await restart(program, everybody)
