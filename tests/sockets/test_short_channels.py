"""Channels that are over before their pool has said that they began, over both transports and in both versions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from trio.testing import MockClock

from phxactor import (
    Endpoint,
    From,
    GenServer,
    Ok,
    Shutdown,
    Socket,
    SocketClose,
    Stop,
    WebSocketOptions,
    channel,
    mount,
)
from phxactor.otp import Continue
from phxactor.runtime import self_pid
from tests.longpoll.polling import TAKEN, house
from tests.sockets.serving import serving


class Short(GenServer):
    """Answers, closes and stops before its start returns."""

    async def init(self, arguments: tuple[Any, From, Socket]) -> Continue:
        _, from_, self.socket = arguments
        from_.reply(Ok())
        return Continue("bye")

    def close(self) -> None:
        self.socket.close(Shutdown("done"))

    async def handle_continue(self, argument: object) -> Stop:
        self.close()
        return Stop(Shutdown("done"))


class ShortByHand(Short):
    """Closes by a message of its own."""

    def close(self) -> None:
        self.socket.transport_pid.send(SocketClose(self_pid(), Shutdown("done")))


class NotStarted(ShortByHand):
    """Fails in its start, after all that."""

    async def init(self, arguments: tuple[Any, From, Socket]) -> Stop:  # type: ignore[override]
        await super().init(arguments)
        self.close()
        return Stop("failed")


class UserSocket(Socket, log=False):
    channels = (channel("short", Short), channel("by_hand", ShortByHand), channel("not_started", NotStarted))


TOPICS: Final = ["short", "by_hand", "not_started"]


def join_v2(topic: str) -> list[object]:
    return ["1", "1", topic, "phx_join", {}]


def join_v1(topic: str) -> dict[str, object]:
    return {"topic": topic, "event": "phx_join", "payload": {}, "ref": "1"}


def heard_v2(topic: str) -> list[object]:
    answer = {"status": "ok", "response": {}}
    return [["1", "1", topic, "phx_reply", answer], ["1", "1", topic, "phx_close", {}]]


def heard_v1(topic: str) -> list[object]:
    answer = {"status": "ok", "response": {}}
    return [
        {"topic": topic, "event": "phx_reply", "payload": answer, "ref": "1"},
        {"topic": topic, "event": "phx_close", "payload": {}, "ref": None},
    ]


VERSIONS: Final = [
    pytest.param("2.0.0", join_v2, heard_v2, id="version 2"),
    pytest.param("1.0.0", join_v1, heard_v1, id="version 1"),
]


@pytest.mark.socket
@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize(("vsn", "join", "heard"), VERSIONS)
async def test_a_short_channel_is_closed_over_a_websocket(
    vsn: str, join: Callable[[str], object], heard: Callable[[str], list[object]], topic: str
) -> None:
    options = WebSocketOptions(check_origin=False)
    endpoint = Endpoint(sockets=[mount("/socket", UserSocket, websocket=options)])
    async with serving(endpoint) as server, await server.connect(f"/socket/websocket?vsn={vsn}") as client:
        await client.send(join(topic))
        assert [await client.json() for _ in range(2)] == heard(topic)


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize(("vsn", "join", "heard"), VERSIONS)
async def test_a_short_channel_is_closed_over_long_polling(
    vsn: str,
    join: Callable[[str], object],
    heard: Callable[[str], list[object]],
    topic: str,
    autojump_clock: MockClock,
) -> None:
    async with house(handler=UserSocket) as it:
        client = await it.opened(vsn=vsn)
        assert await client.publish(join(topic)) == TAKEN
        came = await client.messages()
        while len(came) < 2:
            came += await client.messages()
        assert came == heard(topic)
