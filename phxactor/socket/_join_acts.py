"""The acts of `join_table`: a method for each, which changes the joins of one connection.

An act gets the join, or None if the topic has none yet, and the value of the event.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

from phxactor.otp import DynamicSupervisor
from phxactor.runtime import KILL, Crash, Pid, Reason, Shutdown, add_monitor, drop_monitor, exit_signal, own
from phxactor.socket._channel_start import channel_spec
from phxactor.socket._join_state import JoinState
from phxactor.socket._join_table import Act, Event, Phase, cell
from phxactor.socket._mending import UNMATCHED
from phxactor.socket._messages import Message, Reply, SocketPush
from phxactor.socket._socket import Socket
from phxactor.socket._topics import ChannelFrom, Entry, Joined, Joining, Late

PASSES: Final = 3
"""Passes of the scheduler in which a channel can take its earlier messages before it is replaced."""
DUPLICATE_GRACE: Final = 5.0
"""Seconds that a replaced channel has to exit before it is killed (C4)."""
HEARTBEATS: Final = "phoenix"
"""The topic of heartbeats; it cannot be joined, whatever the routes say."""
MAX_TOPIC: Final = 255
"""Bytes of a topic that can be joined: a binary message has no room for more."""

_CRASHED: Final = {"reason": "channel_crash"}
_TOLD: Final = object()
"""Stands for a reason of a failure that was logged already."""


class JoinActs(JoinState):
    """A method for each act."""

    __slots__ = ()

    def step(self, joining: Joining, event: Event, value: object = None) -> None:
        """Do the act of an event, and enter the next phase."""
        joining.phase, act = CELLS[joining.phase][event]
        act(self, joining, value)

    # ------------------------------------------------------------------------------------------ beginning

    def ask(self, joining: Joining | None, message: Message) -> None:
        """Ask the pool for a channel: for a new join, or for one whose topic is free by now."""
        topic = message.topic
        if joining is None:
            if self._join_rate is not None and not self.may_join(message, self._join_rate):
                return
            joining = self._topics[topic] = Joining(message, self._now(), Phase.ASKED)
        route = self._routes.match(topic)
        if route is None or topic == HEARTBEATS or len(topic.encode(errors="surrogatepass")) > MAX_TOPIC:
            self.step(joining, Event.UNROUTED, message)
            return
        limits = self._limits
        if len(self._topics) > limits.max_channels:
            full = self.encode_reply(message, "error", {"reason": "too many channels joined"})
            self.step(joining, Event.REFUSAL, full)
            return
        pid, socket = self._pid, self._socket
        join_ref = message.join_ref if message.join_ref is not None else message.ref
        joining.socket = copy = socket.for_channel(topic, route, join_ref)
        joining.channel_from = from_ = ChannelFrom(pid)
        try:
            spec, rest = channel_spec(route.channel, (message.payload, from_, copy), limits.join_timeout)
            pool = self._pool(socket.handler, pid)
        except BaseException as error:  # noqa: BLE001 - the program's, or there is no pool: it concerns this join alone
            self.tell_failed(joining, Crash(error), error)
            self.step(joining, Event.NOT_STARTED, _TOLD)
            return
        joining.pool_watch = watch = add_monitor(pid, pool)
        self._asked[from_] = self._asked[watch] = joining
        joining.timer = pid.runtime.patience.add(limits.join_timeout, pid.send, Late(joining))
        DynamicSupervisor.request_child(pool, spec, watch, *rest)

    def replace(self, old: Joined, message: Message) -> None:
        """Join a joined topic: the old channel exits before the new one starts (C4)."""
        if self._join_rate is not None and not self.may_join(message, self._join_rate):
            return
        topic = message.topic
        joining = self._topics[topic] = Joining(message, self._now(), Phase.REPLACING)
        joining.old = old
        joining.close = self._socket.serializer.encode(Message(topic, "phx_close", {}, old.join_ref, old.join_ref))
        self._by_pid[old.pid] = topic, joining
        joining.timer = self._pid.runtime.patience.add(DUPLICATE_GRACE, self._pid.send, Late(joining))
        # Messages that came before this join, perhaps a leave, are for the old channel, if it can take them at once.
        self._end_old(old, PASSES)

    def _end_old(self, old: Joined, passes: int) -> None:
        """Tell a replaced channel to exit: when its mailbox is empty, or after so many passes of the scheduler."""
        if passes and old.pid.mailbox:
            self._pid.runtime.run_soon(partial(self._end_old, old, passes - 1))
        else:
            exit_signal(old.pid, self._pid, Shutdown("duplicate_join"))

    # -------------------------------------------------------------------------------- the client's messages

    def nothing(self, _: object, __: object) -> None:
        """Do nothing."""

    def wait(self, joining: Joining, message: Message) -> None:
        """Keep a message until the join is answered."""
        joining.waiting.append(message)

    def overfull(self, _: Joining, message: Message) -> None:
        """Refuse a message: too many wait."""
        self.reply(message, "error", {"reason": "too many messages before the join was answered"})

    def deliver(self, joined: Joined, message: Message) -> None:
        """Send a message to the channel. `handle_in` does so itself, without this call."""
        joined.pid.deliver(message)

    def left(self, _: None, message: Message) -> None:
        """Reply to a leave of a topic that is not joined."""
        self.reply(message, "ok", {})

    def unmatched(self, joining: Joining | None, message: Message) -> None:
        """Reply to a message on a topic that is not joined, or cannot be."""
        topic = message.topic
        if joining is not None:
            del self._topics[topic]
            self.reply_error(message, UNMATCHED)
            self.resume(joining)
        elif topic == HEARTBEATS and message.event == "heartbeat":
            self._output.push(self._socket.serializer.encode(Reply(HEARTBEATS, "ok", {}, message.ref)))
        else:
            self.reply_error(message, UNMATCHED)

    # ----------------------------------------------------------------------------------- answers, and ends

    def watch(self, joining: Joining, pid: Pid) -> None:
        """Monitor the channel."""
        joining.pid = pid
        joining.monitor = add_monitor(self._pid, pid)
        self._by_pid[pid] = joining.message.topic, joining

    def answer(self, joining: Joining, reply: SocketPush) -> None:
        """Reply to the join before the pool has named the channel."""
        self._output.push(reply)
        self.close_old(joining)

    def accept(self, joining: Joining, reply: SocketPush) -> None:
        """Reply to the join, and deliver the messages that waited."""
        self._output.push(reply)
        pid: Pid = joining.pid  # type: ignore[assignment]  # it is named, and so monitored
        message = joining.message
        topic = message.topic
        joined = Joined(pid, message.join_ref, joining.monitor)  # type: ignore[arg-type]
        self._topics[topic] = joined
        self._by_pid[pid] = topic, joined
        self.settle(joining, "ok")

    def begin(self, joining: Joining, pid: Pid) -> None:
        """Deliver the messages that waited: the client has its reply."""
        message = joining.message
        topic = message.topic
        joined = Joined(pid, message.join_ref, add_monitor(self._pid, pid))
        self._topics[topic] = joined
        self._by_pid[pid] = topic, joined
        self.settle(joining, "ok")

    def answer_closed(self, joining: Joining, reply: SocketPush) -> None:
        """Reply to the join, and say that the channel closes."""
        self._output.push(reply)
        self.close_old(joining)
        self.push_close(joining, "")

    def refuse(self, joining: Joining, reply: SocketPush) -> None:
        """Reply with the channel's error."""
        self._output.push(reply)
        self.drop(joining, "error")

    def fail(self, joining: Joining, reason: Reason) -> None:
        """Reply that the join crashed."""
        if reason is not _TOLD:
            self.tell_failed(joining, reason)
        self._end_unanswered(joining, "join crashed")

    def expire(self, joining: Joining, _: Reason) -> None:
        """Reply that the join has taken too long."""
        self._end_unanswered(joining, "join timed out")

    def _end_unanswered(self, joining: Joining, reason: str) -> None:
        if joining.pid is not None:
            exit_signal(joining.pid, self._pid, KILL)
        self.reply(joining.message, "error", {"reason": reason})
        self.drop(joining, "error")

    def push_close(self, join: Entry, topic: str) -> None:
        """Push `phx_close`. `topic` is used for a `Joined` only, which does not know its topic."""
        if type(join) is Joining:
            self.push(join.message.topic, "phx_close", {}, join.message.join_ref)
            self.drop(join, "ok")
        else:
            drop_monitor(join.monitor, flush=True)
            pid = join.pid
            del self._topics[topic], self._by_pid[pid]
            if pid.mailbox:
                self.backlog.leave(topic, pid)
            self.push(topic, "phx_close", {}, join.join_ref)

    def push_error(self, join: Entry, value: Any) -> None:  # noqa: ANN401 - of two kinds
        """Push `phx_error`. The value is the topic of a `Joined`, or why the start of an answered join failed."""
        if type(join) is Joining:
            self.tell_failed(join, value)
            self.push(join.message.topic, "phx_error", _CRASHED, join.message.join_ref)
            self.drop(join, "error")
        else:
            del self._topics[value]
            self.push(value, "phx_error", _CRASHED, join.join_ref)

    def kill(self, _: Joining, pid: Pid) -> None:
        """Kill a channel that was named too late."""
        exit_signal(pid, self._pid, KILL)

    def kill_old(self, joining: Joining, _: Reason) -> None:
        """Kill a replaced channel that does not exit."""
        assert joining.old is not None  # noqa: S101 - its exit is waited for
        exit_signal(joining.old.pid, self._pid, KILL)

    def shut_down(self, joining: Joining, _: None) -> None:
        """Shut down a channel whose connection has ended: it may not monitor its transport yet."""
        pid, socket = joining.pid, joining.socket
        if pid is not None:
            exit_signal(pid, self._pid, Shutdown("closed"))
            if pid.alive and socket is not None:  # it traps exits, and may hang in its `join`
                patience = pid.runtime.patience
                timer = patience.add(self._limits.join_timeout, _kill_joining, (pid, socket))
                own(pid, lambda _: patience.discard(timer))


def _kill_joining(late: tuple[Pid, Socket]) -> None:
    """Kill a channel that is still in its `join` though its client has left."""
    pid, socket = late
    if socket.channel_pid is pid and not socket.joined:
        exit_signal(pid, socket.transport_pid, KILL)


Performing: TypeAlias = Callable[[JoinActs, Any, Any], None]

ACTS: Final[dict[Act, Performing]] = {
    Act.NOTHING: JoinActs.nothing,
    Act.ASK: JoinActs.ask,
    Act.REPLACE: JoinActs.replace,
    Act.WAIT: JoinActs.wait,
    Act.DELIVER: JoinActs.deliver,
    Act.LEFT: JoinActs.left,
    Act.UNMATCHED: JoinActs.unmatched,
    Act.OVERFULL: JoinActs.overfull,
    Act.WATCH: JoinActs.watch,
    Act.ANSWER: JoinActs.answer,
    Act.ACCEPT: JoinActs.accept,
    Act.BEGIN: JoinActs.begin,
    Act.ANSWER_CLOSED: JoinActs.answer_closed,
    Act.REFUSE: JoinActs.refuse,
    Act.FAIL: JoinActs.fail,
    Act.EXPIRE: JoinActs.expire,
    Act.PUSH_CLOSE: JoinActs.push_close,
    Act.PUSH_ERROR: JoinActs.push_error,
    Act.KILL: JoinActs.kill,
    Act.KILL_OLD: JoinActs.kill_old,
    Act.SHUT_DOWN: JoinActs.shut_down,
}
CELLS: Final = tuple(tuple((cell(p, e).phase, ACTS[cell(p, e).act]) for e in Event) for p in Phase)
"""The table with methods: `CELLS[phase][event]` is the next phase, and the method of the act."""
