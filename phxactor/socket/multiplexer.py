"""The multiplexer: which channel a client's message goes to, and what the client hears of its channels.

Plain synchronous code, run inside a transport's port. The life of a topic on one connection:

    (none) ── phx_join ──▶ Joining ── answered ok ──▶ Joined ── socket_close ─▶ (none), phx_close
                 ▲            │  ▲                      │  └──── any other end ▶ (none), phx_error
                 │            │  └── the old one has gone, its phx_close follows the new join's answer
                 │            │                         │
                 │            └─ refused, crashed, late ▶ (none), a reply with status error
                 └──────────────── phx_join again ──────┘ the old channel is told {:shutdown, :duplicate_join}

A join runs beside the socket: messages for its topic wait for the answer, all other topics go on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol, TypeAlias, final

from phxactor.otp import DynamicSupervisor, Error, Ok
from phxactor.runtime import (
    KILL,
    Answer,
    Crash,
    Down,
    From,
    Pid,
    Reason,
    Shutdown,
    demonitor,
    is_atom,
    sweep,
)
from phxactor.runtime.signals import exit_signal, monitor
from phxactor.socket import events
from phxactor.socket.backlog import Backlog
from phxactor.socket.channel_start import TOO_LATE, channel_spec
from phxactor.socket.mending import UNMATCHED
from phxactor.socket.messages import Broadcast, Message, Ref, Reply, SocketClose, SocketPush
from phxactor.socket.rate_limit import RateLimit
from phxactor.socket.serializer import EncodeError, Mistyped, ref_text
from phxactor.socket.socket import Socket
from phxactor.socket.topics import Joined, Joining, Late

PASSES: Final = 3
"""Of the scheduler, that a channel which is to be replaced has to take what waits for it."""
DUPLICATE_GRACE: Final = 5.0
"""Seconds that a replaced channel has to end before it is killed (C4)."""
HEARTBEATS: Final = "phoenix"
"""The topic of heartbeats; it cannot be joined, whatever the routes say."""
MAX_TOPIC: Final = 255
"""Bytes of a topic that can be joined: more do not fit into a binary message."""
WAITING: Final = 1000
"""Messages that may wait for the answer of their topic's join."""


Pool: TypeAlias = Callable[[type[Socket], Pid], Pid]
"""Says which supervisor starts the channels of a socket's class for a transport."""


class Output(Protocol):
    """What the multiplexer needs of its transport."""

    def push(self, push: SocketPush) -> None:
        """Send to the client."""

    def stop(self, reason: Reason) -> None:
        """End the connection, and with it the process."""


@final
class Nowhere:
    """The output once the connection has ended."""

    def push(self, push: SocketPush) -> None:
        """Drop it: nobody is there."""

    def stop(self, reason: Reason) -> None:
        """Do nothing."""


NOWHERE: Final = Nowhere()


@final
class Multiplexer:
    """The channels of one connection."""

    __slots__ = (
        "_asked",
        "_backlog",
        "_by_pid",
        "_closed_early",
        "_join_timeout",
        "_joins",
        "_max_channels",
        "_max_input_bytes",
        "_messages",
        "_now",
        "_output",
        "_pid",
        "_pool",
        "_routes",
        "_socket",
        "_topics",
    )

    def __init__(
        self,
        socket: Socket,
        output: Output,
        pool: Pool,
        *,
        max_channels: int,
        join_timeout: float,
        max_input_bytes: int,
        messages: RateLimit | None = None,
        joins: RateLimit | None = None,
    ) -> None:
        """Start without channels."""
        self._socket = socket
        self._output: Output = output
        self._pid = socket.transport_pid
        self._now = self._pid.runtime.now
        self._pool = pool
        self._routes = socket.routes.over(socket.transport)
        self._max_channels = max_channels
        self._join_timeout = join_timeout
        self._messages = messages
        self._joins = joins
        self._topics: dict[str, Joined | Joining] = {}
        self._backlog: Backlog | None = None
        self._max_input_bytes = max_input_bytes
        self._by_pid: dict[Pid, tuple[str, Joined | Joining]] = {}
        self._asked: dict[From, Joining] = {}
        self._closed_early: set[Pid] | None = None
        """Processes that have said that they end, and may be channels whose start is not known yet."""

    def __len__(self) -> int:
        """Count the topics that are joined or being joined."""
        return len(self._topics)

    def channel_of(self, topic: str) -> Pid | None:
        """Return the channel of a topic, from its start on."""
        entry = self._topics.get(topic)
        return None if entry is None else entry.pid

    @property
    def backlog(self) -> Backlog:
        """What waits for its channels; most connections never need to know."""
        if self._backlog is None:
            self._backlog = Backlog(self._topics, self._max_input_bytes)
        return self._backlog

    def settled(self) -> bool:
        """Tell whether no join waits for an answer, and every channel has nothing left to do."""
        return all(
            type(entry) is Joined and not entry.pid.mailbox and (entry.pid.waiter is not None or not entry.pid.alive)
            for entry in self._topics.values()
        )

    def end(self) -> None:
        """End the joins that wait for an answer, with the connection; channels see its end by themselves.

        It lets go of its transport, which has it: only the collector would find a circle.
        """
        self._output = NOWHERE
        if self._backlog is not None:
            self._backlog.clear()
        for entry in self._topics.values():
            if type(entry) is Joining:
                entry.waiting.clear()
                if entry.timer is not None:
                    self._pid.runtime.patience.discard(entry.timer)
                if entry.pid is not None:
                    exit_signal(entry.pid, self._pid, Shutdown("closed"))

    # ---------------------------------------------------------------------------------- from the client

    def handle_limited(self, message: Message) -> None:
        """Take a client's message, unless it is too many; a leave is always taken, for it makes room."""
        limit = self._messages
        if limit is None or limit.take(self._now()) or message.event == "phx_leave":
            self.handle_in(message)
        else:
            self._refuse_hurry(message, limit, "messages")

    def handle_mistyped(self, mistyped: Mistyped) -> None:
        """Take a message of which a field is of a wrong type: what is for no channel is answered so, as in Phoenix."""
        message, limit = mistyped.message, self._messages
        if limit is not None and not limit.take(self._now()):
            self._refuse_hurry(message, limit, "messages")
        elif mistyped.refusal is not None:
            self._reply_error(message, mistyped.refusal)
        elif type(message.topic) is str:
            self.handle_in(message)
        elif message.event == "phx_leave":
            self._reply(message, "ok", {})
        else:
            self._reply_error(message, UNMATCHED)

    def handle_in(self, message: Message) -> None:
        """Take a client's message, without asking how many there were."""
        entry = self._topics.get(message.topic)
        if type(entry) is Joined and message.event != "phx_join":
            ours, theirs = entry.join_ref, message.join_ref
            if (
                ours == theirs
                or ours is None
                or (theirs is None and message.event != "phx_leave")
                or (type(message.payload) is bytes and _same_as_text(ours, theirs, message))
            ):
                entry.pid.send(message)  # any other is meant for a join that has been replaced
        elif entry is None:
            self._handle_unjoined(message)
        elif type(entry) is Joining:
            self._wait(entry, message)
        else:
            self._replace(entry, message)

    def _handle_unjoined(self, message: Message) -> None:
        if message.event == "phx_join":
            if not self._may_join(message):
                return
            joining = Joining(message, self._now())
            self._topics[message.topic] = joining
            self._start(joining)
        elif message.event == "phx_leave":
            self._reply(message, "ok", {})
        elif message.event == "heartbeat" and message.topic == HEARTBEATS:
            self._output.push(self._socket.serializer.encode(Reply(HEARTBEATS, "ok", {}, message.ref)))
        else:
            self._reply_error(message, UNMATCHED)

    def _wait(self, joining: Joining, message: Message) -> None:
        if len(joining.waiting) < WAITING:
            joining.waiting.append(message)
        else:
            self._reply(message, "error", {"reason": "too many messages before the join was answered"})

    # -------------------------------------------------------------------------------------------- joins

    def _start(self, joining: Joining) -> None:
        """Ask the pool for a channel."""
        message = joining.message
        topic = message.topic
        fits = topic != HEARTBEATS and len(topic.encode(errors="surrogatepass")) <= MAX_TOPIC
        route = self._routes.match(topic) if fits else None
        if route is None:
            del self._topics[message.topic]
            self._reply_error(message, UNMATCHED)
            self._resume(joining)
        elif len(self._topics) > self._max_channels:
            self._refuse(joining, {"reason": "too many channels joined"})
        else:
            join_ref = message.join_ref if message.join_ref is not None else message.ref
            socket = self._socket.for_channel(message.topic, route, join_ref)
            joining.socket = socket
            joining.from_ = From(self._pid)
            joining.started = From(self._pid)
            self._asked[joining.from_] = self._asked[joining.started] = joining
            try:
                spec, rest = channel_spec(route.channel, (message.payload, joining.from_, socket), self._join_timeout)
            except BaseException as error:  # noqa: BLE001 - the program's; it concerns this join alone
                self._crashed(joining, Crash(error), error)
                return
            joining.timer = self._pid.runtime.patience.add(self._join_timeout, self._pid.send, Late(joining))
            DynamicSupervisor.request_child(self._pool(self._socket.handler, self._pid), spec, joining.started, *rest)

    def _may_join(self, message: Message) -> bool:
        if self._joins is None or self._joins.take(self._now()):
            return True
        self._refuse_hurry(message, self._joins, "joins")
        return False

    def _refuse_hurry(self, message: Message, limit: RateLimit, what: str) -> None:
        """Answer a message that is too many, where an answer is waited for; and let a client go who does not stop."""
        if limit.refused == 1 and events.rate_limited.handlers:
            events.rate_limited.emit(pid=self._pid, socket=self._socket.handler.__name__, what=what)
        if limit.abused:
            self._output.stop(Shutdown("rate_limited"))
        elif message.ref is not None:
            self._reply(message, "error", {"reason": "rate limited"})

    def _replace(self, old: Joined, message: Message) -> None:
        """Join a joined topic: the old channel ends before the new one starts (C4)."""
        if not self._may_join(message):
            return
        joining = Joining(message, self._now())
        joining.old = old
        joining.close = self._socket.serializer.encode(
            Message(message.topic, "phx_close", {}, old.join_ref, old.join_ref)
        )
        self._topics[message.topic] = joining
        self._by_pid[old.pid] = message.topic, joining
        joining.timer = self._pid.runtime.patience.add(DUPLICATE_GRACE, self._pid.send, Late(joining))
        if old.pid.mailbox:
            # What came before this join, a leave perhaps, is for the old channel, if it can take it at once.
            self._end_old_later(old, PASSES)
        else:
            exit_signal(old.pid, self._pid, Shutdown("duplicate_join"))

    def _end_old_later(self, old: Joined, passes: int) -> None:
        if passes and old.pid.mailbox:
            self._pid.runtime.run_soon(partial(self._end_old_later, old, passes - 1))
        else:
            exit_signal(old.pid, self._pid, Shutdown("duplicate_join"))

    def _answered(self, ref: From, value: object) -> None:
        """Take an answer of the pool's supervisor or of the channel, whichever comes first."""
        joining = self._asked.pop(ref, None)
        if joining is None:
            return
        if self._topics.get(joining.message.topic) is not joining:
            if type(value) is Ok and ref is joining.started and not joining.closing:
                exit_signal(value.value, self._pid, KILL)  # it was too late, and nobody knows it
            return
        if ref is joining.from_:
            joining.from_ = None
            if type(value) is Error:
                self._refuse(joining, value.reason)
            else:
                self._admit(joining, value.value if type(value) is Ok else value)
        else:
            joining.started = None
            if type(value) is Ok:
                joining.pid = value.value
                joining.monitor = monitor(self._pid, joining.pid)
                self._by_pid[joining.pid] = joining.message.topic, joining
                if self._closed_early is not None and joining.pid in self._closed_early:
                    joining.closing = True
                if joining.admitted:
                    self._accept(joining)
            elif value is TOO_LATE:
                self._late(joining)
            else:
                self._crashed(joining, value.reason if type(value) is Error else value)

    def _admit(self, joining: Joining, payload: object) -> None:
        """Answer with ok; a custom channel may do so before the pool has said which process it is."""
        try:
            self._reply(joining.message, "ok", {} if payload is None else payload)
        except EncodeError as error:
            if joining.pid is not None:
                exit_signal(joining.pid, self._pid, KILL)
            self._crashed(joining, str(error))
            return
        joining.admitted = True
        self._close_old(joining)
        if joining.pid is not None or joining.closing:
            self._accept(joining)

    def _accept(self, joining: Joining) -> None:
        """Begin: the client has its answer, and the channel is known; or end at once, if it has said so meanwhile."""
        if joining.closing:
            self._push(joining.message.topic, "phx_close", {}, joining.message.join_ref)
            self._drop(joining, "ok")
            return
        pid, watch = joining.pid, joining.monitor
        assert pid is not None and watch is not None  # noqa: S101, PT018 - both were set at once
        topic = joining.message.topic
        joined = Joined(pid, joining.message.join_ref, watch)
        self._topics[topic] = joined
        self._by_pid[pid] = topic, joined
        self._settle(joining, "ok")
        self._resume(joining)

    def _refuse(self, joining: Joining, payload: object) -> None:
        """Answer with an error; one that has been admitted hears phx_error instead."""
        message = joining.message
        try:
            if joining.admitted:
                self._push(message.topic, "phx_error", {"reason": "channel_crash"}, message.join_ref)
            else:
                self._reply(message, "error", {} if payload is None else payload)
        except EncodeError as error:
            self._crashed(joining, str(error))
            return
        self._drop(joining)

    def _crashed(self, joining: Joining, reason: Reason, exception: BaseException | None = None) -> None:
        if events.join_failed.handlers:
            route = self._routes.match(joining.message.topic)
            name = getattr(route.channel, "__name__", repr(route.channel)) if route else "?"
            events.join_failed.emit(topic=joining.message.topic, channel=name, reason=reason, exception=exception)
        self._refuse(joining, {"reason": "join crashed"})

    def _drop(self, joining: Joining, status: str = "error") -> None:
        """Forget a join that came to nothing, or whose channel is about to end."""
        self._topics.pop(joining.message.topic, None)
        if joining.pid is not None:
            self._by_pid.pop(joining.pid, None)
        if joining.monitor is not None:
            demonitor(joining.monitor, flush=True)
        self._settle(joining, status)
        self._resume(joining)

    def _settle(self, joining: Joining, status: str) -> None:
        """Take back what was waiting for the answer, and tell."""
        if joining.from_ is not None:
            joining.from_.active = False
            self._asked.pop(joining.from_, None)
        if not self._asked:
            self._closed_early = None
            self._asked.clear()  # a dict that has had entries keeps room for them: 160 bytes a connection
        if joining.timer is not None:
            self._pid.runtime.patience.discard(joining.timer)
        self._close_old(joining)
        if events.joined.handlers:
            events.joined.emit(
                topic=joining.message.topic,
                status=status,
                socket=self._socket.handler.__name__,
                transport=self._socket.transport,
                seconds=self._now() - joining.began,
                level=self._socket.log_level,
            )

    def _close_old(self, joining: Joining) -> None:
        """Tell of the end of the channel that was replaced, behind the answer to the new join (Phoenix 1.8.12)."""
        if joining.close is not None:
            self._output.push(joining.close)
            joining.close = None

    def _resume(self, joining: Joining) -> None:
        """Take the messages that waited, in order."""
        for message in joining.waiting:
            self.handle_in(message)

    # ------------------------------------------------------------------------------------ from processes

    def handle_info(self, message: object) -> None:
        """Take what a process sent to the transport, other than an encoded message.

        Anything else is dropped, as in Phoenix, and is not asked what it is: it may be a program's own.
        """
        kind = type(message)
        if kind is Answer:
            self._answered(message.ref, message.value)  # type: ignore[attr-defined]
        elif kind is Down:
            self._down(message)  # type: ignore[arg-type]
        elif kind is SocketClose:
            self._close(message)  # type: ignore[arg-type]
        elif kind is Late:
            self._late(message.joining)  # type: ignore[attr-defined]
        elif kind is Broadcast:
            if is_atom(message.event, "disconnect"):  # type: ignore[attr-defined]
                self._output.stop(Shutdown("disconnected"))
        elif is_atom(message, "garbage_collect"):
            found = sweep()
            if events.collected.handlers:
                events.collected.emit(pid=self._pid, objects=found)

    def _down(self, down: Down) -> None:
        topic, entry = self._by_pid.pop(down.object, (None, None))  # type: ignore[call-overload]
        if topic is None or entry is None:
            return
        if isinstance(entry, Joined):
            del self._topics[topic]
            self._push(topic, "phx_error", {"reason": "channel_crash"}, entry.join_ref)
        elif entry.old is not None and entry.old.pid is down.object:
            self._old_has_gone(entry)
        else:
            entry.pid = entry.monitor = None
            self._crashed(entry, down.reason)

    def _old_has_gone(self, joining: Joining) -> None:
        joining.old = None
        if joining.timer is not None:
            self._pid.runtime.patience.discard(joining.timer)
            joining.timer = None
        self._start(joining)

    def _close(self, message: SocketClose) -> None:
        """End a channel that said so before it exits: once its join has been answered, if that is still to come."""
        pid = message.pid
        topic, entry = self._by_pid.get(pid, (None, None))
        if topic is not None and isinstance(entry, Joined):
            demonitor(entry.monitor, flush=True)
            del self._topics[topic], self._by_pid[pid]
            if pid.mailbox:
                self.backlog.leave(topic, pid)
            self._push(topic, "phx_close", {}, entry.join_ref)
            return
        joining = entry if entry is not None else self._starting(message)
        if isinstance(joining, Joining) and joining.old is None:  # else it is the old channel that ends
            joining.closing = True
            if joining.admitted:
                self._accept(joining)

    def _starting(self, message: SocketClose) -> Joining | Joined | None:
        """Find the join of a channel whose process the pool has not named yet."""
        socket = message.socket
        if socket is None:
            if self._asked:
                self._closed_early = {*(self._closed_early or ()), message.pid}
            return None
        joining = self._topics.get(str(socket.topic))
        return joining if isinstance(joining, Joining) and joining.socket is socket else None

    def _late(self, joining: Joining) -> None:
        if self._topics.get(joining.message.topic) is not joining:
            return
        if joining.old is not None:
            exit_signal(joining.old.pid, self._pid, KILL)
            return
        if joining.pid is not None:
            exit_signal(joining.pid, self._pid, KILL)
        self._refuse(joining, {"reason": "join timed out"})

    # ------------------------------------------------------------------------------------- to the client

    def _reply(self, message: Message, status: str, payload: object) -> None:
        reply = Reply(message.topic, status, payload, message.ref, message.join_ref)
        self._output.push(self._socket.serializer.encode(reply))

    def _reply_error(self, message: Message, reason: str) -> None:
        reply = Reply(message.topic, "error", {"reason": reason}, message.ref)
        self._output.push(self._socket.serializer.encode(reply))

    def _push(self, topic: str, event: str, payload: object, join_ref: Ref) -> None:
        self._output.push(self._socket.serializer.encode(Message(topic, event, payload, join_ref, join_ref)))


def _same_as_text(ours: Ref, theirs: Ref, message: Message) -> bool:
    """Tell whether a binary message is meant for a join, though its join_ref is another: there, all refs are text.

    None is empty text, and a number is written.
    """
    if theirs == "":
        return message.event != "phx_leave"
    return type(ours) is not str and ref_text(ours) == theirs
