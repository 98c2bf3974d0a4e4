"""docs/presence.md: its code runs, and does what the page says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from phxactor import open_runtime
from phxactor.testing import connect, settle
from tests.test_readme import blocks

PAGE = Path(__file__).parents[2] / "docs" / "presence.md"


async def test_the_page_is_true(autojump_clock: trio.abc.Clock, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks(PAGE):
        if block.language == "python":
            exec(block.text, names)  # noqa: S102 - the page is ours
    presence = names["RoomPresence"]
    async with open_runtime():
        for name in ("RoomPresence", "NamedPresence", "WatchedPresence", "Visitors"):
            (await names[name].start_link()).unwrap()
        ann = await connect(names["UserSocket"], {"user_id": "ann"})
        first = await ann.join("room:1")
        await first.assert_push("presence_state", {"ann": {"metas": [{"online_at": int, "phx_ref": str}]}})
        tab = await connect(names["UserSocket"], {"user_id": "ann"})
        await tab.join("room:1")
        await first.assert_push("presence_diff", {"joins": {"ann": {"metas": [...]}}, "leaves": {}})
        assert len(presence.list("room:1")["ann"]["metas"]) == 2
        assert presence.count("room:1") == 1

        await names["start_job"]()
        await settle()
        assert presence.list("jobs") == {}

        assert (await names["away"]("room:9", "eve")).unwrap()
        assert presence.list("room:9")["eve"]["metas"][0]["away"] is True

        named, watched = names["NamedPresence"], names["WatchedPresence"]
        named.track("room:2", "bob")
        found = await named.fetched("room:2")
        assert found["bob"]["name"] == "Bob Burns"
        watched.track("room:3", "cid")
        await settle()
        watched.untrack("room:3", "cid")
        await settle()
        names["Visitors"].track("shop:7", "s1")
        await settle()
    assert capsys.readouterr().out == "cid has come to room:3\ncid has left room:3\nshop:7 ['s1'] []\n"
