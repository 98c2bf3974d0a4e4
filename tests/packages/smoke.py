"""A user's first steps with the installed package; run by the Python of a clean environment, in an empty folder.

It imports nothing of the repository: `python smoke.py VERSION [tests]`. With `tests`, pytest is installed too.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from importlib.metadata import files, version
from pathlib import Path
from threading import Timer
from urllib.request import urlopen

import trio

import phxactor
from phxactor.client import ReplyError, connect

SECONDS = 300
HERE = Path.cwd()
PROGRAM = str(Path(sys.executable).parent / "phxactor")


def output_of(*command: str, folder: Path = HERE) -> str:
    """Run a command, which must succeed; return what it has printed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def shipped() -> None:
    """Check that all files are there which are no Python."""
    names = {str(file) for file in files("phxactor") or ()}
    page = tuple(f"observer/static/{name}" for name in ("index.html", "observer.js", "observer.css", "THIRD-PARTY.txt"))
    for wanted in ("py.typed", "demos/chat/static/phoenix.mjs", "cli/template/pyproject.toml.txt", *page):
        assert f"phxactor/{wanted}" in names, wanted
    assert not [name for name in names if name.startswith("phxactor/observer/page/")]
    licences = {name.rpartition("/")[2] for name in names if ".dist-info/licenses/" in name}
    assert licences == {"LICENSE", "phoenix.LICENSE.md"}, licences
    assert not [name for name in names if name.startswith("tests/")]
    assert "pytest_phxactor.py" in names
    assert not Path(phxactor.__file__).is_relative_to(HERE)


async def round_trip(url: str) -> None:
    """Join, push, hear the broadcast; and get an error for what is no message."""
    with trio.fail_after(SECONDS):
        async with connect(url.replace("http", "ws", 1) + "/socket/websocket") as socket:
            lobby = await socket.join("chat:lobby", {"name": "ann", "user": "secret"})
            await lobby.push("say", {"body": "hello"})
            async for message in lobby:
                if message.event == "said":
                    assert isinstance(message.payload, dict), message
                    assert message.payload["body"] == "hello", message
                    break
            try:
                await lobby.push("say", {"body": 5})
            except ReplyError as error:
                assert "invalid payload" in str(error), error  # noqa: PT017 - there is no pytest here
            else:
                raise AssertionError("a wrong payload was taken")


def demo() -> None:
    """Run the demo, talk to it, and stop it."""
    with subprocess.Popen([PROGRAM, "demo", "--port", "0"], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            watch = Timer(SECONDS, process.kill)
            watch.daemon = True
            watch.start()
            for line in process.stderr:
                if found := re.search(r"listening on (http://\S+)", line):
                    break
            else:
                raise AssertionError("the demo did not listen")
            url = found[1]
            for path, words in (
                ("/", b"<title>phxactor"),
                ("/phoenix.mjs", b"var Socket = class"),
                ("/observer", b"<0."),
            ):
                body = urlopen(url + path, timeout=SECONDS).read()  # noqa: S310 - our own server
                assert words in body or path == "/observer", path
            trio.run(round_trip, url)
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0


def main() -> None:
    """Take the steps."""
    expected, with_tests = sys.argv[1], "tests" in sys.argv[2:]
    assert version("phxactor") == phxactor.__version__ == expected
    assert output_of(PROGRAM, "--version").strip() == expected
    assert "chat" in output_of(PROGRAM, "demo", "--list")
    shipped()
    demo()
    output_of(PROGRAM, "new", "first_board")
    if with_tests:
        told = output_of(sys.executable, "-m", "pytest", "-q", folder=HERE / "first_board")
        assert re.search(r"\d+ passed", told), told


if __name__ == "__main__":
    main()
