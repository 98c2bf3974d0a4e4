"""The sections of Autobahn's test suite that take seconds; `make autobahn` plays the others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.autobahn.cases import CASES
from tests.autobahn.suite import QUICK, WSTEST, Verdict, run, section_of
from tests.conformance.server import serve_zoo

pytestmark = [
    pytest.mark.socket,
    pytest.mark.slow,
    pytest.mark.skipif(
        WSTEST is None, reason="there is no wstest: `make test` installs it where there is a Python 2.7"
    ),
]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Verdict]]:
    folder = tmp_path_factory.mktemp("autobahn")
    with serve_zoo(folder) as zoo:
        yield run(zoo.url.replace("http", "ws") + "/echo/websocket", QUICK, folder / "report")


@pytest.mark.parametrize("section", QUICK)
def test_section(section: str, verdicts: dict[str, Verdict]) -> None:
    mine = {name: verdict for name, verdict in verdicts.items() if section_of(name) == section}
    assert mine
    assert {name: verdict for name, verdict in mine.items() if not verdict.passed} == {}


def test_our_own_cases_are_the_same(verdicts: dict[str, Verdict]) -> None:
    assert set(verdicts) == set(CASES)
