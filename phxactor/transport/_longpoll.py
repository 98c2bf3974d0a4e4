"""A long-poll session: the transport of a client without a lasting connection (Phoenix.Transports.LongPoll 1.8).

    GET  ── Poll ──────▶ session process ── messages of channels, or none after the window ──▶ answer
         ◀── Settled ─── (port: Multiplexer)
    POST ── Publish ──▶                  ──▶ channels
         ── GaveUp ───▶

Each request runs in the process of its own connection. The session ends when it was not polled for one and a half
windows. It keeps the messages of channels, in order, until they have arrived at the client:

    waits ── a poll takes it ──▶ on its way ── Settled, arrived ──▶ dropped
      ▲                              │
      └── Settled, not arrived ──────┘  the client left before the answer, or in the middle of it

Only one answer with messages is on its way at a time. A poll that comes meanwhile shows that the client has given up
the earlier one: the session tells the earlier poll to hurry.
"""

from __future__ import annotations

from base64 import b64encode
from functools import partial
from http import HTTPStatus
from typing import Final, final

import trio

from phxactor.otp import Call
from phxactor.runtime import From, Reason, Timer, fatal, set_port
from phxactor.socket import TEXT, DecodeError, Drain, Multiplexer, Pool, SharedPush, Socket, SocketPush
from phxactor.transport import events
from phxactor.transport._close_codes import BAD_MESSAGE, DRAINING, INACTIVE, SLOW_CONSUMER
from phxactor.transport._delivery import Poll, Settled
from phxactor.transport._multiplexed_input import CATCH_UP, LOOK
from phxactor.transport._options import LongPollOptions
from phxactor.transport._publications import GaveUp, Progress, Publications, Publish
from phxactor.transport._slow_consumer import SlowConsumer

EXPIRY: Final = 1.5
"""A session ends after this many windows without a poll."""
OVERHEAD: Final = 64
"""Bytes that a waiting message counts in addition to its text."""


@final
class WindowOver:
    """A timer's message: the window of the waiting poll is over."""


@final
class Unpolled:
    """A timer's message: check whether the session has gone too long without a poll."""


@final
class GoOn:
    """A timer's message: go on handing published messages to channels, if the channels have caught up."""


WINDOW_OVER: Final = WindowOver()
GO_ON: Final = GoOn()
UNPOLLED: Final = Unpolled()
OURS: Final = frozenset({SocketPush, SharedPush, Call, Settled, GaveUp, WindowOver, GoOn, Unpolled, Drain})
"""The types of messages that the session handles itself; all others go to its multiplexer."""


@final
class LongPollSession:
    """One client's session; it is also the output of its multiplexer."""

    def __init__(self, socket: Socket, options: LongPollOptions, pool: Pool, peer: str, since: float) -> None:
        self.pid = socket.transport_pid
        self.socket = socket
        self.options = options
        self.peer = peer
        self.since = since
        """When the request came that opened it, on the runtime's clock."""
        self.traffic = (0, 0)
        """Bytes of the bodies that came, and of the messages that have arrived; without those of HTTP."""
        self._multiplexer = Multiplexer(socket, self, pool, options)
        self._slow = None if options.slow_consumer == "close" else SlowConsumer(peer, options.max_output_bytes)
        self._publications = Publications(socket.serializer.decode, self._multiplexer, options.max_message_size)
        self._pause = 0.0
        """Seconds until the next check whether the channels have caught up; 0 while the backlog has room."""
        self._going_on = False
        """Whether a `GoOn` message will come."""
        self._messages: list[bytes] = []
        """Messages that wait for a poll, as text or base64."""
        self._on_its_way: tuple[Poll, list[bytes]] | None = None
        """A poll that was answered, with its messages, until its `Settled` comes."""
        self._size = 0
        """Bytes of the waiting messages and of those on their way, with `OVERHEAD` for each."""
        self._polling: tuple[Poll, From] | None = None
        self._window: Timer | None = None
        self._expiry: Timer | None = None
        self._polled = trio.current_time()
        self._answering = False
        self._draining = False

    async def run(self) -> None:
        """Run the process of the session; it never returns."""
        self._arm_expiry(self.options.window * EXPIRY)
        set_port(self.port)
        try:
            await trio.sleep_forever()
        finally:
            if self._expiry is not None:
                self.pid.runtime.patience.discard(self._expiry)
            if self._window is not None:
                self.pid.runtime.timers.discard(self._window)
            self._multiplexer.end()
            if events.disconnected.handlers:
                events.disconnected.emit(
                    socket=self.socket.handler.__name__,
                    transport="longpoll",
                    peer=self.peer,
                    reason=self.pid.exit_reason,
                    traffic=self.traffic,
                    level=self.socket.log_level,
                )

    @property
    def multiplexer(self) -> Multiplexer:
        """Its channels."""
        return self._multiplexer

    def waiting(self) -> int:
        """Return the bytes of the messages that wait for the client."""
        return self._size

    def port(self, message: object) -> None:
        """Handle a message to this process, from a request or from another process."""
        if type(message) in OURS:
            self._take(message)
        else:  # not by `match`: it could call code of a program's own message
            self._multiplexer.handle_info(message)
        if self._draining:
            self._drain()

    def _take(self, message: object) -> None:
        match message:
            case SocketPush():
                self.push(message)
            case SharedPush():
                self.push(message.whole())
            case Call() if isinstance(message.request, Poll):
                self._poll(message.request, message.from_)
            case Settled():
                self._settle(message.poll)
            case Call() if type(message.request) is Publish:
                self.traffic = self.traffic[0] + len(message.request.body), self.traffic[1]
                self._publications.add(message.request, message.from_)
                if not self._going_on:
                    self._hand_out()
            case GaveUp():
                self._publications.give_up(message.publish)
            case WindowOver():
                self._answer_with_nothing()
            case GoOn():
                self._going_on = False
                self._hand_out()
            case Unpolled():
                self._expire()
            case Drain():
                self._draining = True

    # --------------------------------------------------------------------------------------------- output

    def push(self, push: SocketPush) -> None:
        """Queue a message for the client; over `max_output_bytes`, apply the option `slow_consumer`."""
        if push.broadcast and self._slow is not None and self._slow.misses(self._size):
            return
        message = push.data if push.opcode == TEXT else b64encode(push.data)
        self._messages.append(message)
        self._size += len(message) + OVERHEAD
        if self._size > self.options.max_output_bytes:
            if events.slow_consumer.handlers:
                events.slow_consumer.emit(peer=self.peer, waiting=self._size, policy="close")
            self.stop(SLOW_CONSUMER)
        elif self._polling is not None and not self._answering:
            self._answering = True
            self.pid.runtime.run_soon(self._answer_now)  # after this pass, with all its messages

    def stop(self, reason: Reason) -> None:
        """End the session; requests that wait for it are answered 410 (gone)."""
        fatal(self.pid, reason)

    # --------------------------------------------------------------------------------------------- polls

    def _poll(self, poll: Poll, from_: From) -> None:
        self._answer_with_nothing()  # the client has given up an older poll that still waits
        self._polling = poll, from_
        if self._on_its_way is not None:
            self._on_its_way[0].hurry()
        elif self._messages:
            self._answer_now()
        if self._polling is not None:
            self._window = self.pid.runtime.timers.add(self.options.window, self.pid.send, WINDOW_OVER)

    def _answer_now(self) -> None:
        """Answer the waiting poll with all waiting messages, if its client is still there."""
        self._answering = False
        if self._messages and self._polling is not None and self._on_its_way is None:
            poll, from_ = self._polling
            if from_.active:
                messages, self._messages = self._messages, []
                self._on_its_way = poll, messages
                self._answer(from_, messages)
        if self._draining:
            self._drain()

    def _answer_with_nothing(self) -> None:
        if self._polling is not None:
            self._answer(self._polling[1], [])

    def _answer(self, from_: From, messages: list[bytes]) -> None:
        from_.reply(messages)
        self._no_poll()

    def _settle(self, poll: Poll) -> None:
        """Handle the end of a poll: drop its messages if they have arrived, else queue them again."""
        if self._polling is not None and self._polling[0] is poll:
            self._no_poll()
        if self._on_its_way is None or self._on_its_way[0] is not poll:
            return
        messages, self._on_its_way = self._on_its_way[1], None
        if poll.arrived:
            size = sum(map(len, messages))
            self.traffic = self.traffic[0], self.traffic[1] + size
            self._size -= size + OVERHEAD * len(messages)
        else:
            self._messages = messages + self._messages
        self._answer_now()

    def _no_poll(self) -> None:
        """Record that no poll waits."""
        self._polling = None
        self._polled = trio.current_time()
        if self._window is not None:
            self.pid.runtime.timers.cancel(self._window)
            self._window = None

    def _expire(self) -> None:
        left = self._polled + self.options.window * EXPIRY - trio.current_time()
        if self._polling is not None:
            self._arm_expiry(self.options.window * EXPIRY)
        elif left > 0:
            self._arm_expiry(left)
        else:
            self.stop(INACTIVE)

    def _arm_expiry(self, seconds: float) -> None:
        self._expiry = self.pid.runtime.patience.add(seconds, self.pid.send, UNPOLLED)

    def _drain(self) -> None:
        """End the session once the channels have answered all published messages and a waiting poll has the answers."""
        on_its_way = self._on_its_way is not None and not self._on_its_way[0].arrived
        busy = self._answering or on_its_way or len(self._publications)
        if not busy and self._multiplexer.drained():
            self.stop(DRAINING)

    # ------------------------------------------------------------------------------------------ publishes

    def _hand_out(self) -> None:
        """Hand published messages to channels, in order; while the channels are behind, the rest waits."""
        backlog = self._multiplexer.backlog
        if self._pause and not backlog.has_eased(backlog.held()):
            self._pause = min(2 * self._pause, LOOK)
            self._go_on(self._pause)
            return
        self._pause = 0.0
        try:
            progress = self._publications.hand_out(self.pid)
        except DecodeError as error:
            if events.bad_input.handlers:
                events.bad_input.emit(peer=self.peer, why=str(error), code=int(HTTPStatus.BAD_REQUEST))
            self._publications.refuse()
            self.stop(BAD_MESSAGE)
            return
        if progress is Progress.FULL:
            self._pause = CATCH_UP
            self._go_on(CATCH_UP)
        elif progress is Progress.TURN:
            self._going_on = True
            self.pid.runtime.run_soon(partial(self.pid.send, GO_ON))

    def _go_on(self, seconds: float) -> None:
        self._going_on = True
        self.pid.runtime.timers.add(seconds, self.pid.send, GO_ON)
