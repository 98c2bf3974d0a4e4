"""Channel: what a program writes to talk to clients on a topic (Phoenix.Channel 1.8).

    class RoomChannel(Channel):
        async def join(self, topic, payload):
            return Ok({"members": 3})                   # or Error({"reason": "unauthorized"})

        @on("new_msg")
        async def new_msg(self, payload: NewMessage):
            self.broadcast("new_msg", {"body": payload.body})
            return Ok()

Each joined topic of each connection is a process of its own, a GenServer: state lives in `self`, a crash ends this
channel alone, and the client joins again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import attrs

from phxactor.channels._handlers import Method, collect
from phxactor.channels._process import ChannelProcess, refuse_event
from phxactor.channels._results import Answered, HandleResult, JoinResult, Payload, status_of
from phxactor.channels._track_after_join import TrackAfterJoin
from phxactor.otp import ChildSpec, Error, GenServer, Ok, check_async
from phxactor.presence import Given, Meta, Presence
from phxactor.runtime import From, Pid, self_pid
from phxactor.socket import Assigns, Ref, Reply, Serializer, Socket


@attrs.frozen
class SocketRef:
    """The address of a reply that is sent later: `reply` sends it, from any process."""

    transport_pid: Pid
    serializer: Serializer
    topic: str
    ref: Ref
    join_ref: Ref


class Channel(GenServer):
    """Subclass it; write `join`, and handlers with `@on`, or `handle_in` for all events alike.

    An exception of a handler ends the channel. The log names topic and event, and the client gets `phx_error`.
    """

    on_handlers: ClassVar[dict[str, Method]] = {}
    intercept_handlers: ClassVar[dict[str, Method]] = {}
    intercepts: ClassVar[frozenset[str]] = frozenset()
    """Events that `handle_out` takes; those of `@intercept` methods are added automatically."""
    presence: ClassVar[type[Presence] | None] = None
    """The Presence of `track_after_join`, `track`, `update` and `untrack`."""
    shared_spec: ClassVar[ChildSpec | None] = None
    """The specification that all its processes are started from; None if the class has a `child_spec` of its own."""

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        payload = ("event", "payload")
        check_async(cls, {"join": ("topic", "payload"), "handle_in": payload, "handle_out": payload})
        cls.on_handlers = collect(cls, "on")
        cls.intercept_handlers = collect(cls, "intercept")
        cls.intercepts = frozenset(cls.intercepts) | frozenset(cls.intercept_handlers)
        own = any("child_spec" in vars(base) for base in cls.__mro__[: cls.__mro__.index(Channel)])
        cls.shared_spec = None if own else cls.child_spec()

    def __init__(self, socket: Socket) -> None:
        self.socket = socket

    @property
    def topic(self) -> str:
        """The topic that was joined."""
        return str(self.socket.topic)

    @property
    def assigns(self) -> Assigns:
        """The channel's own named values; they start as those of the socket and the route."""
        return self.socket.assigns

    def assign(self, *args: Any, **named: Any) -> Self:  # noqa: ANN401 - any value may be assigned
        """Add to `assigns`, as `Socket.assign` does."""
        self.socket.assign(*args, **named)
        return self

    # ------------------------------------------------------------------------------------------ callbacks

    async def join(self, topic: str, payload: Payload) -> JoinResult:
        """Let the client in with `Ok(payload)` or None, or refuse with `Error(payload)`.

        Other topics of the connection go on meanwhile; messages for this one wait. If it raises, the client gets the
        error "join crashed". A join cannot push: have it send a message to its own process, and push in `handle_info`.
        """
        return None

    async def handle_in(self, event: str, payload: Payload) -> HandleResult:
        """Take a client's event that no `@on` method takes.

        By default it is the client's mistake: the log gets one line, and the channel exits with
        `Shutdown("unknown_event")`, so that the client gets `phx_error`, as in Phoenix.
        """
        refuse_event(self, event)

    async def handle_out(self, event: str, payload: Payload) -> HandleResult:
        """Take a broadcast named in `intercepts` that no `@intercept` method takes; by default, push it."""
        self.push(event, payload)
        return None

    # -------------------------------------------------------------------------------------- for callbacks

    def push(self, event: str, payload: object) -> None:
        """Send an event to this client; a payload is what JSON can hold, or `bytes`.

        Raises RuntimeError before the join has been accepted, EncodeError for a payload that cannot be written.
        """
        self._joined("push").push(event, payload)

    def broadcast(self, event: str, payload: object) -> None:
        """Send an event to all clients on the topic, this one included."""
        self._joined("broadcast").endpoint.broadcast(self.topic, event, payload)

    def broadcast_from(self, event: str, payload: object) -> None:
        """Send an event to all clients on the topic except this one."""
        socket = self._joined("broadcast")
        if socket.channel_pid is not None:
            socket.endpoint.broadcast_from(socket.channel_pid, self.topic, event, payload)

    def track_after_join(self, key: object = None, meta: Given = None, *, whole: bool = False) -> None:
        """Show this client as present, and show it who is: for `join`.

        Once the join has been answered, the channel's process is tracked under the key, and `presence_state` is pushed.
        Without a key it is only pushed. With `whole`, the state is one message even if it is larger than the Presence's
        `max_state_bytes`: for a client that joins again. Raises TypeError if the class has no `presence`.
        """
        self_pid().send(TrackAfterJoin(self._present(), key, meta, whole))

    def track(self, key: object, meta: Given = None) -> Ok[str] | Error:
        """Track this channel's process under a key of its topic: `Presence.track`."""
        return self._present().track(self.topic, key, meta, pid=self._joined("track").channel_pid)

    def update(self, key: object, meta: Given | Callable[[Meta], Given]) -> Ok[str] | Error:
        """Replace its meta under a key, by another one or by a function of the present one: `Presence.update`."""
        return self._present().update(self.topic, key, meta, pid=self.socket.channel_pid)

    def untrack(self, key: object) -> None:
        """Stop tracking it under a key: `Presence.untrack`. The end of the channel needs none."""
        self._present().untrack(self.topic, key, pid=self.socket.channel_pid)

    async def push_presence_state(self, *, whole: bool = True) -> None:
        """Push `presence_state` again; phoenix.js takes it as the whole truth, so it is one message if `whole`."""
        await self._present().push_state(self._joined("push"), whole=whole)

    def _present(self) -> type[Presence]:
        presence = self.presence
        if presence is None:
            name = type(self).__qualname__
            raise TypeError(f"{name} has no Presence: name it in the class, as in `presence = RoomPresence`")
        presence.publish_to(self.socket.pubsub_server)
        return presence

    def socket_ref(self) -> SocketRef:
        """Return the address of the current message's reply; raises RuntimeError if the message has no ref."""
        socket = self._joined("answer later")
        if socket.ref is None:
            raise RuntimeError("this message has no ref, so the client waits for no answer")
        return SocketRef(socket.transport_pid, socket.serializer, self.topic, socket.ref, socket.join_ref)

    def _joined(self, what: str) -> Socket:
        if not self.socket.joined:
            raise RuntimeError(
                f"cannot {what} before the join is accepted; in join, send a message to self_pid(), "
                "and do it in handle_info"
            )
        return self.socket

    # -------------------------------------------------------------------------------------------- process

    @classmethod
    def child_spec(cls, *args: Any, **_: object) -> ChildSpec:  # noqa: ANN401 - as GenServer's
        """Return the specification by which the pool starts it; its only argument is `(payload, from_, socket)`."""
        return ChildSpec(id=cls.__name__, start=(_start, (cls, *args), {}), restart="temporary")


def _start(cls: type[Channel], arguments: tuple[object, From, Socket]) -> Ok[Pid]:
    """Spawn the process, linked to the pool's supervisor. `join` runs in it, so the supervisor does not wait."""
    payload, from_, socket = arguments
    process = ChannelProcess(cls(socket), payload, from_)
    pool = self_pid()
    return Ok(pool.runtime.start(pool, process.run, (), True, cls.__qualname__))  # noqa: FBT003


def reply(socket_ref: SocketRef, answer: Answered) -> None:
    """Reply to the message of a `socket_ref`: from any process, before or after the handler has returned.

    Raises TypeError if it is no `Ok`, `Error` or `Status`, EncodeError for a payload that cannot be written.
    """
    split = status_of(answer)
    if split is None:
        raise TypeError(f"an answer must be Ok(...), Error(...) or Status(...); got {answer!r:.200}")
    message = Reply(socket_ref.topic, *split, socket_ref.ref, socket_ref.join_ref)
    socket_ref.transport_pid.send(socket_ref.serializer.encode(message))
