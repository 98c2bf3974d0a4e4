"""`phxactor new`: the project that it makes works, and it overwrites nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.request import urlopen

import pytest

from phxactor import cli
from phxactor.cli.new import TEMPLATE
from tests.demos.program import ROOT, environment, run, serving
from tests.patience import PATIENCE
from tests.types.programs import USER_OPTIONS


def made(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Run the command in a folder; return the words that it ends with, or 0."""
    monkeypatch.chdir(folder)
    try:
        cli.app(["new", name])
    except SystemExit as end:
        return end.code
    return 0


def tool(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new")
    code, out, err = run("new", "my_board", cwd=folder)
    assert (code, err) == (0, "")
    assert out.startswith(f"made {folder / 'my_board'}\n")
    return folder / "my_board"


@pytest.mark.slow
def test_the_tests_of_a_new_project_pass(project: Path) -> None:
    assert re.search(r"\b\d+ passed\b", tool(project, "pytest", "-q", "-p", "no:cacheprovider"))


@pytest.mark.slow
def test_the_code_of_a_new_project_is_clean(project: Path) -> None:
    tool(project, "ruff", "check", "--isolated", "--select", "E,F,W,B,UP,SIM", "--line-length", "120", ".")
    tool(project, "ruff", "check", "--isolated", "--select", "D1", "my_board")
    tool(project, "ruff", "format", "--isolated", "--line-length", "120", "--check", ".")
    tool(project, "mypy", *USER_OPTIONS, "my_board", "tests")


@pytest.mark.socket
def test_a_new_project_serves(project: Path) -> None:
    with serving("serve", "my_board.app:application", "--port", "0", cwd=project) as program:
        for path, words in (("/health", b"ok"), ("/", b"<title>my_board"), ("/phoenix.mjs", b"var Socket = class")):
            assert words in urlopen(program.url + path, timeout=PATIENCE).read()  # noqa: S310 - our own server
        code, printed = program.stop()
    assert code == 0
    assert "ERROR" not in printed


def test_a_new_project_is_whole(project: Path) -> None:
    files = {str(file.relative_to(project)) for file in project.rglob("*") if file.is_file()}
    files = {file for file in files if "__pycache__" not in file and ".mypy_cache" not in file and ".ruff" not in file}
    assert files == {
        ".dockerignore",
        ".gitignore",
        "Dockerfile",
        "README.md",
        "my_board/__init__.py",
        "my_board/app.py",
        "my_board/history.py",
        "my_board/room.py",
        "my_board/static/app.js",
        "my_board/static/index.html",
        "my_board/static/phoenix.LICENSE.md",
        "my_board/static/phoenix.mjs",
        "pyproject.toml",
        "tests/test_app.py",
    }
    assert len(files) == len([file for file in TEMPLATE.rglob("*") if file.is_file()]) + 2
    assert not [file for file in files if b"@name@" in (project / file).read_bytes()]
    toml = tomllib.loads((project / "pyproject.toml").read_text())
    assert toml["project"]["name"] == "my_board"
    docker = (project / "Dockerfile").read_text()
    for line in re.findall(r"^COPY (.*) \S+$", docker, re.MULTILINE):
        assert all((project / source).exists() for source in line.split())
    for words in re.findall(r"^(?:CMD|HEALTHCHECK CMD) (.*)$", docker, re.MULTILINE):
        assert all(isinstance(word, str) for word in json.loads(words))
    assert json.loads(docker.splitlines()[-1].removeprefix("CMD ")) == ["phxactor", "serve", "my_board.app:application"]
    readme = (project / "README.md").read_text()
    for path in re.findall(r"^\| `([\w/.]+)`", readme, re.MULTILINE):
        assert path.isupper() or (project / path).exists(), path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("my-board", "a letter first, such as 'my_board'; 'my-board' is none"),
        ("My Board", "such as 'my_board'"),
        ("", "a name has up to 50 lower-case letters"),
        ("../evil", "such as 'evil'"),
        ("/etc", "such as 'etc'"),
        ("a/b", "a letter first"),
        ("1st", "a letter first; '1st' is none"),
        ("a" * 51, "up to 50"),
        ("bücher", "a letter first"),
        ("class", "'class' is a word of Python"),
        ("match", "'match' is a word of Python"),
        ("json", "there is a module 'json' already"),
        ("trio", "there is a module 'trio' already"),
        ("tests", "there is a module 'tests' already"),
        ("static", "there is a module 'static' already"),
    ],
)
def test_names_that_are_none(name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert words in str(made(name, tmp_path, monkeypatch))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_nothing_is_overwritten(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = tmp_path / "my_board"
    if kind == "folder":
        there.mkdir()
    elif kind == "file":
        there.write_text("mine")
    else:
        there.symlink_to(tmp_path / "nowhere")
    assert made("my_board", tmp_path, monkeypatch) == f"{there} exists already, and stays as it is; give another name"
    assert [path.name for path in tmp_path.rglob("*")] == ["my_board"]


def test_the_template_is_not_run_as_code() -> None:
    assert not list(TEMPLATE.rglob("*.py"))
    assert TEMPLATE.is_relative_to(ROOT / "phxactor")
