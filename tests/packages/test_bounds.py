from __future__ import annotations

import re
import tomllib

import pytest

from tests.demos.program import ROOT
from tests.packages.bounds import lowest


def test_the_lower_bounds_are_the_lowest_versions() -> None:
    given = ["trio<0.36,>=0.35", "cattrs[orjson]>=25.1", "pytest>=8.4; extra == 'testing'", "phxactor[testing]"]
    assert lowest(given) == ["trio==0.35", "cattrs==25.1", "pytest==8.4"]


@pytest.mark.parametrize("requirement", ["trio", "trio<0.36", "trio==0.35"])
def test_a_dependency_has_a_lower_bound(requirement: str) -> None:
    with pytest.raises(ValueError, match="has no lower bound"):
        lowest([requirement])


def test_all_dependencies_of_the_project_have_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    given = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    assert len(lowest(given)) == len(given) > 10
    assert all(re.fullmatch(r"[\w-]+==[\d.]+", one) for one in lowest(given))
