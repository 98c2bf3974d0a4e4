"""`phxactor serve` and a program whose code raises: its own frames, and one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest

from phxactor.cli.target import find_application

FAILING = """
def configure():
    try:
        {}["DATABASE_URL"]
    except KeyError as error:
        raise ValueError("no database") from error

def make():
    configure()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def told(target: str, *, factory: bool = False) -> list[str]:
    with pytest.raises(SystemExit) as end:
        find_application(target, factory=factory)
    return str(end.value.code).splitlines()


def files(lines: list[str]) -> list[str]:
    """Return the lines of the traceback that name a file."""
    return [line.split('"')[1].rpartition("/")[2] for line in lines if line.startswith("  File ")]


def test_an_import_that_raises(folder: Path) -> None:
    (folder / "raises_one.py").write_text(f"{FAILING}\nmake()\n")
    (folder / "raises_two.py").write_text("import raises_one\n")
    lines = told("raises_two:endpoint")
    assert files(lines) == ["raises_one.py", "raises_two.py", "raises_one.py", "raises_one.py", "raises_one.py"]
    assert lines[-2:] == ["ValueError: no database", "the import of 'raises_two' failed"]


def test_a_module_of_the_program_that_is_missing(folder: Path) -> None:
    (folder / "raises_three.py").write_text("import no_such_module_at_all\n")
    lines = told("raises_three:endpoint")
    assert files(lines) == ["raises_three.py"]
    assert lines[-2:] == [
        "ModuleNotFoundError: No module named 'no_such_module_at_all'",
        "the import of 'raises_three' failed",
    ]


def test_code_that_is_no_python(folder: Path) -> None:
    (folder / "raises_four.py").write_text("x = (\n")
    lines = told("raises_four:endpoint")
    assert files(lines) == ["raises_four.py"]
    assert lines[-2:] == ["SyntaxError: '(' was never closed", "the import of 'raises_four' failed"]


def test_a_factory_that_raises(folder: Path) -> None:
    (folder / "raises_five.py").write_text(FAILING)
    lines = told("raises_five:make", factory=True)
    assert files(lines) == ["raises_five.py"] * 3
    assert lines[-2:] == ["ValueError: no database", "the factory raises_five:make failed"]


def test_a_program_that_ends_itself_says_so(folder: Path) -> None:
    (folder / "raises_six.py").write_text("raise SystemExit('DATABASE_URL is not set')\n")
    assert told("raises_six:endpoint") == ["DATABASE_URL is not set"]
