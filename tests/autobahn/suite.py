"""Autobahn's test suite, the program `wstest`, run against a server: what a WebSocket has to put up with.

It needs Python 2.7; `tests/setup/autobahn.sh` installs it where there is one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Self, TypeAlias

import attrs
import orjson

WSTEST: Final = shutil.which("wstest", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
QUICK: Final = ("1", "2", "3", "4", "5", "6", "7", "10")
"""Sections that take seconds."""
LONG: Final = ("9", "12", "13")
"""Sections that take minutes: large messages, and compression."""
WITHIN: Final = 3600.0
"""Seconds that a run may take."""
CASE: Final = re.compile(r"\d+\.\d+\.\d+")
"""The name of one case; wstest waits for ever if no case has the name that it is given."""
Cases: TypeAlias = tuple[list[str], list[str]]
"""Patterns of those that are played, and of those that are not."""
PASSED: Final = frozenset({"OK", "NON-STRICT", "INFORMATIONAL"})


@attrs.frozen
class Verdict:
    """What the suite says of a case."""

    behavior: str
    behavior_close: str
    seconds: float

    @classmethod
    def read(cls, said: Mapping[str, object]) -> Self:
        """Make one of the report's index."""
        return cls(str(said["behavior"]), str(said["behaviorClose"]), int(str(said["duration"])) / 1000)

    @property
    def passed(self) -> bool:
        """Whether the server did as it should, and closed as it should."""
        return self.behavior in PASSED and self.behavior_close in PASSED


def run(url: str, sections: Iterable[str], folder: Path) -> dict[str, Verdict]:
    """Play sections, or single cases, against an echo; return the verdict of each case.

    Sections are played all at once, since many of their cases only wait.
    What failed is played once more, alone: on a busy machine, the suite itself may be too late. The report stands in
    the folder afterwards, a page for each case. Raises CalledProcessError when wstest fails.
    """
    parts: list[Cases] = []
    for section in sections:
        if section == "6":  # those of 6.4 wait for two seconds each
            parts += [([f"6.4.{number}"], []) for number in range(1, 5)]
            parts.append((["6.*"], ["6.4.*"]))
        else:
            parts.append(([section if CASE.fullmatch(section) else f"{section}.*"], []))
    verdicts = _run(url, parts, folder)
    failed = [name for name, verdict in verdicts.items() if not verdict.passed]
    return verdicts | (_run(url, [(failed, [])], folder / "again") if failed else {})


def _run(url: str, parts: Sequence[Cases], folder: Path) -> dict[str, Verdict]:
    if WSTEST is None:
        raise RuntimeError("there is no wstest: see tests/setup/autobahn.sh")
    runs = [_start(url, cases, folder / str(number)) for number, cases in enumerate(parts, 1)]
    verdicts: dict[str, Verdict] = {}
    try:
        for report, process in runs:
            log, _ = process.communicate(timeout=WITHIN)
            if process.returncode:
                raise subprocess.CalledProcessError(process.returncode, "wstest", log)
            (cases,) = orjson.loads((report / "index.json").read_bytes()).values()
            verdicts |= {name: Verdict.read(said) for name, said in cases.items()}
    finally:
        for _, process in runs:
            process.kill()
    return verdicts


def _start(url: str, cases: Cases, report: Path) -> tuple[Path, subprocess.Popen[bytes]]:
    spec = {
        "outdir": str(report),
        "servers": [{"agent": "phxactor", "url": url}],
        "cases": cases[0],
        "exclude-cases": cases[1],
        "exclude-agent-cases": {},
    }
    report.mkdir(parents=True)
    file = report / "spec.json"
    file.write_bytes(orjson.dumps(spec))
    process = subprocess.Popen(
        [str(WSTEST), "--mode", "fuzzingclient", "--spec", str(file)],
        cwd=report,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return report, process


def section_of(case: str) -> str:
    """Name the section of a case."""
    return case.partition(".")[0]
