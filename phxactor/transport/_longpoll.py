"""A long-poll session: the transport of a client that has no connection of its own (Phoenix.Transports.LongPoll 1.8).

    GET  ── Poll ──────▶ session process ── what channels have sent, or nothing after the window ──▶ answer
         ◀── Settled ─── (port: Multiplexer)
    POST ── Publish ──▶                  ──▶ channels
         ── GaveUp ───▶

Requests come and go, each in the process of its own connection; the session lives until it has not been polled for one
and a half windows. What channels send waits in it for the next poll, in order, and stays until it is with the client:

    waits ── a poll takes it ──▶ on its way ── Settled, arrived ──▶ forgotten
      ▲                              │
      └── Settled, not arrived ──────┘  the client left, before the answer or halfway

Meanwhile nothing else is on its way. A poll that comes then shows that the client has given the other up: that one is
told to hurry.
"""

from __future__ import annotations

from base64 import b64encode
from functools import partial
from http import HTTPStatus
from typing import Final, final

import trio

from phxactor.otp import Call
from phxactor.runtime import From, Reason, Timer, set_port
from phxactor.runtime.signals import fatal
from phxactor.socket import TEXT, DecodeError, Drain, Multiplexer, Pool, Socket, SocketPush
from phxactor.transport import events
from phxactor.transport._close_codes import BAD_MESSAGE, DRAINING, INACTIVE, SLOW_CONSUMER
from phxactor.transport._delivery import Poll, Settled
from phxactor.transport._multiplexed import CATCH_UP, LOOK
from phxactor.transport._options import LongPollOptions
from phxactor.transport._publications import GaveUp, Progress, Publications, Publish
from phxactor.transport._slow_consumer import SlowConsumer

EXPIRY: Final = 1.5
"""Windows without a poll after which a session ends."""
OVERHEAD: Final = 64
"""Bytes that a message takes beside its text, while it waits for a poll."""


@final
class WindowOver:
    """A timer's message: the waiting poll has waited for long enough."""


@final
class Unpolled:
    """A timer's message: look whether the session has not been polled for too long."""


@final
class GoOn:
    """A timer's message: go on with what was published; or look whether the channels have caught up."""


WINDOW_OVER: Final = WindowOver()
GO_ON: Final = GoOn()
UNPOLLED: Final = Unpolled()
OURS: Final = frozenset({SocketPush, Call, Settled, GaveUp, WindowOver, GoOn, Unpolled, Drain})
"""The types of messages that a session takes itself; all others are for its multiplexer."""


@final
class LongPollSession:
    """One client's session; the output of its multiplexer."""

    def __init__(self, socket: Socket, options: LongPollOptions, pool: Pool, peer: str) -> None:
        self.pid = socket.transport_pid
        self.socket = socket
        self.options = options
        self.peer = peer
        self._multiplexer = Multiplexer(socket, self, pool, options)
        self._slow = None if options.slow_consumer == "close" else SlowConsumer(peer, options.max_output_bytes)
        self._publications = Publications(socket.serializer.decode, self._multiplexer, options.max_message_size)
        self._pause = 0.0
        """Seconds until the channels are looked at again; 0 while there is room."""
        self._going_on = False
        """Whether a `GoOn` is on its way."""
        self._messages: list[bytes] = []
        """What waits for a poll, text and base64."""
        self._on_its_way: tuple[Poll, list[bytes]] | None = None
        """What a poll has taken, until it says what has become of it."""
        self._size = 0
        """Bytes of both."""
        self._polling: tuple[Poll, From] | None = None
        self._window: Timer | None = None
        self._expiry: Timer | None = None
        self._polled = trio.current_time()
        self._answering = False
        self._draining = False

    async def run(self) -> None:
        """Be the process."""
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
                    level=self.socket.log_level,
                )

    def port(self, message: object) -> None:
        """Take what requests and processes send to this one."""
        if type(message) in OURS:
            self._take(message)
        else:  # `match` may ask a message what it is, and it may be a program's own
            self._multiplexer.handle_info(message)
        if self._draining:
            self._drain()

    def _take(self, message: object) -> None:
        match message:
            case SocketPush():
                self.push(message)
            case Call() if type(message.request) is Poll:
                self._poll(message.request, message.from_)
            case Settled():
                self._settle(message.poll)
            case Call() if type(message.request) is Publish:
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
        """Keep a message for the client, unless too much waits for it: then it goes by the option `slow_consumer`."""
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
            self.pid.runtime.run_soon(self._answer_now)  # with all that comes in this pass

    def stop(self, reason: Reason) -> None:
        """End the session; requests that wait for it are answered that it is gone."""
        fatal(self.pid, reason)

    # --------------------------------------------------------------------------------------------- polls

    def _poll(self, poll: Poll, from_: From) -> None:
        self._answer_with_nothing()  # an older poll that still waits: its client has given it up
        self._polling = poll, from_
        if self._on_its_way is not None:
            self._on_its_way[0].hurry()
        elif self._messages:
            self._answer_now()
        if self._polling is not None:
            self._window = self.pid.runtime.timers.add(self.options.window, self.pid.send, WINDOW_OVER)

    def _answer_now(self) -> None:
        """Answer the poll that waits with everything there is, if its client is there."""
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
        """Hear what has become of a poll; one that had nothing, or that still waits, has brought nothing either."""
        if self._polling is not None and self._polling[0] is poll:
            self._no_poll()
        if self._on_its_way is None or self._on_its_way[0] is not poll:
            return
        messages, self._on_its_way = self._on_its_way[1], None
        if poll.arrived:
            self._size -= sum(map(len, messages)) + OVERHEAD * len(messages)
        else:
            self._messages = messages + self._messages
        self._answer_now()

    def _no_poll(self) -> None:
        """Note that no poll waits any more."""
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
        """End once the channels have answered what was published, and a waiting poll has it."""
        on_its_way = self._on_its_way is not None and not self._on_its_way[0].arrived
        busy = self._answering or on_its_way or len(self._publications)
        if not busy and self._multiplexer.drained():
            self.stop(DRAINING)

    # ------------------------------------------------------------------------------------------ publishes

    def _hand_out(self) -> None:
        """Hand out what was published, in order; what comes when the channels are behind waits, and its request too."""
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
