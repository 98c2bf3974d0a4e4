"""The specifications, docs/otp-semantics.md and docs/presence-rules.md, and their tests: `python -m tests.rules`.

A test that shows a rule has its id in its name: `test_G29_stop_with_reply_runs_terminate_first`, or several of them.
The command writes the last cell of each rule in its specification: links to its tests. Then it tells what is wrong, and
exits with 1 if

- a rule of the sections 1 to 12, 16 and 17 has neither a test nor a line `ID reason` in `rules_without_test.txt`,
  or has both;
- a test, or a line of phxactor/ or docs/, cites a rule that does not exist.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parent
ROOT: Final = TESTS.parent
SPECIFICATION: Final = ROOT / "docs" / "otp-semantics.md"
PRESENCE: Final = ROOT / "docs" / "presence-rules.md"
PAGES: Final = (SPECIFICATION, PRESENCE)
EXCEPTIONS: Final = TESTS / "rules_without_test.txt"
SECTIONS: Final = frozenset({*range(1, 13), 16, 17})
"""What a program can see, on one node and over several. The others say how that comes about, and need no own test."""

UNLISTED: Final = frozenset({"CL", "V"})
"""Families of rules of carriers and of the observer: their ids may stand in names of tests, and no page lists them."""

_SECTION = re.compile(r"## (\d+)\. ")
_ROW = re.compile(r"\| ([A-Z]+\d+[a-z]?) ?⚠? ?\|")
_TEST = re.compile(r"^\s*(?:async )?def (test((?:_[A-Z]+\d+[a-z]?(?=_))+)_\w*)", re.MULTILINE)
_RUFF = re.compile(r"# noqa: .*")
_LINK = "[{path}::{name}](../{path})"


def rules(specification: str) -> dict[str, int]:
    """Read the ids of the rules, each with the number of its section."""
    found: dict[str, int] = {}
    section = 0
    for line in specification.splitlines():
        if heading := _SECTION.match(line):
            section = int(heading[1])
        elif row := _ROW.match(line):
            found[row[1]] = section
    return found


def exceptions() -> dict[str, str]:
    """Read the reasons for rules that have no test; raises ValueError for a line without one."""
    found: dict[str, str] = {}
    for line in EXCEPTIONS.read_text().splitlines():
        if line and not line.startswith("#"):
            rule, _, reason = line.partition(" ")
            if not reason:
                raise ValueError(f"{EXCEPTIONS.name}: say why {rule} has no test")
            found[rule] = reason
    return found


def links() -> dict[str, list[str]]:
    """Find the tests of each rule, as links from the specification, in the order of the files."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        for name, ids in _TEST.findall(path.read_text()):
            for rule in dict.fromkeys(ids.strip("_").split("_")):
                if _family(rule) not in UNLISTED:
                    found[rule].append(_LINK.format(path=path.relative_to(ROOT), name=name))
    return dict(found)


def linked(specification: str, found: Mapping[str, list[str]], without: Mapping[str, str]) -> str:
    """Return the specification with the last cell of each rule made anew; raises ValueError where there is none."""
    lines: list[str] = []
    bars = 0
    for line in specification.splitlines():
        row = _ROW.match(line)
        if row is None:
            bars = line.count("|") if line.startswith("| #") else bars
            lines.append(line)
            continue
        cells = line.split("|")
        if line.count("|") != bars:
            raise ValueError(f"{row[1]} has other cells than the head of its table: {line}")
        tests_of_it = "; ".join(found.get(row[1], [])) or without.get(row[1], "")
        cells[-2] = f" {tests_of_it} " if tests_of_it else " "
        lines.append("|".join(cells))
    return "\n".join(lines) + "\n"


def cited(known: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Find what looks like the id of a rule: the place, and the id."""
    families = "|".join(sorted({_family(rule) for rule in known}))
    pattern = re.compile(rf"\b(?:{families})\d+[a-z]?\b")
    for folder, ending in (("phxactor", "*.py"), ("phxactor", "*.md"), ("docs", "*.md")):
        for path in sorted((ROOT / folder).rglob(ending)):
            if "node_modules" in path.parts:
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                for rule in pattern.findall(_RUFF.sub("", line)):
                    yield f"{path.relative_to(ROOT)}:{number}", rule


def _family(rule: str) -> str:
    return rule[:1] + rule[1:].rstrip("0123456789abcdefghijklmnopqrstuvwxyz")


def problems(*specifications: str) -> list[str]:
    """Say what is wrong, one line each."""
    known = {rule: section for page in specifications for rule, section in rules(page).items()}
    with_test, without_test = links(), exceptions()
    asked = [rule for rule, section in known.items() if section in SECTIONS]
    return [
        *(f"{rule} has no test" for rule in asked if rule not in with_test and rule not in without_test),
        *(f"{rule} has a test, and is in {EXCEPTIONS.name}" for rule in without_test if rule in with_test),
        *(f"{rule} is no rule, and is in {EXCEPTIONS.name}" for rule in without_test if rule not in known),
        *(f"{rule} is no rule, and has a test: {found[0]}" for rule, found in with_test.items() if rule not in known),
        *(f"{place} cites {rule}, which is no rule" for place, rule in cited(known) if rule not in known),
    ]


def main() -> int:
    """Run the command."""
    specifications = [page.read_text() for page in PAGES]
    for page, specification in zip(PAGES, specifications, strict=True):
        page.write_text(linked(specification, links(), exceptions()))
    found = problems(*specifications)
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
