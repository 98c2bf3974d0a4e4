"""Plays Autobahn's test suite against the zoo, and tells: python -m tests.autobahn [SECTION | CASE...].

Without arguments it plays the sections that take minutes.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.autobahn.suite import LONG, WSTEST, run, section_of
from tests.conformance.server import serve_zoo


def main(sections: list[str]) -> int:
    """Return 1 if a case has failed."""
    if WSTEST is None:
        _say("there is no wstest here: it needs Python 2.7, see tests/setup/autobahn.sh")
        return 0
    folder = Path(tempfile.mkdtemp(prefix="autobahn-"))
    with serve_zoo(folder) as zoo:
        verdicts = run(zoo.url.replace("http", "ws") + "/echo/websocket", sections, folder / "report")
    for section in sections:
        mine = [verdict for name, verdict in verdicts.items() if section in (name, section_of(name))]
        counts = Counter(verdict.behavior for verdict in mine)
        seconds = sum(verdict.seconds for verdict in mine)
        told = ", ".join(f"{count} {behavior}" for behavior, count in counts.items())
        _say(f"section {section:>2}: {told} in {seconds:.0f} s")
    failed = {name: verdict for name, verdict in verdicts.items() if not verdict.passed}
    for name, verdict in failed.items():
        _say(f"case {name}: {verdict.behavior}, its close {verdict.behavior_close}")
    _say(f"the report: {folder / 'report'}")
    return 1 if failed else 0


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a program for people


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or [*LONG]))
