"""The test kit's assertion about who is present."""

from __future__ import annotations

import pytest
import trio

from phxactor import Presence, open_runtime, spawn
from phxactor.testing import assert_presence


class Here(Presence):
    """Has no callbacks."""


async def test_it_passes_for_exactly_these_keys_and_metas(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await Here.start_link()
        await assert_presence(Here, "t", {})
        Here.track("t", "ann", {"status": "away", "n": 1})
        listed = await assert_presence(Here, "t", {"ann": [{"status": "away"}]})
        assert listed["ann"]["metas"][0]["n"] == 1
        await assert_presence(Here, "t", {"ann": ...})


async def test_it_says_what_differs(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await Here.start_link()
        Here.track("t", "ann", {"status": "away"})
        Here.track("t", "bob")
        with pytest.raises(AssertionError) as failure:
            await assert_presence(Here, "t", {"ann": [{"status": "here"}], "cid": ...})
        text = str(failure.value)
        assert "'cid' is not present" in text
        assert "'bob' is present, and not expected" in text
        assert "'ann': expected 'here', not 'away' @ payload[0]['status']" in text
        assert "present in 't':\n  ann: [{" in text
        with pytest.raises(AssertionError, match="nobody"):
            await assert_presence(Here, "u", {"ann": ...})


async def test_it_waits_for_a_while_if_told_to(autojump_clock: trio.abc.Clock) -> None:
    async def come_late() -> None:
        await trio.sleep(3)
        Here.track("t", "ann")
        await trio.sleep(2)

    async with open_runtime():
        await Here.start_link()
        spawn(come_late)
        with pytest.raises(AssertionError):
            await assert_presence(Here, "t", {"ann": ...}, within=2)
        await assert_presence(Here, "t", {"ann": ...}, within=2)
        await assert_presence(Here, "t", {}, within=5)
