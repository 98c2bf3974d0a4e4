"""docs/testing.md: its blocks are one module of tests, which pass, and print what it says."""

from __future__ import annotations

import re

import pytest

from phxactor.testing import _channel as channel
from phxactor.testing import _client as client
from tests.demos.program import ROOT
from tests.test_readme import blocks

pytest_plugins = ["pytester"]

PAGE = ROOT / "docs" / "testing.md"


def test_the_tests_of_the_page_pass(pytester: pytest.Pytester) -> None:
    found = list(blocks(PAGE))
    (toml,) = [block.text for block in found if block.language == "toml"]
    pytester.makepyprojecttoml(toml)
    module = "\n\n".join(block.text for block in found if block.language == "python")
    pytester.makepyfile(test_page=module)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-W", "error", "-rP")
    result.assert_outcomes(passed=module.count("def test_"))
    printed = re.sub(r" +\([0-9.e-]+ s later\)", "", result.stdout.str())  # on a busy machine, time passes
    for block in found:
        if block.language == "text":
            assert block.text in printed
    assert {block.language for block in found} == {"toml", "python", "text"}


def test_the_page_names_every_assertion() -> None:
    text = PAGE.read_text()
    for one in (channel.ClientChannel, client.Client):
        for name in vars(one):
            if name.startswith(("assert_", "refute_")):
                assert name in text
