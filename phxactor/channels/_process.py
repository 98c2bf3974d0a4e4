"""The process that runs a channel: it joins, then takes the client's messages and intercepted broadcasts.

It extends the process of a GenServer by its own messages (Phoenix 1.8.12, Channel.Server).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, NoReturn

from phxactor.channels import events
from phxactor.channels._payloads import PayloadError
from phxactor.channels._results import status_of
from phxactor.channels._track_after_join import TrackAfterJoin
from phxactor.cluster import CLUSTER
from phxactor.otp import KINDS, Error, Handler, NoReply, Ok, Outcome, ServerProcess, Stop, interposable, own_handlers
from phxactor.runtime import (
    NOPROC,
    NORMAL,
    Down,
    Exit,
    Exited,
    From,
    Monitor,
    Reason,
    Shutdown,
    State,
    add_monitor,
    fork,
    is_atom,
    is_benign,
    note_report,
    reason_of_failure,
    self_pid,
)
from phxactor.socket import Broadcast, Message, OddEvent, Reply, Socket, fastlane

if TYPE_CHECKING:
    from phxactor.channels._channel import Channel


ACCEPTED: Final[Ok[None]] = Ok()
"""The answer of a `join` that returns nothing."""


def refuse_event(channel: Channel, event: str) -> NoReturn:
    """End a channel that has no handler for its client's event: a mistake of the client, so the log gets one line."""
    if events.unknown_event.handlers:
        name, topic = type(channel).__qualname__, channel.topic
        events.unknown_event.emit(pid=self_pid(), channel=name, topic=topic, client_event=event)
    raise Exit(Shutdown("unknown_event"))


class Listened:
    """Whether somebody listens to the spans of joins."""

    __slots__ = ("joins",)

    def __init__(self) -> None:
        """Look, now and whenever that changes."""
        events.join_started.on_switch(self.look)
        events.join_stopped.on_switch(self.look)
        self.look()

    def look(self) -> None:
        """Look for listeners."""
        self.joins = bool(events.join_started.handlers or events.join_stopped.handlers)


LISTENED: Final = Listened()

_WITH_EVENT: Final = frozenset({Message, OddEvent, Broadcast})


class ChannelProcess(ServerProcess):
    """One channel of one connection."""

    __slots__ = ("channel", "from_", "payload", "socket", "watch")

    def __init__(self, channel: Channel, payload: object, from_: From) -> None:
        """Prepare; the answer to the join goes to `from_`."""
        super().__init__(channel, (), {}, None)
        self.channel = channel
        self.socket = channel.socket
        self.payload = payload
        self.from_ = from_
        self.watch: Monitor | None = None
        """The monitor of the transport."""

    async def run(self) -> None:
        """Be the process."""
        channel, socket = self.channel, self.socket
        self.pid = pid = socket.channel_pid = self_pid()
        topic: str = socket.topic  # type: ignore[assignment]  # a channel's socket has one
        pid.label = topic
        self.parent = pid.parent
        if not socket.transport_pid.alive:
            raise Exit(Shutdown("closed"))  # the transport did not know of this process: it would not end the join
        if pid.runtime.names.whereis(CLUSTER) is not None:
            await socket.pubsub_server.hold(topic)  # so that no broadcast of another node is missed from `join` on
        try:
            if LISTENED.joins:
                result = await self.told_join()
            else:
                result = await channel.join(topic, self.payload)
            if not (result is None or isinstance(result, Ok | Error)):
                raise TypeError(f"join must return Ok(...), Error(...) or None; got {result!r:.200}")  # noqa: TRY301
        except BaseException as error:
            fork.leave(error)
            if pid.state is not State.ALIVE:
                raise
            reason, failure = reason_of_failure(error)
            if failure is not None:
                self.report(reason, "phx_join", failure)
            raise Exit(reason) from None
        if isinstance(result, Error):
            self.from_.reply(result)
            return
        self.watch = add_monitor(pid, socket.transport_pid)
        lane = fastlane(socket.serializer, channel.intercepts)
        socket.pubsub_server.subscribe(topic, lane, pid=pid, through=socket.transport_pid)
        socket.joined = True
        self.from_.reply(ACCEPTED if result is None else result)
        self.payload = None
        del result
        await self.loop(None)

    async def told_join(self) -> object:
        """Run the callback, and tell when it begins and ends."""
        channel, now = self.channel, self.pid.runtime.now
        name, topic, route = type(channel).__qualname__, channel.topic, pattern_of(self.socket)
        began, outcome = now(), "failed"
        if events.join_started.handlers:
            events.join_started.emit(
                pid=self.pid, channel=name, topic=topic, route=route, payload=self.payload, process=self
            )
        try:
            result = await channel.join(topic, self.payload)
            outcome = "refused" if isinstance(result, Error) else "ok"
            return result
        finally:
            if events.join_stopped.handlers:
                events.join_stopped.emit(
                    pid=self.pid, channel=name, topic=topic, route=route, seconds=now() - began, outcome=outcome
                )

    # -------------------------------------------------------------------------------------------- messages

    async def on_message(self, message: Message) -> Outcome:
        """Take a client's event: run its handler, and send the reply."""
        channel, socket = self.channel, self.socket
        event = message.event
        socket.ref = message.ref
        handler = channel.on_handlers.get(event)
        if handler is not None:
            try:
                result = await handler(channel, message.payload)
            except PayloadError as error:
                result = Error({"reason": "invalid payload", "errors": error.errors})
        elif event == "phx_leave":
            result = Stop(Shutdown("left"), reply=Ok())
        else:
            result = await channel.handle_in(event, message.payload)
        if result is None:
            return None
        if type(result) is Ok:
            payload = result.value
            answer = Reply(message.topic, "ok", {} if payload is None else payload, message.ref, socket.join_ref)
            socket.transport_pid.deliver(socket.serializer.encode(answer))
            return None
        return self.answer_otherwise(message, result)

    async def on_odd_event(self, message: OddEvent) -> Outcome:
        """Take an event that is not a string: no handler takes it, not even a `handle_in` for all events."""
        refuse_event(self.channel, message.event)

    def answer_otherwise(self, message: Message, result: object) -> Outcome:
        """Act on the result of a handler of a client's event, other than `Ok` and None."""
        if isinstance(result, NoReply):
            return result
        last = result.reply if isinstance(result, Stop) else result
        split = status_of(last)
        if split is not None:
            answer = Reply(message.topic, *split, message.ref, self.socket.join_ref)
            self.socket.transport_pid.send(self.socket.serializer.encode(answer))
        elif not isinstance(result, Stop):
            raise TypeError(
                f"the handler of {message.event!r:.100} must return Ok(...), Error(...), Status(...), NoReply(...), "
                f"Stop(...) or None; got {result!r:.200}"
            )
        return Stop(result.reason) if isinstance(result, Stop) else None

    async def on_broadcast(self, message: Broadcast) -> Outcome:
        """Take an intercepted broadcast, or one of another topic that the channel has subscribed to itself."""
        channel = self.channel
        if message.topic != channel.topic:
            return await channel.handle_info(message)
        handler = channel.intercept_handlers.get(message.event)
        if handler is not None:
            result = await handler(channel, message.payload)
        else:
            result = await channel.handle_out(message.event, message.payload)
        if result is None or isinstance(result, NoReply | Stop):
            return result
        raise TypeError(
            f"handle_out of {message.event!r:.100} must return NoReply(...), Stop(...) or None; got {result!r:.200}"
        )

    async def on_track_after_join(self, message: TrackAfterJoin) -> Outcome:
        """Do what `join` has asked for: now the channel is subscribed, and the join is answered (PR56 to PR58)."""
        presence, socket = message.presence, self.socket
        presence.publish_to(socket.pubsub_server)  # again: it may have been started anew since
        if message.key is not None:
            presence.track(self.channel.topic, message.key, message.meta, pid=self.pid)
        await presence.push_state(socket, whole=message.whole)
        return None

    async def on_down(self, message: Down) -> Outcome:
        """Exit with the transport (C3); the end of the connection is a benign reason."""
        if message.ref is self.watch:
            reason = message.reason
            raise Exit(Shutdown("closed") if is_atom(reason, NORMAL) or is_atom(reason, NOPROC) else reason)
        return await self.channel.handle_info(message)

    async def on_exited(self, message: Exited) -> Outcome:
        """Exit, even if it traps exits, with its supervisor, and when its transport tells it to (a duplicate join)."""
        if message.pid is self.parent or message.pid is self.socket.transport_pid:
            raise Exit(message.reason)
        return await self.channel.handle_info(message)

    async def act(self, outcome: Outcome) -> None:
        """Act on the result of a callback; before it stops gracefully, tell the transport (C1)."""
        if isinstance(outcome, Stop) and is_benign(outcome.reason):
            self.socket.close(outcome.reason)
        await super().act(outcome)

    # ------------------------------------------------------------------------------------------------- end

    def report_end(self, reason: Reason, message: object, failure: BaseException | None) -> None:
        """Report an abnormal exit, with topic and event."""
        self.report(reason, getattr(message, "event", None) if type(message) in _WITH_EVENT else None, failure)

    def report(self, reason: Reason, event: str | None, failure: BaseException | None) -> None:
        """Emit `crashed`."""
        if events.crashed.handlers:
            events.crashed.emit(
                pid=self.pid,
                channel=type(self.channel).__qualname__,
                topic=self.channel.topic,
                event=event,
                reason=reason,
                exception=failure,
            )
            note_report(self.pid, reason)

    handlers: ClassVar[dict[type | None, Handler]] = {
        **own_handlers(ServerProcess),
        Message: on_message,
        OddEvent: on_odd_event,
        Broadcast: on_broadcast,
        TrackAfterJoin: on_track_after_join,
        Down: on_down,
        Exited: on_exited,
    }


interposable(ChannelProcess, (*KINDS, Message, Broadcast))


def pattern_of(socket: Socket) -> str:
    """Return the pattern of a channel's route, for labels: unlike topics, there are few."""
    return "-" if socket.route is None else socket.route.pattern
