"""The pages for people: what they link to and tell to run is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/*.md", "phxactor/**/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
    if "node_modules" not in path.parts
)
MAKEFILE = (ROOT / "Makefile").read_text()


def anchors(page: Path) -> set[str]:
    """Make the anchors of a page's headings, as GitHub does."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    wrong = []
    for link in dict.fromkeys(links):
        file, _, anchor = link.partition("#")
        target = (ROOT / page).parent / file if file else ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    assert wrong == []


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "README.md", "docs/beam.md", "docs/benchmarks.md"])
def test_commands_exist(page: str) -> None:
    text = (ROOT / page).read_text()
    goals = set(re.findall(r"(?:`|, |^ {4})make ([a-z-]+)", text, re.MULTILINE))
    assert goals
    assert goals <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    for module in re.findall(r"python -m (tests\.[\w.]+|benchmarks[\w.]*)", text):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


def test_where_contributors_are_sent_there_is_something() -> None:
    """A reader who has never seen the code finds these three, each by one command of the page."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    for command, finds in (
        ("""grep -rn '"phx_error"' phxactor/socket""", "join_acts.py"),
        ("grep -rn _X8_ tests", "def test_X8_"),
        ("grep -rln 'otp._restart' tests", "tests/otp/test_supervisor_decisions.py"),
    ):
        assert command in page
        found = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S602
        assert finds in found
    for file in re.findall(r"`((?:phxactor|otp|socket|transport|runtime)/\w+\.py)`", page):
        assert (ROOT / file).exists() or (ROOT / "phxactor" / file).exists(), file
    for file in re.findall(r"`(\w+\.py)`", page):
        assert any((ROOT / "phxactor").rglob(file)), file


def test_contributors_see_every_room() -> None:
    table = (ROOT / "CONTRIBUTING.md").read_text().partition("| room |")[2].partition("\n\n")[0]
    listed = {
        room for row in table.splitlines() for room in re.findall(r"`(\w+)`", row.split("|")[1] if "|" in row else "")
    }
    rooms = {
        path.stem for path in (ROOT / "phxactor").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert listed == rooms - {"__init__"}


def is_module(room: Path, name: str) -> bool:
    """Tell whether a name of a room's README is a module or a room of it; `*` stands for any characters."""
    return any(room.glob(f"{name.removesuffix('.py')}.py")) or (room / name / "__init__.py").exists()


@pytest.mark.parametrize("page", sorted((ROOT / "phxactor").glob("*/README.md")), ids=lambda page: page.parent.name)
def test_modules_that_a_room_names_exist(page: Path) -> None:
    """In a table of files, and wherever a README names a private module."""
    text = page.read_text()
    names = set(re.findall(r"`(_[a-z]\w*\*?(?:\.py)?)`", text))
    for header, column in (("| file |", 1), ("| subject | files |", 2)):
        for part in text.split(header)[1:]:
            for row in part.partition("\n\n")[0].splitlines()[1:]:
                names |= set(re.findall(r"`(\w+\*?(?:\.py)?)`", row.split("|")[column]))
    assert [name for name in sorted(names) if not is_module(page.parent, name)] == []
