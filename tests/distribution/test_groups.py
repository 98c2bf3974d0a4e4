"""Process groups on one node: joining, leaving, monitors (ND100 to ND104). Over nodes: `test_groups_nodes`."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from phxactor import Supervisor, self_pid
from phxactor.distribution import CannotTravelError, Groups, Joined
from phxactor.runtime import NoProcessError, open_runtime, receive, spawn, whereis
from phxactor.testing import settle

CHAT = Groups("chat")


async def test_ND101_a_process_that_has_ended_joins_and_is_gone(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await Supervisor.start_link([CHAT])
        pid = spawn(_nothing)
        await settle()
        CHAT.join("room", pid)
        assert CHAT.members("room") == []
        CHAT.join("room")
        assert CHAT.members("room") == CHAT.local_members("room") == [self_pid()]
        assert CHAT.leave("room")


async def _nothing() -> None:
    """End at once."""


async def test_ND104_demonitor_ends_it(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await Supervisor.start_link([CHAT])
        ref, members = CHAT.monitor("room")
        assert members == []
        CHAT.join("room")
        assert await receive() == Joined(ref, "room", (self_pid(),))
        assert CHAT.demonitor(ref)
        assert not CHAT.demonitor(ref)
        CHAT.leave("room")
        with pytest.raises(TimeoutError):
            await receive(timeout=1)


async def test_a_group_is_data_with_a_hash_and_of_bounded_size(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await Supervisor.start_link([CHAT])
        CHAT.join(("room", 42, b"x", None))
        for group, error in (
            ([], TypeError),
            (len, CannotTravelError),
            ("x" * 1000, CannotTravelError),
            (self_pid(), CannotTravelError),
        ):
            with pytest.raises(error):
                CHAT.join(group)
        assert CHAT.groups() == [("room", 42, b"x", None)]


async def test_groups_that_were_not_started_say_so(autojump_clock: MockClock) -> None:
    async with open_runtime():
        assert whereis("chat") is None
        with pytest.raises(NoProcessError, match="make it a child of the program"):
            CHAT.join("room")


async def test_a_process_joins_so_often_at_most(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await Supervisor.start_link([CHAT])
        for _ in range(1000):
            CHAT.join("room")
        with pytest.raises(ValueError, match="has joined 'room' 1000 times"):
            CHAT.join("room")
        assert len(CHAT.members("room")) == 1000
