"""Builds the wheel and the source distribution, installs them into clean environments, and takes a user's first steps.

    python -m tests.packages            with each Python that is supported and is here
    python -m tests.packages 3.13       with this one

Where pytest is installed too, the planted bugs of the test kit (tests/testing/planted) must fail by the same numbers as
here. No compiler is needed: only wheels of the dependencies are taken. With the oldest Python, every dependency is at
its lower bound, and in another environment at its newest version, as with all other Pythons.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from email.parser import Parser
from pathlib import Path
from time import monotonic
from typing import Final
from zipfile import ZipFile

import attrs

from tests.packages.bounds import lowest

ROOT: Final = Path(__file__).parents[2]
SMOKE: Final = Path(__file__).with_name("smoke.py")
PLANTED: Final = ROOT / "tests" / "testing" / "planted"
REPLAYS: Final = "tests.testing.planted.replays"
SECONDS: Final = 900
"""A limit for each step, long enough for a busy machine."""


@attrs.frozen
class Trial:
    """One clean environment."""

    python: str
    """The version of Python, such as 3.12."""
    versions: str
    """`lowest` or `newest`, of the dependencies."""
    extras: str = ""

    def __str__(self) -> str:
        return f"Python {self.python}, {self.versions} dependencies{self.extras and f', {self.extras}'}"


def main(wanted: list[str]) -> int:
    """Return 1 if one of the environments fails."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    prefix = "Programming Language :: Python :: 3."
    pythons = [f"3.{one.removeprefix(prefix)}" for one in pyproject["project"]["classifiers"] if one.startswith(prefix)]
    every = f"[{','.join(pyproject['project']['optional-dependencies'])}]"
    trials = [Trial(pythons[0], "lowest", every), Trial(pythons[0], "newest", every)]
    trials += [Trial(python, "newest", "[testing]" if python == pythons[-1] else "") for python in pythons[1:]]
    with tempfile.TemporaryDirectory(prefix="packages-") as made:
        folder = Path(made)
        wheel = build(folder)
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            asked = [one for one in trials if not wanted or one.python in wanted]
            numbers = run(sys.executable, "-m", REPLAYS, "find", folder=ROOT)
            told = list(pool.map(lambda one: attempt(one, wheel, folder, numbers), asked))
    return 0 if told and all(told) else 1


def build(folder: Path) -> Path:
    """Build the source distribution, and the wheel from it; return the wheel."""
    start = monotonic()
    run(sys.executable, "-m", "build", "--outdir", str(folder / "dist"), str(ROOT))
    (wheel,) = (folder / "dist").glob("*.whl")
    (_,) = (folder / "dist").glob("*.tar.gz")
    assert wheel.name.endswith("-py3-none-any.whl"), wheel.name
    say(f"built {wheel.name} from its source distribution in {monotonic() - start:.0f} s")
    return wheel


def attempt(trial: Trial, wheel: Path, folder: Path, numbers: str) -> bool:
    """Install the wheel, and take the first steps; say how it went, and return whether it went well."""
    python = find(trial.python)
    if python is None:
        say(f"{trial}: skipped, as there is no python{trial.python} here")
        return True
    start = monotonic()
    place = folder / f"{trial.python}-{trial.versions}"
    place.mkdir()
    try:
        inside = install(trial, python, wheel, place)
        (place / "empty").mkdir()
        run(
            inside,
            "-W",
            "error::DeprecationWarning",
            str(SMOKE),
            wheel.name.split("-")[1],
            *tests_of(trial),
            folder=place / "empty",
        )
        if tests_of(trial):
            play_again(inside, place / "replays", numbers)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        say(f"{trial}: FAILED\n{error}\n{error.stdout!s}\n{error.stderr!s}")
        return False
    say(f"{trial}: installed and run in {monotonic() - start:.0f} s")
    return True


def install(trial: Trial, python: str, wheel: Path, place: Path) -> str:
    """Make an environment and install the wheel into it; return its Python."""
    run(python, "-m", "venv", "--without-pip", str(place / "venv"))
    inside = str(place / "venv" / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", inside, "--disable-pip-version-check", "--no-input"]
    command = [*pip, "install", "-q", "--only-binary", ":all:", f"{wheel}{trial.extras}"]
    if trial.versions == "lowest":
        constraints = place / "constraints.txt"
        constraints.write_text("\n".join(lowest(metadata_of(wheel).get_all("Requires-Dist", ()))))
        command += ["--constraint", str(constraints)]
    run(*command)
    run(*pip, "check")
    return inside


def play_again(inside: str, place: Path, numbers: str) -> None:
    """Play the planted bugs by number, with the installed package."""
    copy = place / "tests" / "testing" / "planted"
    shutil.copytree(PLANTED, copy)
    for package in copy.parents[:2]:
        (package / "__init__.py").touch()
    run(inside, "-m", REPLAYS, "again", folder=place, told=numbers)


def tests_of(trial: Trial) -> list[str]:
    return ["tests"] if "testing" in trial.extras else []


def metadata_of(wheel: Path) -> Message:
    """Return the metadata in a wheel."""
    with ZipFile(wheel) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def find(version: str) -> str | None:
    """Return a Python of this version: on PATH, or one that pyenv has; None if there is none that can make a venv."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [shutil.which(f"python{version}"), *sorted(map(str, root.glob(f"versions/{version}.*/bin/python")))]
    for one in found:
        if one is not None and _works(one):
            return one
    return None


def _works(python: str) -> bool:
    try:  # pyenv puts programs on PATH for versions that it does not run here
        return (
            subprocess.run([python, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode == 0
        )
    except OSError:
        return False


def run(*command: str, folder: Path | None = None, told: str = "") -> str:
    """Run a program, which must succeed, with this input; return its output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PHXACTOR"))}
    done = subprocess.run(
        command, cwd=folder, env=environment, input=told, capture_output=True, text=True, timeout=SECONDS, check=True
    )
    return done.stdout


def say(line: str) -> None:
    sys.stdout.write(f"packages: {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
