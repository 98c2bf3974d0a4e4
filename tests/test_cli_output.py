"""Standard output of the commands: a reader that leaves, and a full disk. And what a command imports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.demos.program import ROOT, command, environment
from tests.patience import PATIENCE

FULL = Path("/dev/full")
COMMANDS = [["token", "sign", "a", "1"], ["demo", "--list"], ["demo", "pool"], ["--help"]]


def ended(arguments: list[str], output: int) -> tuple[int, str]:
    """Run a command with this standard output; return the exit code and what it says on standard error."""
    done = subprocess.run(
        command(*arguments),
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(), "SECRET_KEY_BASE": "x" * 64},
        cwd=ROOT,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="Windows has no SIGPIPE")
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_reader_that_leaves_ends_the_command_without_a_word(arguments: list[str]) -> None:
    """As `phxactor workers | head -1`: it is killed by SIGPIPE, as other programs are."""
    reading, writing = os.pipe()
    os.close(reading)
    code, said = ended(arguments, writing)
    os.close(writing)
    assert said == ""
    assert code == (1 if arguments == ["--help"] else -signal.SIGPIPE)  # cyclopts prints the help


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
def test_a_full_disk_is_one_line() -> None:
    with FULL.open("wb") as full:
        assert ended(COMMANDS[0], full.fileno()) == (1, "the output cannot be written: No space left on device\n")


def test_serving_imports_no_other_command() -> None:
    """A worker that was killed is to be back soon."""
    script = (
        "import sys; from phxactor import cli; cli.app(['serve', '--help'], result_action='return_value')\n"
        "print(*(name for name in sys.modules if name.startswith('phxactor.')), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment(), timeout=PATIENCE, check=True
    )
    imported = set(done.stderr.split())
    assert "phxactor.cli.serve" in imported
    others = ("broadcast", "demo", "new", "tokens", "top")
    assert not imported & {"phxactor.demos", "phxactor.observer", *(f"phxactor.cli.{one}" for one in others)}


@pytest.mark.parametrize(
    ("arguments", "loads"),
    [(["--version"], set()), (["new", "9"], set()), (["token", "sign", "user"], {"phxactor.otp", "phxactor.token"})],
)
def test_a_command_that_serves_nothing_loads_no_server(arguments: list[str], loads: set[str]) -> None:
    """A shell waits for it: most of the time of a start is that of imports."""
    script = (
        f"import sys; from phxactor import cli; sys.argv[1:] = {arguments!r}\n"
        "try:\n    cli.main()\n"
        "finally:\n    print(*(name for name in sys.modules if name.startswith('phxactor.')), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=PATIENCE,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    imported = set(done.stderr.split())
    assert "phxactor.cli.app" in imported
    assert loads <= imported
    assert not imported & {"phxactor.endpoint", "phxactor.channels", "phxactor.http", "phxactor.net", "phxactor.demos"}
