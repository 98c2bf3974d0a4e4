"""The tutorial is played as it stands: its files are written, its commands are run, in the order of the page."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Final
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

import attrs
import pytest
import trio

from phxactor.cli.new import TEMPLATE
from phxactor.client import connect
from phxactor.runtime import open_runtime
from tests.demos.program import ROOT, Program, environment, run, serving
from tests.patience import PATIENCE
from tests.proxies.running import nginx
from tests.types.programs import USER_OPTIONS

PAGE: Final = ROOT / "docs" / "tutorial.md"
BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED: Final = re.compile(r"(?:#|//|<!--) ([\w/.]+)(?: -->)?")
"""The first line of a file."""
BEFOREHAND: Final = ("mkdir", "cd", "python3", ".", "pip")
"""Commands that make the folder and the environment of the reader: tests/packages installs the wheel in a clean one."""
PYTEST: Final = ("-m", "pytest", "-q", "-p", "no:cacheprovider")


@attrs.frozen
class Play:
    """The project of the tutorial, as far as the page has been played."""

    folder: Path

    def write(self, text: str) -> str:
        """Write a file of the page, without the line that says where it goes."""
        first, content = text.split("\n", 1)
        named = NAMED.fullmatch(first)
        assert named is not None, first
        file = self.folder / named[1]
        file.parent.mkdir(exist_ok=True)
        file.write_text(content)
        return named[1]

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=10 * PATIENCE,
            check=False,
        )

    def tool(self, *arguments: str) -> str:
        done = self.python("-m", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def command(self, words: list[str]) -> None:
        """Do what a line of the page says."""
        match words:
            case ["phxactor", "new", "board"]:
                assert run(*words[1:], cwd=self.folder.parent)[0] == 0
            case ["pytest", *_] if not (self.folder / "board" / "store.py").exists():
                pass  # the project of `phxactor new`, as it comes: tests/test_cli_new.py runs its tests
            case ["pytest", *arguments]:
                self.tool(*PYTEST[1:], *arguments)
            case ["phxactor", "serve", target]:
                with self.serving(target) as program:
                    assert b"<title>" in build_opener().open(program.url, timeout=PATIENCE).read()
            case ["rm", *files]:
                for file in files:
                    (self.folder / file).unlink()
            case _:
                assert words[0] in BEFOREHAND or words[:2] == ["phxactor", "top"], words

    @contextmanager
    def serving(self, target: str, *options: str) -> Iterator[Program]:
        with serving("serve", target, "--port", "0", *options, cwd=self.folder) as program:
            yield program


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Play:
    play = Play(tmp_path_factory.mktemp("tutorial") / "board")
    for language, text in BLOCK.findall(PAGE.read_text()):
        if NAMED.fullmatch(text.split("\n", 1)[0]):
            play.write(text)
        else:
            assert language == "sh"
            for line in text.splitlines():
                play.command(shlex.split(line))
    return play


def logged_in(url: str, name: str) -> tuple[OpenerDirector, CookieJar]:
    """Log in as a browser does."""
    cookies = CookieJar()
    browser = build_opener(HTTPCookieProcessor(cookies))
    token = re.search(r'value="(.+?)"', browser.open(f"{url}/", timeout=PATIENCE).read().decode())
    assert token is not None
    form = {"name": name, "password": "correct horse", "_csrf_token": token[1]}
    answer = browser.open(f"{url}/login", urlencode(form).encode(), timeout=PATIENCE)
    assert "<title>Board" in answer.read().decode()
    return browser, cookies


def status_of(url: str, host: str) -> int:
    """Ask for a page by the name of a host that a client has chosen."""
    try:
        with build_opener().open(Request(url, headers={"host": host}), timeout=PATIENCE) as answer:  # noqa: S310 - ours
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


@pytest.mark.slow
@pytest.mark.socket
def test_the_page_can_be_played(played: Play) -> None:
    """All its commands succeed: the fixture has run them. At its end the code is clean."""
    tests = {file.name for file in (played.folder / "tests").iterdir() if file.suffix == ".py"}
    assert tests == {"test_store.py", "test_app.py", "test_crash.py"}
    select = ("--select", "E,F,W,B,UP,I", "--line-length", "120")
    played.tool("ruff", "check", "--isolated", "--config", 'lint.isort.known-first-party=["board"]', *select, ".")
    played.tool("ruff", "format", "--isolated", "--line-length", "120", "--check", ".")
    played.tool("mypy", *USER_OPTIONS, "board", "tests")


@pytest.mark.slow
@pytest.mark.socket
def test_the_bug_of_the_page_is_found_by_the_property_alone(played: Play, tmp_path: Path) -> None:
    broken = Play(tmp_path / "board")
    shutil.copytree(played.folder, broken.folder)
    store = broken.folder / "board" / "store.py"
    committed = "        with self.connection:\n            return function(self.connection, *args)"
    assert committed in store.read_text()
    store.write_text(store.read_text().replace(committed, "        return function(self.connection, *args)"))
    crash = broken.folder / "tests" / "test_crash.py"
    # The story is not made shorter, which takes its time.
    first = "settings(derandomize=True, phases=[Phase.generate], max_examples"
    written = crash.read_text().replace("import settings", "import Phase, settings")
    crash.write_text(written.replace("settings(max_examples", first))
    done = broken.python(*PYTEST)
    assert "AssertionError: acknowledged, and lost: {'" in done.stdout
    assert "1 failed, 10 passed" in done.stdout
    assert "Eleven tests pass." in PAGE.read_text()


@pytest.mark.socket
@pytest.mark.slow
@pytest.mark.proxy
async def test_the_board_behind_nginx(played: Play, tmp_path: Path) -> None:
    """With the files of `deploy`: a login, a note that another client sees, and a tree that no client of nginx sees."""
    unit = (played.folder / "deploy" / "board.service").read_text()
    (started,) = re.findall(
        r"^ExecStart=/srv/board/\.venv/bin/phxactor serve (\S+) --env-file board\.env$", unit, re.MULTILINE
    )
    settings = (played.folder / "deploy" / "board.env").read_text()
    (played.folder / "board.env").write_text(settings.replace("/srv/board/", f"{tmp_path}/"))
    site = (played.folder / "deploy" / "nginx.conf").read_text()
    with (
        played.serving(started, "--env-file", "board.env") as program,
        nginx(tmp_path, int(program.port), site=site) as proxy,
    ):
        url = f"http://{proxy.host}"
        browsers = [logged_in(url, name) for name in ("ann", "bob")]
        cookies = ["; ".join(f"{cookie.name}={cookie.value}" for cookie in jar) for _, jar in browsers]
        with trio.fail_after(PATIENCE):
            async with (
                open_runtime(),
                connect(proxy.url("/socket/websocket"), headers={"cookie": cookies[0], "origin": url}) as ann,
                connect(proxy.url("/socket/websocket"), headers={"cookie": cookies[1], "origin": url}) as bob,
            ):
                ann_in, bob_in = await ann.join("room:lobby"), await bob.join("room:lobby")
                assert await ann_in.push("add", {"text": "milk"}) == {"id": 1}
                assert (await anext(bob_in)).payload == {"id": 1, "author": "ann", "text": "milk"}
                seen = build_opener().open(f"{program.url}/observer", timeout=PATIENCE).read().decode()
                assert seen.count("room:lobby") == 2
                assert "store" in seen
                assert status_of(f"{url}/observer", "localhost") == HTTPStatus.FORBIDDEN
    assert (tmp_path / "board.sqlite3").exists()


def test_the_files_for_a_server_are_those_of_the_other_pages() -> None:
    files = {text.split("\n", 1)[0]: text.split("\n", 1)[1] for _, text in BLOCK.findall(PAGE.read_text())}
    template = (TEMPLATE / "Dockerfile.txt").read_text().replace("@name@", "board").splitlines()
    assert [line for line in files["# Dockerfile"].splitlines() if "/data" not in line] == template
    deploying = (ROOT / "docs" / "deploying.md").read_text()
    for line in files["# deploy/nginx.conf"].splitlines():
        assert line.replace("board", "shop").replace("127.0.0.1:4000", "shop") in deploying
    for line in files["# deploy/board.service"].splitlines():
        if not line.startswith(("Description", "ExecStart")):
            assert line.replace("board", "shop") in deploying
