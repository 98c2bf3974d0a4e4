"""The names of `phxactor` are loaded when they are asked for, and are those that a type checker sees."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import phxactor

NO_TRIO = """
import sys
{imports}
loaded = [name for name in sys.modules if name.partition(".")[0] in ("trio", "outcome", "attrs", "h11", "websockets")]
rooms = [name for name in sys.modules if name.count(".") == 1 and name.startswith("phxactor.")]
print(loaded, sorted(rooms))
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def seen_by_checkers() -> dict[str, str]:
    """Read where `phxactor/__init__.py` says that its names come from."""
    tree = ast.parse(Path(phxactor.__file__).read_text())
    block = next(part for part in tree.body if isinstance(part, ast.If) and ast.unparse(part.test) == "TYPE_CHECKING")
    return {
        alias.asname or alias.name: str(statement.module)
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }


@pytest.mark.parametrize(
    ("imports", "rooms"),
    [
        ("import phxactor; phxactor.__version__; dir(phxactor); hasattr(phxactor, '__wrapped__')", []),
        ("import phxactor.envelope", ["phxactor.envelope"]),
        ("import phxactor.emitter", ["phxactor.emitter", "phxactor.envelope"]),
        ("from phxactor import emitter", ["phxactor.emitter", "phxactor.envelope"]),
        ("import phxactor; phxactor.emitter.Emitter", ["phxactor.emitter", "phxactor.envelope"]),
    ],
)
def test_CL46_programs_without_a_runtime_import_none(imports: str, rooms: list[str]) -> None:
    assert run(NO_TRIO.format(imports=imports)) == f"[] {rooms}"


@pytest.mark.parametrize("name", ["Endpoint", "get", "from_thread"])
def test_the_first_name_brings_the_others(name: str) -> None:
    assert (
        run(f"import phxactor; phxactor.{name}; print({{*{list(seen_by_checkers())}}} <= {{*vars(phxactor)}})")
        == "True"
    )


def test_a_name_is_what_its_room_has() -> None:
    names = seen_by_checkers()
    assert {*phxactor.__all__} - {"__version__"} <= names.keys()
    for name, room in names.items():
        assert getattr(phxactor, name) is getattr(import_module(room), name), name


@pytest.mark.parametrize("name", ["KILL", "NOCONNECTION", "NOPROC", "NORMAL", "SHUTDOWN"])
def test_the_reasons_that_a_program_compares_with_are_names_of_the_package(name: str) -> None:
    assert name in phxactor.__all__


def test_a_star_import_leaves_out_what_would_hide_names_of_others() -> None:
    found = run("from phxactor import *; print(sorted(dir()))")
    names = ast.literal_eval(found)
    assert {*phxactor.__all__} <= {*names}
    assert not {"cast", "get", "link", "post", "send"} & {*names}
    assert seen_by_checkers().keys() - {*names} == {"cast", "get", "link", "post", "send"}


def test_dir_lists_names_that_are_not_loaded_yet() -> None:
    listed = ast.literal_eval(run("import phxactor; print(dir(phxactor))"))
    assert seen_by_checkers().keys() | {"__version__"} <= {*listed}


def test_a_room_that_nobody_imported_can_be_asked_for() -> None:
    assert run("import phxactor; print(phxactor.telemetry.__name__)") == "phxactor.telemetry"


@pytest.mark.parametrize("name", ["Endpiont", "_private", "__wrapped__", "no_room"])
def test_what_does_not_exist_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError, match=f"module 'phxactor' has no attribute '{name}'"):
        getattr(phxactor, name)


def test_a_room_whose_import_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    import_module("phxactor.emitter")
    monkeypatch.delattr(phxactor, "emitter")
    monkeypatch.delitem(sys.modules, "phxactor.emitter")
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ImportError, match=r"pip install 'phxactor\[redis\]'"):
        getattr(phxactor, "emitter")  # noqa: B009 - a checker does not know it, since nobody has imported it
