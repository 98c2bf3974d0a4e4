"""The transport of a test's client: a process with a real multiplexer, and serialized messages without frames.

    Client.push ── FromClient ──▶ port ── decode ──▶ Multiplexer ──▶ channels
    Client.inbox ◀── decode ── port ◀── SocketPush of channels and broadcasts

It runs below the endpoint's supervisor, like every connection. `connect` runs in it, and it is disconnected, drained
and killed like every connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, cast, final

import attrs
import trio

from phxactor.client import decode
from phxactor.endpoint import Admission, RefusedError
from phxactor.http import Params
from phxactor.otp import Call, ChildSpec, Ok
from phxactor.runtime import NORMAL, Exit, Pid, Reason, fatal, receive, self_pid, set_port
from phxactor.socket import (
    BINARY,
    TEXT,
    Broadcast,
    DecodeError,
    Drain,
    Mistyped,
    Multiplexer,
    Pool,
    SharedPush,
    Socket,
    SocketPush,
)
from phxactor.transport import BAD_MESSAGE, DRAINING, SocketOptions, events


@attrs.frozen
class FromClient:
    """A serialized message of the client: str is JSON, bytes a binary message."""

    data: str | bytes


@final
class HangUp:
    """The client disconnects."""


HANG_UP: Final = HangUp()


@attrs.frozen
class Connected:
    """The answer to an accepted connection: its transport."""

    transport: MemoryTransport


@attrs.frozen
class Admitted:
    """The id and assigns of a socket whose `connect` and `identify` are not called."""

    id: str | None
    assigns: Mapping[str, object]


@attrs.frozen
class MemoryAdmission(Admission):
    """A client's request, with the values that the test gives for the connection."""

    given: Mapping[str, object] = attrs.field(factory=dict, kw_only=True)
    auth_token: str | None = attrs.field(default=None, kw_only=True, repr=False)
    admitted: Admitted | None = attrs.field(default=None, kw_only=True)
    """The id and assigns of the socket; if not None, `connect` is not called."""

    async def decide(self, socket: Socket, params: Params, info: dict[str, object]) -> object:
        """Call the socket's `connect`, unless `admitted` is given."""
        if self.admitted is None:
            return await Admission.decide(self, socket, params, info)
        socket.assign(self.admitted.assigns)
        socket.id = self.admitted.id
        return Ok()

    def connect_info(self, auth_token: str | None) -> dict[str, object]:
        """Return the `connect_info`; the test's values replace those of the request."""
        return {**Admission.connect_info(self, auth_token), **self.given}


@final
class MemoryTransport:
    """The connection of one client; the output of its multiplexer."""

    def __init__(self, socket: Socket, options: SocketOptions, pool: Pool, peer: str) -> None:
        self.socket = socket
        self.pid = socket.transport_pid
        self.on_message: Callable[[Any], None] = _nobody
        """Called with each message for the client, and with each broadcast that the test is subscribed to."""
        self.listening: set[str] = set()
        """Topics to whose broadcasts the test is subscribed."""
        self._peer = peer
        self._multiplexer = Multiplexer(socket, self, pool, options)
        self._draining = False

    async def run(self) -> None:
        """Run the transport process until the client disconnects or is disconnected."""
        set_port(self._port)
        try:
            await trio.sleep_forever()
        finally:
            self._multiplexer.end()
            if events.disconnected.handlers:
                events.disconnected.emit(
                    socket=self.socket.handler.__name__,
                    transport=self.socket.transport,
                    peer=self._peer,
                    reason=self.pid.exit_reason,
                    level=self.socket.log_level,
                )

    def channel_of(self, topic: str) -> Pid | None:
        """Return the channel process of a topic, from its start on; None without one."""
        return self._multiplexer.channel_of(topic)

    def push(self, push: SocketPush) -> None:
        """Decode a message for the client, and hand it to `on_message`."""
        self.on_message(decode(push.data.decode() if push.opcode == TEXT else push.data))

    def stop(self, reason: Reason) -> None:
        """End the connection."""
        fatal(self.pid, reason)

    def listen(self, topic: str) -> None:
        """Subscribe the test to the broadcasts of a topic."""
        if topic not in self.listening:
            self.listening.add(topic)
            if topic != self.socket.id:
                self.socket.pubsub_server.subscribe(topic, pid=self.pid)

    def _port(self, message: object) -> None:
        # Not `match`: it may read `__class__` of a message, which may be a program's own object.
        kind = type(message)
        if kind is SocketPush:
            self.push(message)  # type: ignore[arg-type]
        elif kind is SharedPush:
            self.push(message.whole())  # type: ignore[attr-defined]
        elif kind is FromClient:
            self._take(message.data)  # type: ignore[attr-defined]
        elif kind is Broadcast:
            self._broadcast(message)  # type: ignore[arg-type]
        elif kind is HangUp:
            self.stop(NORMAL)
        elif kind is Drain:
            self._draining = True
        else:
            self._multiplexer.handle_info(message)
        if self._draining and self._multiplexer.drained():
            self.stop(DRAINING)

    def _take(self, data: str | bytes) -> None:
        if self._draining:
            return
        opcode, written = (TEXT, data.encode()) if isinstance(data, str) else (BINARY, data)
        try:
            message = self.socket.serializer.decode(written, opcode)
        except Mistyped as mistyped:
            self._multiplexer.handle_mistyped(mistyped)
        except DecodeError:
            self.stop(BAD_MESSAGE)
        else:
            self._multiplexer.handle_limited(message)

    def _broadcast(self, broadcast: Broadcast) -> None:
        if broadcast.topic in self.listening:
            self.on_message(broadcast)
        if broadcast.topic == self.socket.id:
            self._multiplexer.handle_info(broadcast)


def _nobody(_: object) -> None:
    """Drop a message: there is no client yet."""


def transport_spec(admission: MemoryAdmission) -> ChildSpec:
    """Return the child specification of a transport. After its start, a call `"connect"` gets its decision."""
    return ChildSpec(id="connection", start=(_start, (admission,), {}), restart="temporary")


def _start(admission: MemoryAdmission) -> Ok[Pid]:
    return Ok(self_pid().runtime.spawn(_run, admission, link=True, initial_call="MemoryTransport"))


async def _run(admission: MemoryAdmission) -> None:
    """Run the transport process: decide about the client, answer the test, then serve the connection."""
    pid = self_pid()
    began = pid.runtime.now()
    opening = await receive(lambda message: type(message) is Call)
    assert type(opening) is Call  # noqa: S101 - it was looked for
    try:
        admission.check_origin()
        socket = await admission.connect_multiplexed(cast("type[Socket]", admission.handler), admission.auth_token)
    except RefusedError as refused:
        admission.tell_refused(refused.why)
        opening.from_.reply(refused)
        raise Exit(NORMAL) from None
    admission.tell_connected(pid, began, socket.log_level)
    transport = MemoryTransport(socket, admission.options, admission.serving.pool_of, str(admission.request.peer))
    opening.from_.reply(Connected(transport))
    await transport.run()
