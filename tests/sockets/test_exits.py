"""An `Exit` means what `Stop` means, also out of a nursery: in a raw socket, in a join, in `init`."""

from __future__ import annotations

from typing import Any, Final

import pytest
import trio

from phxactor import (
    NORMAL,
    SHUTDOWN,
    Channel,
    Endpoint,
    Exit,
    RawSocket,
    Shutdown,
    Socket,
    Stop,
    WebSocketOptions,
    channel,
    mount,
)
from phxactor.channels import events as channel_events
from phxactor.runtime import Reason
from phxactor.runtime import events as process_events
from phxactor.transport import events
from tests.conformance.client import Client as Speaker
from tests.conformance.client import Closed
from tests.runtime.actors import emitted
from tests.sockets.serving import eventually, serving

pytestmark = pytest.mark.socket


async def leave(reason: Reason) -> None:
    raise Exit(reason)


class Ends(RawSocket):
    """Ends in three ways."""

    ended: list[Reason]

    async def handle_in(self, data: str | bytes) -> Stop | None:
        how, which = str(data).split()
        reason = REASONS[which]
        if how == "stop":
            return Stop(reason)
        if how == "exit":
            raise Exit(reason)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(leave, reason)
        return None

    async def terminate(self, reason: Reason) -> None:
        self.ended.append(reason)


REASONS: Final[dict[str, Reason]] = {
    "normal": NORMAL,
    "shutdown": SHUTDOWN,
    "disconnected": Shutdown("disconnected"),
    "other": ("any", 1),
}
CODES: Final = {"normal": 1000, "shutdown": 1012, "disconnected": 1001, "other": 1011}


@pytest.mark.parametrize("which", REASONS)
@pytest.mark.parametrize("how", ["stop", "exit", "group"])
async def test_an_exit_means_what_stop_means(how: str, which: str) -> None:
    Ends.ended = []
    options = WebSocketOptions(check_origin=False)
    with emitted(events.disconnected) as told:
        async with (
            serving(Endpoint(sockets=[mount("/raw", Ends, websocket=options)])) as server,
            await Speaker.open(server.url("/raw/websocket")) as client,
        ):
            await client.send(f"{how} {which}")
            assert await client.until_closed() == ([], Closed(CODES[which]))
            await eventually(lambda: told)
    reason = REASONS[which]
    assert Ends.ended == [reason]
    assert [fields["reason"] for fields in told] == [reason]


@pytest.mark.parametrize("which", REASONS)
async def test_an_exit_of_init_closes_as_stop_does(which: str) -> None:
    class Begins(RawSocket):
        async def init(self) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(leave, REASONS[which])

    options = WebSocketOptions(check_origin=False)
    async with (
        serving(Endpoint(sockets=[mount("/raw", Begins, websocket=options)])) as server,
        await Speaker.open(server.url("/raw/websocket")) as client,
    ):
        assert await client.until_closed() == ([], Closed(CODES[which]))


@pytest.mark.parametrize("beside", [False, True])
async def test_a_join_that_exits_out_of_a_nursery_has_exited(*, beside: bool) -> None:
    """As in `GenServer.init`: the exit is the reason, and what was raised beside it is told (TM23)."""

    async def fail() -> None:
        raise LookupError("beside")

    class Room(Channel):
        async def join(self, topic: str, payload: Any) -> None:  # noqa: ANN401
            async with trio.open_nursery() as nursery:
                nursery.start_soon(leave, Shutdown("enough"))
                if beside:
                    nursery.start_soon(fail)

    class UserSocket(Socket):
        channels = (channel("room", Room),)

    options = WebSocketOptions(check_origin=False)
    endpoint = Endpoint(sockets=[mount("/socket", UserSocket, websocket=options)])
    with emitted(channel_events.crashed) as crashed, emitted(process_events.exited) as exited:
        async with serving(endpoint) as server, await Speaker.open(server.url("/socket/websocket?vsn=2.0.0")) as client:
            reply: Any = await client.ask(["1", "1", "room", "phx_join", {}])
            assert reply[4]["response"] == {"reason": "join crashed"}
            await eventually(lambda: Shutdown("enough") in [fields["reason"] for fields in exited])
    assert [type(fields["exception"]) for fields in crashed] == [BaseExceptionGroup] * beside
    assert [fields["reason"] for fields in crashed] == [Shutdown("enough")] * beside
