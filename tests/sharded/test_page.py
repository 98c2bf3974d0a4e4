"""docs/sharded.md: its program, on one node and on three."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
import trio
from trio.testing import MockClock

from phxactor import Exit, Supervisor, call
from phxactor.distribution._codec_message import by_class, by_name
from phxactor.runtime import open_runtime, self_pid
from phxactor.testing import HTTPClient, connect

PAGE: Final = (Path(__file__).parents[2] / "docs" / "sharded.md").read_text()
BLOCKS: Final = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Run the blocks of the page; those with the name of a file are modules."""
    monkeypatch.setenv("SECRET_KEY_BASE", "a secret for the page, which is long enough for the endpoint of it")
    names: dict[str, Any] = {}
    made = []
    for block in BLOCKS:
        module = ModuleType("page")
        if (named := re.match(r"# (\w+)\.py\n", block)) is not None:
            made.append(named[1])
            sys.modules[named[1]] = module = ModuleType(named[1])
        exec(compile(block, "docs/sharded.md", "exec"), module.__dict__)  # noqa: S102 - the page's own code
        names.update(module.__dict__)
    yield names
    for name in made:
        del sys.modules[name]
    del by_class[by_name.pop("shop.add").cls]


async def test_its_test_passes(modules: dict[str, Any], autojump_clock: MockClock) -> None:
    await modules["test_the_count_survives_a_deploy"](autojump_clock)


async def test_groups(modules: dict[str, Any]) -> None:
    async with open_runtime():
        (await Supervisor.start_link([modules["lobby"]])).unwrap()
        modules["enter"]()
        assert self_pid().mailbox == [("entered", self_pid())]


async def test_a_route_asks_a_counter(modules: dict[str, Any]) -> None:
    async with open_runtime():
        (await Supervisor.start_link([modules["counters"]])).unwrap()
        await call(modules["counters"]["lobby"], ("add", "ann", 3))
        answer = await HTTPClient(modules["endpoint"]).get("/lobby")
        assert answer.text == "3"


async def test_a_channel_asks_its_room(
    modules: dict[str, Any], autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = sys.modules["lobby"].__dict__
    async with open_runtime():
        (await Supervisor.start_link([page["rooms"]])).unwrap()
        client = await connect(page["UserSocket"])
        with pytest.raises(Exception, match="no such room"):
            await client.subscribe_and_join("room:" + "x" * 100, {})
        room = await client.subscribe_and_join("room:lobby", {})
        assert room.response == {"answer": []}
        await room.assert_reply(room.push("say", {"body": "hello"}), "ok", {"answer": 1})
        await room.assert_broadcast("said", {"body": "hello"})

        async def lost(*_: object, **__: object) -> None:
            raise Exit("nodedown")

        with monkeypatch.context() as patch:
            patch.setitem(page, "call", lost)
            await room.assert_reply(room.push("say", {"body": "a"}), "error", {"reason": "try again"})

        async def crash(*_: object) -> None:
            raise RuntimeError("of the room")

        with monkeypatch.context() as patch:
            patch.setattr(page["Room"], "handle_call", crash)
            await room.assert_reply(room.push("say", {"body": "b"}), "error", {"reason": "try again"})

        async def hang(*_: object) -> None:
            await trio.sleep(60)

        with monkeypatch.context() as patch:
            patch.setattr(page["Room"], "handle_call", hang)
            await room.assert_reply(room.push("say", {"body": "c"}), "error", {"reason": "try again"}, within=5)
        assert page["rooms"].local_keys() == ["room:lobby"]
