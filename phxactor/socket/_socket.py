"""Socket: the state of a connection, and the class in which a program says who may connect, and to which channels.

    class UserSocket(Socket, log="debug"):
        channels = [channel("room:*", RoomChannel)]

        async def connect(self, params, connect_info):
            self.assign(user_id=params["user_id"])      # return Error(...) to refuse

        def identify(self):
            return f"users_socket:{self.assigns.user_id}"

Each connection has one; each of its channels has a copy, whose assigns are the channel's own (Phoenix 1.8).
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from phxactor.otp import ANY, Error, Ok, check_async, check_sync
from phxactor.runtime import Reason, self_pid
from phxactor.socket._assigns import Assigns, assign
from phxactor.socket._messages import Message, Reply, SocketClose
from phxactor.socket._routes import Route, Routes

if TYPE_CHECKING:
    from phxactor.pubsub import PubSub
    from phxactor.runtime import Pid
    from phxactor.socket._fastlane import Broadcaster
    from phxactor.socket._messages import Ref
    from phxactor.socket._serializer import Serializer

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


class Socket:
    """Subclass it, list the `channels`, write `connect` and `identify`.

    Class options: `log`, the level at which connects and joins are logged (debug, info, warning, error; False: not at
    all); `partitions`, how many supervisors its channels are spread over (default: one for each core). A wrong option,
    or a topic pattern with a `*` elsewhere than at its end, is refused when the class is made.
    """

    channels: ClassVar[Sequence[Route]] = ()
    """The topic routes, made by `channel(pattern, handler, assigns=...)`; the first that matches counts."""
    routes: ClassVar[Routes] = Routes(())
    log_level: ClassVar[int | None] = logging.INFO
    partitions: ClassVar[int | None] = None
    wants_connect_info: ClassVar[bool] = True

    id: str | None = None
    """The result of `identify`."""
    topic: str | None = None
    """The channel's topic; None in the connection's own socket, as are all that follow."""
    route: Route | None = None
    """The route of the topic, with its pattern and its channel."""
    channel_pid: Pid | None = None
    """The channel's process."""
    joined: bool = False
    """Whether the channel's join has been accepted."""
    join_ref: Ref = None
    """The ref that the client gave when joining."""
    ref: Ref = None
    """The ref of the client's latest message to the channel."""

    def __init_subclass__(
        cls, *, log: str | bool | None = None, partitions: int | None = None, **kwargs: object
    ) -> None:
        super().__init_subclass__(**kwargs)
        if log is False:
            cls.log_level = None
        elif log is not None:
            if log not in LEVELS:
                raise ValueError(f"log is one of {', '.join(LEVELS)}, or False, not {log!r}")
            cls.log_level = LEVELS[str(log)]
        if partitions is not None:
            if type(partitions) is not int or partitions < 1:
                raise ValueError(f"partitions must be a whole number of at least 1, not {partitions!r}")
            cls.partitions = partitions
        cls.routes = Routes(cls.channels)
        check_async(cls, {"connect": ANY})
        check_sync(cls, "identify")
        cls.wants_connect_info = _takes_connect_info(cls)

    def __init__(
        self, *, endpoint: Broadcaster, pubsub: PubSub, serializer: Serializer, transport: str, transport_pid: Pid
    ) -> None:
        """Made by a transport, before `connect`."""
        self.endpoint = endpoint
        """The endpoint that the socket is mounted in."""
        self.pubsub_server = pubsub
        """The PubSub that its channels subscribe to."""
        self.serializer = serializer
        """Encodes what goes to this client."""
        self.transport = transport
        """`"websocket"` or `"longpoll"`."""
        self.transport_pid = transport_pid
        """The process that holds the connection."""
        self.handler: type[Socket] = type(self)
        """The socket class."""
        self.assigns = Assigns()

    @property
    def channel(self) -> object:
        """The channel that the topic is routed to; None in the connection's own socket."""
        return None if self.route is None else self.route.channel

    def assign(self, *args: Any, **named: Any) -> Self:  # noqa: ANN401 - any value may be assigned
        """Add to `assigns`: by keywords, a name and a value, a mapping, or a function of the current assigns.

        Raises TypeError for anything else.
        """
        self.assigns = assign(self.assigns, *args, **named)
        return self

    def for_channel(self, topic: str, route: Route, join_ref: Ref) -> Self:
        """Make the copy with which a channel starts."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)  # as `copy.copy` does, but five times faster
        twin.topic = topic
        twin.route = route
        twin.join_ref = join_ref
        if route.assigns:
            twin.assigns = assign(self.assigns, route.assigns)
        return twin

    # -------------------------------------------------------------------------------- for custom channels

    def push(self, event: str, payload: object) -> None:
        """Send an event on the channel's topic to the client; raises EncodeError if that cannot be written."""
        message = Message(str(self.topic), event, payload, None, self.join_ref)
        self.transport_pid.send(self.serializer.encode(message))

    def reply(self, message: Message, status: str, payload: object) -> None:
        """Answer a client's message with a status, `"ok"` or `"error"` mostly; raises EncodeError as `push` does."""
        answer = Reply(message.topic, status, payload, message.ref, self.join_ref)
        self.transport_pid.send(self.serializer.encode(answer))

    def close(self, reason: Reason) -> None:
        """Tell the transport that the channel is about to exit gracefully: the client hears `phx_close`."""
        self.transport_pid.send(SocketClose(self_pid(), reason, self))

    # ------------------------------------------------------------------------------------------ callbacks

    async def connect(self, *args: Any, **kwargs: Any) -> Ok[None] | Error | None:  # noqa: ANN401 - any of the two
        """Authenticate; return `Error(reason)` to refuse.

        Written as `connect(self, params)` or `connect(self, params, connect_info)`, two mappings: the query's
        parameters, as Plug decodes them, and what the transport's `connect_info` option asks for. Runs in the
        transport's process. If it raises, the client is refused with status 500, and the error is logged.
        """
        return None

    def identify(self) -> str | None:
        """Return the id of this connection, or None, as Phoenix's `id/1` does.

        A broadcast of `disconnect` to that id ends all its connections and their channels.
        """
        return None


def _takes_connect_info(cls: type[Socket]) -> bool:
    parameters = [
        parameter
        for parameter in list(inspect.signature(cls.connect).parameters.values())[1:]
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY
    ]
    if any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters):
        return True
    if len(parameters) not in (1, 2):
        raise TypeError(f"{cls.__name__}.connect takes (self, params) or (self, params, connect_info)")
    return len(parameters) == 2  # noqa: PLR2004 - params and connect_info
