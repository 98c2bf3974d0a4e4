"""The zoo, with a few more topics: joins that take long, or fail in other ways, and ends that do.

The model's idea of them stands in `behaviour.JOINS` and `behaviour.CUSTOM`.
"""

from __future__ import annotations

from typing import Any

import attrs
import trio

from phxactor import Endpoint, Error, Ok, Pid, Socket, WebSocketOptions, channel, mount, on, reply, self_pid, spawn
from phxactor.channels import JoinResult, Payload
from phxactor.otp import Ignore, Stop
from phxactor.runtime import From, Reason, monitor, send_after
from tests.conformance.custom import CustomChannel
from tests.conformance.zoo import AssignedChannel, JoinOnly, RoomChannel
from tests.protocol.behaviour import ASYNC, SLOW
from tests.protocol.world import IDLE, JOIN_TIMEOUT, MAX_CHANNELS, MAX_FRAME, MAX_OUTPUT


@attrs.frozen(eq=False, init=False, repr=False)
class App(Endpoint):
    """An endpoint that knows the channels of its clients."""

    alive: dict[tuple[str, str], Pid] = attrs.field(factory=dict)
    """Channels, by client and topic."""

    def __init__(self) -> None:
        options = WebSocketOptions(
            timeout=IDLE,
            max_frame_size=MAX_FRAME,
            max_output_bytes=MAX_OUTPUT,
            max_channels=MAX_CHANNELS,
            join_timeout=JOIN_TIMEOUT,
        )
        super().__init__(sockets=[mount("/socket", UserSocket, websocket=options)])


def _known(socket: Socket) -> None:
    app: App = socket.endpoint  # type: ignore[assignment]
    app.alive[socket.assigns.name, str(socket.topic)] = self_pid()


class Room(RoomChannel):
    """The zoo's, with its times."""

    async def join(self, topic: str, payload: Payload) -> JoinResult:
        _known(self.socket)
        if topic == "room:slow":
            await trio.sleep(SLOW)
            return await super().join("room:awake", payload)
        if topic == "room:never":
            await trio.sleep_forever()
        return await super().join(topic, payload)

    async def terminate(self, reason: Reason) -> None:
        if self.topic == "room:lingers":
            await trio.sleep(SLOW)
        if self.topic == "room:ragged":
            raise RuntimeError("raised in terminate")
        await super().terminate(reason)

    @on("async_reply")
    async def async_reply(self, payload: Payload) -> None:
        spawn(_answer_later, self.socket_ref(), payload)


async def _answer_later(socket_ref: Any, payload: object) -> None:  # noqa: ANN401
    await trio.sleep(ASYNC)
    reply(socket_ref, Ok(payload))


class Only(JoinOnly):
    """The zoo's."""

    async def join(self, topic: str, payload: Payload) -> JoinResult:
        _known(self.socket)
        return await super().join(topic, payload)


class Assigned(AssignedChannel):
    """The zoo's."""

    async def join(self, topic: str, payload: Payload) -> Ok[Payload]:
        _known(self.socket)
        return await super().join(topic, payload)


class Custom(CustomChannel):
    """The zoo's, and some that do not answer at once."""

    async def init(self, arguments: tuple[Any, From, Socket]) -> Ignore | None:
        _, self.from_, socket = arguments
        _known(socket)
        match socket.topic:
            case "custom:late":
                send_after(self_pid(), "answer", SLOW)
            case "custom:lost":
                self_pid().send("lost")
            case "custom:never":
                pass
            case _:
                return await super().init(arguments)
        self.socket, self.watch = socket, monitor(socket.transport_pid)
        return None

    async def handle_info(self, message: object) -> Stop | None:
        match message:
            case "answer":
                self.socket.pubsub_server.subscribe(str(self.socket.topic))
                self.from_.reply(Ok())
            case "lost":
                return Stop("lost")
        return await super().handle_info(message)


class UserSocket(Socket, log=False):
    """Everybody comes in with a name."""

    channels = (
        channel("room:*", Room),
        channel("audit:*", Only),
        channel("exact", Only),
        channel("phoenix", Only),
        channel("assigned:*", Assigned, assigns={"from_socket": "yes"}),
        channel("custom:*", Custom),
    )

    async def connect(self, params: Payload) -> Error | None:
        self.assign(name=params["name"], user_id=params.get("user_id"))
        return Error() if "reject" in params else None

    def identify(self) -> str | None:
        user_id = self.assigns.user_id
        return None if user_id is None else f"users_socket:{user_id}"
