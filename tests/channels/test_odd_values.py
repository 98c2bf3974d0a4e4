"""A reason or an exception whose own code raises ends its channel, as any other does: the connection stays."""

from __future__ import annotations

import logging

import pytest
from trio.testing import MockClock

from phxactor import Channel, Ok, Socket, Stop, channel, on
from phxactor.channels import Payload
from phxactor.runtime import Exit, open_runtime
from phxactor.telemetry import EVENTS
from phxactor.testing import connect
from tests.otp.test_odd_values import ENDINGS

endings = pytest.mark.parametrize("name", ENDINGS)


class Room(Channel):
    """Ends as its topic says."""

    async def join(self, topic: str, payload: Payload) -> Ok[object] | None:
        self.name = topic.partition(":")[2]
        if topic.startswith("join:"):
            raise Exit(ENDINGS[self.name]())
        return None

    @on("end")
    async def end(self, payload: Payload) -> Stop:
        return Stop(ENDINGS[self.name]())

    async def handle_info(self, message: object) -> Stop | None:
        return Stop(ENDINGS[self.name]()) if type(message) is str else None


class Rooms(Socket):
    channels = (channel("room:*", Room), channel("join:*", Room))


@endings
async def test_an_odd_end_of_a_channel_is_a_crash_like_any_other(
    name: str, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    before = {one: event.handlers for one, event in EVENTS.items()}
    async with open_runtime():
        client = await connect(Rooms)
        for way in ("event", "message"):
            room = await client.join(f"room:{name}")
            if way == "event":
                room.push("end", {})
            else:
                room.pid.send("end")
            await room.assert_crashed()
        with pytest.raises(AssertionError, match="join crashed"):
            await client.join(f"join:{name}")
        assert client.connected
        other = await client.join("room:other")
        await other.refute_push("phx_error")
    assert {one: event.handlers for one, event in EVENTS.items()} == before
