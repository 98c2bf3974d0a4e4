"""What the tests of a client's channels expect and send."""

from __future__ import annotations

import pytest

from phxactor.client import (
    Channel,
)


async def collect(room: Channel) -> list[tuple[str, object]]:
    return [(message.event, message.payload) async for message in room]


async def expect(room: Channel, error: type[Exception]) -> None:
    with pytest.raises(error):
        await room.push("echo")
