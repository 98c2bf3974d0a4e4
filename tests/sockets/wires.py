"""A multiplexer without a connection: what a client would send goes in, what it would hear is noted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, cast

import orjson
import pytest
import trio
import trio.testing

from phxactor import Message, Pid, Socket
from phxactor.otp import DynamicSupervisor
from phxactor.pubsub import PubSub
from phxactor.runtime import Exit, Reason, Runtime, open_runtime, self_pid, set_port
from phxactor.socket import (
    TEXT,
    Broadcaster,
    Mistyped,
    Multiplexer,
    Route,
    Serializer,
    SocketPush,
    V1JSONSerializer,
    V2JSONSerializer,
)
from phxactor.testing import settle
from phxactor.transport import SocketOptions

SERIALIZERS: Final[dict[int, Serializer]] = {1: V1JSONSerializer(), 2: V2JSONSerializer()}
"""Shared by all connections, as they are in an endpoint."""
OK: dict[str, object] = {"status": "ok", "response": {}}


def refusal(reason: str) -> dict[str, object]:
    """Make the payload of a reply that refuses."""
    return {"status": "error", "response": {"reason": reason}}


def reply(ref: object, topic: str, payload: object = None, *, join_ref: object = ...) -> list[object]:
    return [ref if join_ref is ... else join_ref, ref, topic, "phx_reply", OK if payload is None else payload]


def close(ref: object, topic: str) -> list[object]:
    return [ref, ref, topic, "phx_close", {}]


def error(ref: object, topic: str) -> list[object]:
    return [ref, ref, topic, "phx_error", {"reason": "channel_crash"}]


class Wire:
    """One connection: its multiplexer, and what has been pushed to its client."""

    mux: Multiplexer
    pid: Pid
    socket: Socket

    def __init__(self, runtime: Runtime, pool: Pid, pubsub: PubSub) -> None:
        self.runtime = runtime
        self.pool = pool
        self.pubsub = pubsub
        self.heard: list[object] = []
        self.stopped: list[Reason] = []

    # The multiplexer's `Output`.

    def push(self, push: SocketPush) -> None:
        self.heard.append(orjson.loads(push.data) if push.opcode == 1 else push.data)

    def stop(self, reason: Reason) -> None:
        self.stopped.append(reason)
        raise Exit(reason)

    # What tests do.

    def say(self, join_ref: object, ref: object, topic: str, event: str, payload: object = None) -> None:
        """Send as the client."""
        message = Message(topic, event, {} if payload is None else payload, ref, join_ref)  # type: ignore[arg-type]
        self.mux.handle_in(message)

    def say_much(self, join_ref: object, ref: object, topic: str, event: str, payload: object) -> bool:
        """Send what counts by itself; False, and it has not been sent, when there is no room for it."""
        text = orjson.dumps([join_ref, ref, topic, event, payload])
        message = self.mux.backlog.decode(self.socket.serializer.decode, text, TEXT)
        if message is not None:
            self.mux.handle_in(message)
        return message is not None

    def say_odd(self, text: bytes) -> None:
        """Send a text that has a field of a wrong type, as what counts by itself."""
        try:
            self.mux.backlog.decode(self.socket.serializer.decode, text, TEXT)
        except Mistyped as mistyped:
            self.mux.handle_mistyped(mistyped)
        else:
            pytest.fail(f"{text!r} is not odd")

    def join(self, topic: str, ref: object = "1") -> None:
        self.say(ref, ref, topic, "phx_join")

    async def hear(self) -> list[object]:
        """Wait until nothing happens any more; return what the client heard since the last time."""
        await settle()
        heard, self.heard = self.heard, []
        return heard

    async def hang_up(self) -> None:
        """End the connection."""
        self.pid.send("hang up")
        await settle()


def _channels_of(*routes: Route) -> type[Socket]:
    return cast("type[Socket]", type("UserSocket", (Socket,), {"channels": routes}))


@asynccontextmanager
async def wires(
    *routes: Route,
    count: int = 1,
    vsn: int = 2,
    max_channels: int = 100,
    join_timeout: float = 30.0,
    max_input_bytes: int = 8 * 1024 * 1024,
) -> AsyncIterator[list[Wire]]:
    """Open connections to a socket with these routes."""
    handler = _channels_of(*routes)
    async with open_runtime() as runtime:
        pool, pubsub = (await DynamicSupervisor.start_link()).unwrap(), PubSub()
        (await pubsub.start_link()).unwrap()
        made = [Wire(runtime, pool, pubsub) for _ in range(count)]

        async def transport(wire: Wire) -> None:
            wire.pid = self_pid()
            wire.socket = handler(
                endpoint=Broadcaster(pubsub),
                pubsub=pubsub,
                serializer=SERIALIZERS[vsn],
                transport="websocket",
                transport_pid=wire.pid,
            )
            wire.mux = Multiplexer(
                wire.socket,
                wire,
                lambda *_: pool,
                SocketOptions(max_channels=max_channels, join_timeout=join_timeout, max_input_bytes=max_input_bytes),
            )
            over = trio.Event()
            set_port(_port(wire, over.set))
            try:
                await over.wait()
            finally:
                wire.mux.end()

        for wire in made:
            runtime.spawn(transport, wire)
        await settle()
        yield made


def _port(wire: Wire, hang_up: Callable[[], None]) -> Callable[[object], None]:
    def port(message: object) -> None:
        if isinstance(message, SocketPush):
            wire.push(message)
        elif message == "hang up":
            hang_up()
        else:
            wire.mux.handle_info(message)

    return port


@asynccontextmanager
async def wire(
    *routes: Route,
    vsn: int = 2,
    max_channels: int = 100,
    join_timeout: float = 30.0,
    max_input_bytes: int = 8 * 1024 * 1024,
) -> AsyncIterator[Wire]:
    """Open one connection."""
    options = {"max_channels": max_channels, "max_input_bytes": max_input_bytes}
    async with wires(*routes, vsn=vsn, join_timeout=join_timeout, **options) as (only,):
        yield only


def only_the_connection_is_left(it: Wire) -> None:
    """See that nothing is left but main, the pool and the connection."""
    statistics = it.runtime.statistics()
    assert statistics.processes == 4  # main, the pool, the PubSub and it
    assert statistics.timers == 0
    assert len(it.mux) == 0
    assert it.pubsub.statistics().topics == 0
