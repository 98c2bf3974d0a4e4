"""README and docs: what they say is executed, and prints what they say."""

from __future__ import annotations

import ast
import inspect
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from io import StringIO
from itertools import pairwise
from pathlib import Path
from types import CodeType
from typing import Any, Final

import attrs
import pytest
import trio
from trio.testing import MockClock

from phxactor import Endpoint, Socket, channel, cli, open_runtime
from phxactor.telemetry import EVENTS
from phxactor.testing import connect
from phxactor.transport import CloseCode, WebSocketOptions
from tests.conftest import MODULES
from tests.demos.program import ROOT, environment, serving
from tests.patience import PATIENCE

README: Final = ROOT / "README.md"
DOCS: Final = sorted((ROOT / "docs").glob("*.md"))
ELSEWHERE: Final = (
    "cluster-testing.md",
    "cluster.md",
    "distribution.md",
    "emitter.md",
    "libraries.md",
    "presence.md",
    "redis.md",
    "sharded.md",
    "testing.md",
    "tutorial.md",
)
"""Those about nodes, the emitter, libraries and Redis need servers: tests/{emitter,libraries,cluster/redis} run them.
Those about testing and sharded servers hold modules of tests (tests/sharded/test_page.py, test_cluster_page.py), that
about processes over nodes is a program with a loop of its own (tests/distribution/test_page.py).
The tutorial is a project: tests/test_tutorial.py plays it."""


CONFIGURATIONS: Final = {"caddy", "cfg", "docker", "ini", "js", "nginx", "yaml"}
"""Languages of blocks that tests/proxies runs, and tests/emitter that of JavaScript."""


@attrs.frozen
class Block:
    """A fenced block of code."""

    language: str
    text: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    """Find the fenced blocks of a page."""
    text = page.read_text()
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield Block(match[1], match[2], text.count("\n", 0, match.start()) + 2)


def readme(language: str, containing: str) -> str:
    """Find the block of the README that contains this."""
    (found,) = [block.text for block in blocks(README) if block.language == language and containing in block.text]
    return found


def compiled(block: Block, page: Path) -> CodeType:
    """Compile, so that a traceback shows the page; `await` may stand at the top."""
    source = "\n" * (block.line - 1) + block.text
    code = compile(source, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    assert isinstance(code, CodeType)
    return code


# ----------------------------------------------------------------------------------------------------- README


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the README's chat server."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "chat.py").write_text(readme("python", "RoomChannel"))
    with serving("serve", "chat:endpoint", "--port", "0", cwd=folder) as program:
        yield program.url


@pytest.mark.socket
@pytest.mark.node
def test_the_chat_of_the_readme_works(chat: str, node: str, tmp_path: Path) -> None:
    """With the README's own lines for the browser."""
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "phoenix").symlink_to(MODULES / "phoenix-1.8.16")
    (tmp_path / "node_modules" / "ws").symlink_to(MODULES / "ws")
    page = readme("js", "room.join()").replace("ws://127.0.0.1:4000", chat.replace("http", "ws"))
    (tmp_path / "page.mjs").write_text(page)
    main = 'import WebSocket from "ws"\nglobalThis.WebSocket = WebSocket\nawait import("./page.mjs")\n'
    (tmp_path / "main.mjs").write_text(main)
    process = subprocess.Popen([node, "main.mjs"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as stdout:
        try:
            assert stdout.readline() == "Hello\n"
        finally:
            process.kill()
            process.wait(PATIENCE)


def test_the_chat_of_the_readme_is_what_it_says() -> None:
    program = readme("python", "RoomChannel")
    assert len(program.splitlines()) <= 22
    namespace: dict[str, Any] = {"__name__": "chat"}
    exec(program, namespace)  # noqa: S102 - this is what the test is about
    assert isinstance(namespace["endpoint"], Endpoint)
    assert namespace["endpoint"].where.port == 4000


async def test_the_custom_channel_of_the_readme_works(autojump_clock: MockClock) -> None:
    namespace: dict[str, Any] = {}
    exec(readme("python", "class Ticker"), namespace)  # noqa: S102 - this is what the test is about
    socket = type("TickSocket", (Socket,), {"channels": [channel("ticks", namespace["Ticker"])]})
    async with open_runtime():
        ticks = await (await connect(socket)).join("ticks", {"seconds": 3})
        await ticks.assert_joined({"every": 3})
        await ticks.assert_push("tick", {"count": 1}, within=4)
        await ticks.assert_push("tick", {"count": 2}, within=4)
        assert trio.current_time() == pytest.approx(6)
        await ticks.assert_reply(ticks.leave(), "ok")
        await ticks.assert_left()


def test_the_tree_of_the_readme_prints_what_it_says(tmp_path: Path) -> None:
    program = tmp_path / "tree.py"
    program.write_text(readme("python", "class Counter"))
    done = subprocess.run(
        [sys.executable, program],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=tmp_path,
        env=environment(),
        check=True,
    )
    assert done.stdout == readme("text", "1")
    assert "Counter" in done.stderr  # the crash is logged


def test_no_block_of_the_readme_is_left_out() -> None:
    """Who adds one adds its test here."""
    assert [block.language for block in blocks(README)] == ["python", "js", "python", "python", "text"]


def test_the_commands_of_the_readme_exist(capsys: pytest.CaptureFixture[str]) -> None:
    text = README.read_text()
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"\bmake ([a-z]+)\b", text))
    assert targets == {"demo", "test", "lint", "types", "unit", "loaded", "coverage", "docs"}
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    for command in set(re.findall(r"\bphxactor (broadcast|demo|new|serve|token|top)\b", text)):
        with suppress(SystemExit):
            cli.app([command, "--help"])
        out = capsys.readouterr().out
        options = re.search(rf"^    phxactor {command}\b.*", text, re.MULTILINE)
        assert options is not None
        assert f"phxactor {command}" in out
        assert all(option in out for option in re.findall(r"--[a-z-]+", options[0]))


@pytest.mark.parametrize("page", [README, *DOCS], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)", page.read_text())
    missing = [target for target, _ in links if target and not (page.parent / target).exists()]
    assert missing == []


# ------------------------------------------------------------------------------------------------------- docs


@pytest.mark.parametrize("page", [page for page in DOCS if page.name not in ELSEWHERE], ids=lambda page: page.name)
async def test_the_code_of_a_page_prints_what_it_says(page: Path, autojump_clock: MockClock) -> None:
    """The blocks of a page are one program; a block of text is what the block before it prints."""
    namespace: dict[str, Any] = {"__name__": page.stem}
    found = [block for block in blocks(page) if block.language not in CONFIGURATIONS]
    assert all(before.language == "python" for before, after in pairwise(found) if after.language == "text")
    handlers = {event: event.handlers for event in EVENTS.values()}
    make_record = logging.getLogRecordFactory()
    async with open_runtime():
        printed = ""
        for block in found:
            if block.language == "text":
                assert printed == block.text, f"{page.name}:{block.line}"
                continue
            assert block.language == "python"
            with redirect_stdout(StringIO()) as output:
                running = eval(compiled(block, page), namespace)  # noqa: S307 - this is what the test is about
                if inspect.iscoroutine(running):
                    await running
            printed = output.getvalue()
    for event, before in handlers.items():  # a page attaches some, for good
        for handler in event.handlers:
            if handler not in before:
                event.detach(handler)
    logging.setLogRecordFactory(make_record)


def test_the_close_codes_are_those_of_the_code() -> None:
    page = (ROOT / "docs" / "close-codes.md").read_text()
    assert [int(code) for code in re.findall(r"^\| (\d{4}) \|", page, re.MULTILINE)] == [
        int(code) for code in CloseCode
    ]


def test_the_options_are_those_of_the_code() -> None:
    page = (ROOT / "docs" / "sockets.md").read_text()
    table = page[page.index("| option |") :]
    named = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert set(named) == {field.name for field in attrs.fields(WebSocketOptions)}
