"""The site has every page; its first page and the README lead to each. What else may be wrong, `make docs` finds."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(page.stem for page in DOCS.glob("*.md") if page.stem != "index")


def contents() -> set[str]:
    """Read the pages that the site lists, without Sphinx."""
    for statement in ast.parse((DOCS / "site" / "conf.py").read_text()).body:
        if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == "CONTENTS" and statement.value:
            return {page for pages in ast.literal_eval(statement.value).values() for page in pages}
    raise AssertionError("conf.py has no CONTENTS")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_in_the_bar_at_the_side_on_the_first_page_and_in_the_readme(page: str) -> None:
    assert f"docs/{page}" in contents()
    assert f"]({page}.md" in (DOCS / "index.md").read_text()
    assert f"](docs/{page}.md" in (ROOT / "README.md").read_text()


def test_the_reference_has_every_room_that_programs_use() -> None:
    rooms = {page.stem for page in (DOCS / "api").glob("*.md")} - {"index"}
    inner = {"cli", "demos", "terminal"}  # for programs that run, not for those that are written
    public = {path.name for path in (ROOT / "phxactor").iterdir() if (path / "__init__.py").exists()} - inner
    assert rooms >= public
    toctree = (DOCS / "api" / "index.md").read_text()
    assert all(f"\n{room}\n" in toctree for room in rooms)
