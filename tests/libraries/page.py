"""docs/libraries.md: its code, with the addresses of the tests' servers."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs

from tests.test_readme import Block, blocks, compiled

PAGE: Final = Path(__file__).parents[2] / "docs" / "libraries.md"


def code(*, folder: Path, postgres: int = 1, redis: int = 1) -> Iterator[Block]:
    """Yield the blocks of the page, with other addresses."""
    for block in blocks(PAGE):
        text = block.text.replace("127.0.0.1/app", f"127.0.0.1:{postgres}/app")
        text = text.replace("host=127.0.0.1 ", f"host=127.0.0.1 port={postgres} ")
        text = text.replace("redis://127.0.0.1", f"redis://127.0.0.1:{redis}")
        yield attrs.evolve(block, text=text.replace('"notes.sqlite3"', repr(str(folder / "notes.sqlite3"))))


def names_of_the_page(*, folder: Path, postgres: int = 1, redis: int = 1) -> dict[str, Any]:
    """Run the definitions of the page, without the blocks that wait; return its names."""
    namespace: dict[str, Any] = {"__name__": "libraries"}
    for block in code(folder=folder, postgres=postgres, redis=redis):
        if block.language == "python" and not (program := compiled(block, PAGE)).co_flags & inspect.CO_COROUTINE:
            exec(program, namespace)  # noqa: S102 - it is the page's
    return namespace
