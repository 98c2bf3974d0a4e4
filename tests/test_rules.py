"""Every rule of the specification has a test, or a reason to have none; and the specification links to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules import EXCEPTIONS, PAGES, PRESENCE, SPECIFICATION, exceptions, linked, links, problems, rules

PAGE = """\
## 2. Exit signals

| # | Given | Then | Ev | Tests |
|---|---|---|---|---|
| X1 | a | b | R | an old link |
| X2 ⚠ | a | b | | |

## 14. On trio

| # | Fact | Tests |
|---|---|---|
| TM1 | c | |
"""


def test_every_rule_has_a_test_or_a_reason_to_have_none_and_only_rules_are_cited() -> None:
    assert problems(*(page.read_text() for page in PAGES)) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.name))
def test_a_specification_links_to_the_tests_of_its_rules(path: Path) -> None:
    page = path.read_text()
    assert linked(page, links(), exceptions()) == page, "run `python -m tests.rules`, which writes the links"


def test_the_last_cell_of_a_rule_is_made_anew() -> None:
    assert rules(PAGE) == {"X1": 2, "X2": 2, "TM1": 14}
    found = {"X2": ["[one](x.py)", "[two](y.py)"], "TM1": ["[three](z.py)"]}
    assert linked(PAGE, found, {"X1": "promises nothing"}) == (
        PAGE.replace("an old link", "promises nothing")
        .replace("| a | b | | |", "| a | b | | [one](x.py); [two](y.py) |")
        .replace("| c | |", "| c | [three](z.py) |")
    )


def test_a_rule_without_a_cell_for_its_tests_is_told() -> None:
    with pytest.raises(ValueError, match="X2 has other cells than the head of its table"):
        linked(PAGE.replace("| b | | |", "| b | |"), {}, {})


def test_CL31_rules_of_clusters_are_listed_on_no_page() -> None:
    assert "CL31" not in links()


def test_a_rule_may_have_a_letter() -> None:
    page = PRESENCE.read_text()
    assert rules(page)["PR9a"] == 1
    assert any("test_PR9a_PR132" in link for link in links()["PR9a"])
    assert "PR9 has a test" not in "".join(problems(SPECIFICATION.read_text(), page))
    without = page.replace("| PR9a |", "| PR9b |")
    found = problems(SPECIFICATION.read_text(), without)
    assert any(line.startswith("PR9a is no rule, and has a test: ") for line in found)
    assert "PR9b has no test" in found


def test_what_is_wrong_is_told() -> None:
    page = SPECIFICATION.read_text()
    without_x8 = "".join(line for line in page.splitlines(keepends=True) if not line.startswith("| X8 "))
    found = problems(without_x8)
    assert any(line.startswith("X8 is no rule, and has a test: [tests/runtime/test_links.py") for line in found)
    assert any(line.startswith("docs/") and line.endswith("cites X8, which is no rule") for line in found)
    assert "X23 has no test" in problems(page.replace("| X9 ⚠ |", "| X23 | | | | |\n| X9 ⚠ |"))
    renamed = problems(page.replace("| O3 |", "| O33 |"))
    assert f"O3 is no rule, and is in {EXCEPTIONS.name}" in renamed
