"""Which rules of the specification have no test: `python -m tests.rules [SPECIFICATION]`.

A test that shows a rule has its id in its name: `test_G29_stop_with_reply_runs_terminate_first`, or several of them.
The ids stand in `rules.txt`, by section; given the specification, that file is made anew from it. A rule that has no
test needs a line `ID reason` in `rules_without_test.txt`. Exits with 1 if there are others, or lines too many.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parent
RULES: Final = TESTS / "rules.txt"
EXCEPTIONS: Final = TESTS / "rules_without_test.txt"
SECTIONS: Final = range(1, 13)
"""Those of the specification that say what programs can see; the later ones are notes for who builds it."""

_SECTION = re.compile(r"## (\d+)\. (.*)")
_ROW = re.compile(r"\| ([A-Z]+\d+) ?⚠? ?\|")
_TEST = re.compile(r"^\s*(?:async )?def test((?:_[A-Z]+\d+)+)(?=_)", re.MULTILINE)


def extract(specification: str) -> str:
    """Return the text of `rules.txt`: the ids of the rules, each section under its title."""
    lines: list[str] = []
    wanted = False
    for line in specification.splitlines():
        section, row = _SECTION.match(line), _ROW.match(line)
        if section is not None:
            wanted = int(section[1]) in SECTIONS
            lines += ["", f"# {section[1]}. {section[2]}"] if wanted else []
        elif row is not None and wanted:
            lines.append(row[1])
    return "\n".join(lines).strip() + "\n"


def rules() -> list[str]:
    """Read the ids."""
    return [line for line in RULES.read_text().splitlines() if line and not line.startswith("#")]


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


def tested() -> set[str]:
    """Find the ids that tests carry in their names."""
    return {
        rule
        for path in TESTS.rglob("test_*.py")
        for names in _TEST.findall(path.read_text())
        for rule in names.strip("_").split("_")
    }


def problems() -> list[str]:
    """Say what is wrong, one line for each rule."""
    known, with_test, without_test = rules(), tested(), exceptions()
    return [
        *(f"{rule} has no test" for rule in known if rule not in with_test and rule not in without_test),
        *(f"{rule} has a test, and is in {EXCEPTIONS.name}" for rule in without_test if rule in with_test),
        *(f"{rule} is no rule, and is in {EXCEPTIONS.name}" for rule in without_test if rule not in known),
    ]


def main(arguments: list[str]) -> int:
    """Run the command."""
    for specification in arguments:
        RULES.write_text(extract(Path(specification).read_text()))
    found = problems()
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
