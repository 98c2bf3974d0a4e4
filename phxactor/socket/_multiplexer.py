"""The multiplexer: it routes the messages of one client to its channels, and tells the client of their ends.

It decides which event of `join_table` a message is; `join_acts` has the acts. Messages come from the client, from
pools, channels and timers. Plain synchronous code, run inside a transport's port.
"""

from __future__ import annotations

from typing import Any, Final, final

from phxactor.otp import Error, Ok
from phxactor.runtime import Answer, Down, Monitor, Pid, Shutdown, drop_monitor, is_atom, is_idle, sweep
from phxactor.socket import events
from phxactor.socket._channel_start import TOO_LATE
from phxactor.socket._join_acts import CELLS, JoinActs
from phxactor.socket._join_table import Event, Phase
from phxactor.socket._mending import UNMATCHED
from phxactor.socket._messages import DRAIN, Broadcast, Message, Ref, SocketClose
from phxactor.socket._output import NOWHERE
from phxactor.socket._serializer import EncodeError, Mistyped, ref_text
from phxactor.socket._socket import Socket
from phxactor.socket._topics import ChannelFrom, Joined, Joining, Late

WAITING: Final = 1000
"""Messages that may wait for the answer of their topic's join; one leave may wait behind them."""

JOIN, LEAVE, PUSH, OVERFLOW = Event.JOIN, Event.LEAVE, Event.PUSH, Event.OVERFLOW
NAMED, NOT_STARTED, TIMEOUT = Event.NAMED, Event.NOT_STARTED, Event.TIMEOUT
OK, REFUSAL, UNWRITABLE = Event.OK, Event.REFUSAL, Event.UNWRITABLE
CLOSE, DOWN, OLD_DOWN, DISCONNECT = Event.CLOSE, Event.DOWN, Event.OLD_DOWN, Event.DISCONNECT

_NO_JOIN: Final = CELLS[Phase.NONE]
_JOINED: Final = CELLS[Phase.JOINED]
_FROM_CLIENT: Final = {"phx_join": JOIN, "phx_leave": LEAVE}


@final
class Multiplexer(JoinActs):
    """The channels of one connection."""

    __slots__ = ()

    def __len__(self) -> int:
        """Count the topics that are joined or being joined."""
        return len(self._topics)

    @property
    def socket(self) -> Socket:
        """The socket of the connection."""
        return self._socket

    def channel_of(self, topic: str) -> Pid | None:
        """Return the channel of a topic, from its start on."""
        entry = self._topics.get(topic)
        return None if entry is None else entry.pid

    def drained(self) -> bool:
        """Return whether no join waits for an answer, and every channel is idle.

        If a channel is busy, the transport is sent `DRAIN` when it is idle. Answers and ends of channels reach the
        transport anyway.
        """
        for entry in self._topics.values():
            if type(entry) is Joined and not is_idle(entry.pid):
                self._pid.runtime.idle.ask(entry.pid, self._pid, DRAIN)
                return False
        return not any(type(entry) is Joining for entry in self._topics.values())

    def end(self) -> None:
        """End the pending joins, since the connection has ended; joined channels monitor the transport themselves.

        Drop the reference to the transport: the two refer to each other, a cycle.
        """
        self._output = NOWHERE
        if self._backlog is not None:
            self._backlog.clear()
        for entry in self._topics.values():
            if type(entry) is Joining:
                entry.waiting.clear()
                self.discard_timer(entry)
                self.step(entry, DISCONNECT)

    # ---------------------------------------------------------------------------------- from the client

    def handle_limited(self, message: Message) -> None:
        """Handle a client's message within the rate limit; a leave is always handled, since it frees a topic."""
        limit = self._message_rate
        if limit is None or limit.take(self._now()) or message.event == "phx_leave":
            self.handle_in(message)
        else:
            self.refuse_rate(message, limit, "messages")

    def handle_mistyped(self, mistyped: Mistyped) -> None:
        """Handle a message with a field of a wrong type; it is answered here if it is for no channel, as in Phoenix."""
        message, limit = mistyped.message, self._message_rate
        if limit is not None and not limit.take(self._now()):
            self.refuse_rate(message, limit, "messages")
        elif mistyped.refusal is not None:
            self.reply_error(message, mistyped.refusal)
        elif type(message.topic) is str:
            self.handle_in(message)
        elif message.event == "phx_leave":
            self.reply(message, "ok", {})
        else:
            self.reply_error(message, UNMATCHED)

    def handle_in(self, message: Message) -> None:
        """Handle a client's message, without a rate limit."""
        entry = self._topics.get(message.topic)
        if type(entry) is Joined:
            if message.event != "phx_join":
                ours, theirs = entry.join_ref, message.join_ref
                if (
                    ours == theirs
                    or ours is None
                    or (theirs is None and message.event != "phx_leave")
                    or (type(message.payload) is bytes and _same_as_text(ours, theirs, message))
                ):
                    entry.pid.deliver(message)  # any other message is for a join that was replaced
                return
            _JOINED[JOIN][1](self, entry, message)
            return
        event = _FROM_CLIENT.get(message.event, PUSH)
        if type(entry) is Joining:
            self.step(entry, OVERFLOW if _is_full(entry, event) else event, message)
        else:
            _NO_JOIN[event][1](self, None, message)

    # ------------------------------------------------------------------------------------ from processes

    def handle_info(self, message: object) -> None:
        """Handle a process's message to the transport, other than an encoded message.

        Unknown messages are dropped, as in Phoenix. Only their exact type is read: any other access to an object of a
        program may raise.
        """
        kind = type(message)
        if kind is Answer:
            ref = message.ref  # type: ignore[attr-defined]
            if type(ref) is ChannelFrom:
                self._channel_answered(ref, message.value)  # type: ignore[attr-defined]
            elif type(ref) is Monitor:
                self._pool_answered(ref, message.value)  # type: ignore[attr-defined]
        elif kind is Down:
            self._down(message)  # type: ignore[arg-type]
        elif kind is SocketClose:
            self._close(message)  # type: ignore[arg-type]
        elif kind is Late:
            self._late(message)  # type: ignore[arg-type]
        elif kind is Broadcast:
            if is_atom(message.event, "disconnect"):  # type: ignore[attr-defined]
                self._output.stop(Shutdown("disconnected"))
        elif is_atom(message, "garbage_collect"):
            found = sweep()
            if events.collected.handlers:
                events.collected.emit(pid=self._pid, objects=found)

    def _pool_answered(self, watch: Monitor, started: Any) -> None:  # noqa: ANN401 - its type is looked at
        """Handle a pool's answer: the process of a channel, or why the start failed."""
        joining = self._asked.pop(watch, None)
        if joining is None:
            return
        joining.pool_watch, pool = None, watch.target
        drop_monitor(watch)
        kind = type(started)
        if kind is Ok:
            if self._closed_early is not None and self._closed_early.pop(started.value, started) is not started:
                self.step(joining, CLOSE)
            self.step(joining, NAMED, started.value)
        elif started is TOO_LATE:
            self.step(joining, TIMEOUT, started.reason)
        else:
            self._not_started(joining, pool, started.reason if kind is Error else started)
        if not self._asked:
            self.forget_asked()

    def _not_started(self, joining: Joining, pool: object, reason: Any) -> None:  # noqa: ANN401 - any term
        """Handle the failure of a start.

        The pool will not name the process now. But a pool starts one channel after the other: a process that it has
        started, and that has said that it closes, is the channel, and its word came first.
        """
        early = self._closed_early or {}
        closed = [pid for pid, parent in early.items() if parent is pool]
        for pid in closed:
            del early[pid]
        if closed:
            self.step(joining, CLOSE)
        self.step(joining, NOT_STARTED, reason)

    def _channel_answered(self, from_: ChannelFrom, answer: Any) -> None:  # noqa: ANN401 - the same
        """Handle a channel's answer to a join; an answer that cannot be encoded is the event UNWRITABLE."""
        joining = self._asked.pop(from_, None)
        if joining is None:
            return
        event, status, payload = OK, "ok", answer
        if type(answer) is Ok:
            payload = answer.value
        elif type(answer) is Error:
            event, status, payload = REFUSAL, "error", answer.reason
        try:
            reply = self.encode_reply(joining.message, status, {} if payload is None else payload)
        except EncodeError as error:
            self.step(joining, UNWRITABLE, str(error))
            return
        if self._closed_early is not None and joining.pid is None and from_.answered_by in self._closed_early:
            self.step(joining, CLOSE)
        self.step(joining, event, reply)

    def _down(self, down: Down) -> None:
        """Handle the exit of a channel, or of a pool that has not answered."""
        joining = self._asked.pop(down.ref, None) if type(down.ref) is Monitor else None
        pid = down.object
        if joining is not None:
            joining.pool_watch = None
            self._not_started(joining, pid, down.reason)
            if not self._asked:
                self.forget_asked()
        elif type(pid) is Pid and (found := self._by_pid.pop(pid, None)) is not None:
            topic, entry = found
            if type(entry) is Joined:
                _JOINED[DOWN][1](self, entry, topic)
            else:
                self._down_while_joining(entry, pid, down)

    def _down_while_joining(self, joining: Joining, pid: Pid, down: Down) -> None:
        if joining.old is not None and joining.old.pid is pid:
            joining.old = None
            self.discard_timer(joining)
            self.step(joining, OLD_DOWN, joining.message)
        else:
            joining.pid = joining.monitor = None
            self.step(joining, DOWN, down.reason)

    def _close(self, message: SocketClose) -> None:
        """Handle a `SocketClose`: a channel exits gracefully.

        Before its pool has named the channel, its socket or its answer to the join identifies it; otherwise the message
        counts once the channel is named.
        """
        pid = message.pid
        if type(pid) is not Pid:
            return
        found = self._by_pid.get(pid)
        if found is not None:
            topic, entry = found
            if type(entry) is Joined:
                _JOINED[CLOSE][1](self, entry, topic)
            elif entry.old is None:  # else it is the replaced channel
                self.step(entry, CLOSE)
        elif self._asked:
            joining = self._starting(pid, message.socket)
            if joining is not None:
                self.step(joining, CLOSE)
            else:
                self._closed_early = {**(self._closed_early or {}), pid: pid.parent}

    def _starting(self, pid: Pid, socket: Socket | None) -> Joining | None:
        """Find the join of a channel that no pool has named yet."""
        for joining in self._asked.values():
            channel = joining.channel_from
            if joining.pid is None and channel is not None and (channel.answered_by is pid or joining.socket is socket):
                return joining
        return None

    def _late(self, late: Late) -> None:
        joining = late.joining
        if joining.timer is not None and joining.timer.argument is late:  # else it was discarded too late
            self.step(joining, TIMEOUT, "join_timeout")


def _is_full(joining: Joining, event: Event) -> bool:
    """Return whether too many messages wait; one leave may wait in any case, since it frees the topic."""
    waiting = joining.waiting
    return len(waiting) >= WAITING and (event is not LEAVE or waiting[-1].event == "phx_leave")


def _same_as_text(ours: Ref, theirs: Ref, message: Message) -> bool:
    """Return whether a binary message is for a join, though its join_ref differs: in binary messages all refs are text.

    There, None is the empty text, and a number is its digits.
    """
    if theirs == "":
        return message.event != "phx_leave"
    return type(ours) is not str and ref_text(ours) == theirs
