"""Plays the screen without a terminal, and makes its picture: `python -m tests.terminal.picture`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from textual.pilot import Pilot

from phxactor.terminal._app import Top
from tests.terminal.programs import Program

PICTURE: Final = Path(__file__).parents[2] / "docs" / "observer-top.svg"
"""The picture that docs/observer.md shows."""


def play(program: Program, scenario: Callable[[Top, Pilot[str]], Awaitable[None]], width: int = 110) -> str | None:
    """Run the screen; return why it has ended."""
    app = Top(program, "127.0.0.1:4000")

    async def run() -> None:
        async with app.run_test(size=(width, 24)) as pilot:
            await pilot.pause()
            await scenario(app, pilot)

    asyncio.run(run())
    return app.return_value


def picture() -> str:
    """Return the picture of the screen, without the fonts that it would load from elsewhere, and the comment."""
    made: list[str] = []

    async def scenario(app: Top, pilot: Pilot[str]) -> None:
        await pilot.press("down")
        made.append(app.export_screenshot(title="phxactor top 4000"))

    play(Program(), scenario)
    return re.sub(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", "", made[0], flags=re.DOTALL)


if __name__ == "__main__":
    PICTURE.write_text(picture())
