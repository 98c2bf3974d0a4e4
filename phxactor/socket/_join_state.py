"""The tables of one connection's joins, and the clean-up after a join is decided.

Plain synchronous code, as all of a multiplexer: it runs inside a transport's port.
"""

from __future__ import annotations

from abc import abstractmethod

from phxactor.runtime import From, Pid, Reason, Shutdown, drop_monitor
from phxactor.socket import events
from phxactor.socket._backlog import Backlog
from phxactor.socket._limits import Limits
from phxactor.socket._messages import Message
from phxactor.socket._output import Output, Pool, Replying
from phxactor.socket._rate_limit import RateLimit, rate_limit
from phxactor.socket._socket import Socket
from phxactor.socket._topics import Entry, Joining


class JoinState(Replying):
    """The topics of one connection."""

    __slots__ = (
        "_asked",
        "_backlog",
        "_by_pid",
        "_closed_early",
        "_join_rate",
        "_limits",
        "_message_rate",
        "_now",
        "_pool",
        "_routes",
        "_topics",
    )

    def __init__(self, socket: Socket, output: Output, pool: Pool, limits: Limits) -> None:
        """Start without joins; `output` is the transport."""
        Replying.__init__(self, socket, output)
        self._pool = pool
        self._limits = limits
        runtime = self._pid.runtime
        self._now = runtime.now
        self._routes = socket.routes.over(socket.transport)
        self._message_rate = rate_limit(limits.max_messages_per_second, runtime)
        self._join_rate = rate_limit(limits.max_joins_per_second, runtime)
        self._topics: dict[str, Entry] = {}
        self._by_pid: dict[Pid, tuple[str, Entry]] = {}
        """The channels that are monitored; a replaced one stands with the join that replaces it."""
        self._asked: dict[From, Joining] = {}
        """The joins that a pool or a channel has not answered yet."""
        self._closed_early: dict[Pid, Pid | None] | None = None
        """Processes that have said that they close, maybe channels that no pool has named yet, with their parents."""
        self._backlog: Backlog | None = None

    @property
    def backlog(self) -> Backlog:
        """The count of messages that wait for the channels; made at its first use, since few connections need it."""
        if self._backlog is None:
            self._backlog = Backlog(self._topics, self._limits.max_input_bytes, self._limits.max_containers)
        return self._backlog

    @abstractmethod
    def handle_in(self, message: Message) -> None:
        """Take a client's message."""

    def may_join(self, message: Message, limit: RateLimit) -> bool:
        """Say whether one more join is within the rate limit; reply to one that is not."""
        if limit.take(self._now()):
            return True
        self.refuse_rate(message, limit, "joins")
        return False

    def refuse_rate(self, message: Message, limit: RateLimit, what: str) -> None:
        """Reply to a message above a rate limit if it has a ref; disconnect a client that does not slow down."""
        if limit.refused == 1 and events.rate_limited.handlers:
            events.rate_limited.emit(pid=self._pid, socket=self._socket.handler.__name__, what=what)
        if limit.abused:
            self._output.stop(Shutdown("rate_limited"))
        elif message.ref is not None:
            self.reply(message, "error", {"reason": "rate limited"})

    def drop(self, joining: Joining, status: str) -> None:
        """Free the topic of a join that has failed, or whose channel closes."""
        del self._topics[joining.message.topic]
        if joining.pid is not None:
            self._by_pid.pop(joining.pid, None)
        if joining.monitor is not None:
            drop_monitor(joining.monitor, flush=True)
        self.settle(joining, status)

    def settle(self, joining: Joining, status: str) -> None:
        """End the timer and entries of a join, emit its event, and handle the messages that waited."""
        if joining.channel_from is not None:
            joining.channel_from.active = False
            self._asked.pop(joining.channel_from, None)
        if not self._asked:
            self.forget_asked()
        if joining.timer is not None:
            self.discard_timer(joining)
        if joining.close is not None:
            self.close_old(joining)
        if events.joined.handlers:
            events.joined.emit(
                topic=joining.message.topic,
                status=status,
                socket=self._socket.handler.__name__,
                transport=self._socket.transport,
                seconds=self._now() - joining.began,
                level=self._socket.log_level,
            )
        if joining.waiting:
            self.resume(joining)

    def forget_asked(self) -> None:
        """Forget the processes that closed early: no join is pending."""
        self._closed_early = None
        self._asked.clear()  # a dict that has had entries keeps room for them: 160 bytes a connection

    def discard_timer(self, joining: Joining) -> None:
        """End the time-out of a phase."""
        if joining.timer is not None:
            self._pid.runtime.patience.discard(joining.timer)
            joining.timer = None

    def close_old(self, joining: Joining) -> None:
        """Push the `phx_close` of the replaced channel, behind the answer to the new join (Phoenix 1.8.12)."""
        if joining.close is not None:
            self._output.push(joining.close)
            joining.close = None

    def resume(self, joining: Joining) -> None:
        """Handle the messages that waited for the answer, in order; those behind another join wait for its answer."""
        rest = iter(joining.waiting)
        for message in rest:
            self.handle_in(message)
            entry = self._topics.get(message.topic)
            if type(entry) is Joining:
                entry.waiting += rest  # one by one, joins that wait in a row would cost the square of their number

    def tell_failed(self, joining: Joining, reason: Reason, exception: BaseException | None = None) -> None:
        """Emit why a join has failed, if not by a refusal."""
        if events.join_failed.handlers:
            route = self._routes.match(joining.message.topic)
            name = getattr(route.channel, "__name__", repr(route.channel)) if route else "?"
            events.join_failed.emit(topic=joining.message.topic, channel=name, reason=reason, exception=exception)
