"""What a channel or raw socket does without callbacks of its own, and what its callbacks hear of other processes."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from phxactor import Channel, Down, Exited, RawSocket, Socket, WebSocketOptions, channel, mount, on
from phxactor.runtime import Pid, Runtime, monitor, self_pid, spawn, spawn_link, trap_exit
from tests.channels.joining import joined
from tests.sockets.serving import complaints, mounted, serving


class Watching(Channel):
    """Watches other processes, and tells its client what it hears of them."""

    intercepts = frozenset({"news"})

    @on("watch")
    async def watch(self, payload: Any) -> None:  # noqa: ANN401
        monitor(spawn(trio.sleep, 0))

    @on("link")
    async def link(self, payload: Any) -> None:  # noqa: ANN401
        trap_exit()
        spawn_link(trio.sleep, 0)

    @on("broadcast")
    async def tell(self, payload: Any) -> None:  # noqa: ANN401
        self.broadcast("news", payload)

    async def handle_info(self, message: object) -> None:
        if isinstance(message, Down | Exited):
            self.push("heard", [type(message).__name__, message.reason])


async def test_an_intercepted_broadcast_without_a_handler_is_pushed_on(phx_runtime: Runtime) -> None:
    room = await joined(Watching)
    room.push("broadcast", {"n": 1})
    await room.assert_push("news", {"n": 1})


@pytest.mark.parametrize(("event", "message"), [("watch", "Down"), ("link", "Exited")])
async def test_the_end_of_a_process_that_it_watches_is_a_message(
    event: str, message: str, phx_runtime: Runtime
) -> None:
    room = await joined(Watching)
    room.push(event, {})
    await room.assert_push("heard", [message, "normal"])
    assert room.pid.alive


class Silent(RawSocket):
    """Answers nothing."""

    pid: Pid

    async def init(self) -> None:
        await super().init()
        Silent.pid = self_pid()


@pytest.mark.socket
async def test_a_raw_socket_without_handlers_drops_all_messages(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(mounted(Silent)) as server, await server.connect("/socket/websocket") as client:
        await client.send("text")
        await client.send(b"binary")
        Silent.pid.send("a message")
        await client.ping(b"after all that")
        await client.next()
        assert Silent.pid.alive
        assert len(Silent.pid.mailbox) == 0
    assert complaints(caplog) == []


class UserSocket(Socket):
    """With a room."""

    channels = (channel("t", Watching),)


def test_only_sockets_with_channels_have_long_polls() -> None:
    with pytest.raises(TypeError, match="long polling is for sockets with channels: Silent has none"):
        mount("/raw", Silent, websocket=WebSocketOptions(), longpoll=True)
    with pytest.raises(TypeError, match="max_containers is for sockets with channels: Silent has none"):
        mount("/raw", Silent, websocket=WebSocketOptions(max_containers=1))
    assert mount("/socket", UserSocket, longpoll=True).longpoll is not None
