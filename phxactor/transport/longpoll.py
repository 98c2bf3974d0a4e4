"""A long-poll session: the transport of a client that has no connection of its own (Phoenix.Transports.LongPoll 1.8).

    GET  ── Poll ──────▶ session process ── what channels have sent, or nothing after the window ──▶ answer
    POST ── Publish ──▶  (port: Multiplexer) ──▶ channels

Requests come and go, each in the process of its own connection; the session lives until it has not been polled for one
and a half windows. What channels send waits in it for the next poll, in order.
"""

from __future__ import annotations

from base64 import b64encode
from collections import deque
from http import HTTPStatus
from typing import Final, final

import attrs
import trio

from phxactor.otp.call import Call
from phxactor.runtime import From, Reason, Timer, set_port
from phxactor.runtime.signals import fatal
from phxactor.socket import TEXT, DecodeError, Socket, SocketPush
from phxactor.socket.messages import DRAIN, Drain
from phxactor.socket.multiplexer import Pool
from phxactor.transport import events
from phxactor.transport.close_codes import BAD_MESSAGE, DRAINING, INACTIVE, SLOW_CONSUMER
from phxactor.transport.multiplexed import CATCH_UP, WINDOW
from phxactor.transport.multiplexing import multiplexer
from phxactor.transport.options import LongPollOptions
from phxactor.transport.slow_consumer import SlowConsumer

SETTLE: Final = 0.01
"""Seconds between two looks at whether the channels of a session that is to be ended are done."""
EXPIRY: Final = 1.5
"""Windows without a poll after which a session ends."""


@attrs.frozen
class Poll:
    """A call: answered by a list of messages, JSON as text and binary as base64; an empty one after the window."""


@attrs.frozen
class Publish:
    """A call: `messages` of the client as `(opcode, data)`, or why there are none; False if they cannot be read."""

    messages: list[tuple[int, bytes]] | DecodeError


@final
class WindowOver:
    """A timer's message: the waiting poll has waited for long enough."""


@final
class Unpolled:
    """A timer's message: look whether the session has not been polled for too long."""


@final
class CaughtUp:
    """A timer's message: look whether the channels have caught up."""


WINDOW_OVER: Final = WindowOver()
CAUGHT_UP: Final = CaughtUp()
UNPOLLED: Final = Unpolled()


@final
class LongPollSession:
    """One client's session; the output of its multiplexer."""

    def __init__(self, socket: Socket, options: LongPollOptions, pool: Pool, peer: str) -> None:
        self.pid = socket.transport_pid
        self.socket = socket
        self.options = options
        self.peer = peer
        self._multiplexer = multiplexer(socket, self, pool, options)
        self._slow = None if options.slow_consumer == "close" else SlowConsumer(peer, options.max_output_bytes)
        self._published: deque[tuple[list[tuple[int, bytes]] | DecodeError, From]] = deque()
        """What clients have sent that waits until the channels have caught up."""
        self._left = WINDOW
        """Bytes of messages that are still handed out before the channels are looked at."""
        self._messages: list[str] = []
        self._size = 0
        self._polling: From | None = None
        self._window: Timer | None = None
        self._expiry: Timer | None = None
        self._polled = trio.current_time()
        self._answering = False

    async def run(self) -> None:
        """Be the process."""
        self._arm_expiry(self.options.window * EXPIRY)
        set_port(self.port)
        try:
            await trio.sleep_forever()
        finally:
            for timer in (self._expiry, self._window):
                if timer is not None:
                    self.pid.runtime.timers.discard(timer)
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
        match message:
            case SocketPush():
                self.push(message)
            case Call(request=Poll()):
                self._poll(message.from_)
            case Call(request=Publish(messages=messages)):
                self._published.append((messages, message.from_))
                if len(self._published) == 1:
                    self._hand_out()
            case WindowOver():
                self._answer([])
            case CaughtUp():
                self._hand_out()
            case Unpolled():
                self._expire()
            case Drain():
                self._drain()
            case _:
                self._multiplexer.handle_info(message)

    # --------------------------------------------------------------------------------------------- output

    def push(self, push: SocketPush) -> None:
        """Keep a message for the client, unless too much waits for it: then it goes by the option `slow_consumer`."""
        if push.broadcast and self._slow is not None and self._slow.misses(self._size):
            return
        text = push.data.decode() if push.opcode == TEXT else b64encode(push.data).decode()
        self._messages.append(text)
        self._size += len(text)
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

    def _poll(self, from_: From) -> None:
        self._answer([])  # an older poll that still waits: its client has given it up
        self._polling = from_
        if self._messages:
            self._answer_now()
        else:
            self._window = self.pid.runtime.timers.add(self.options.window, self.pid.send, WINDOW_OVER)

    def _answer_now(self) -> None:
        """Answer the poll that waits with everything there is."""
        self._answering = False
        if self._messages and self._polling is not None:
            messages, self._messages, self._size = self._messages, [], 0
            self._answer(messages)

    def _answer(self, messages: list[str]) -> None:
        polling, self._polling = self._polling, None
        if polling is not None:
            polling.reply(messages)
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
        self._expiry = self.pid.runtime.timers.add(seconds, self.pid.send, UNPOLLED)

    def _drain(self) -> None:
        """End once the channels have answered what was published, and a waiting poll has it."""
        if self._multiplexer.settled() and not self._answering and not self._published:
            self.stop(DRAINING)
        else:
            self.pid.runtime.timers.add(SETTLE, self.pid.send, DRAIN)

    # ------------------------------------------------------------------------------------------ publishes

    def _hand_out(self) -> None:
        """Hand out what was published, in order; what comes when the channels are behind waits, and its request too."""
        while self._published and self.pid.alive:
            if not self._multiplexer.waiting():
                self._left = WINDOW
            elif self._left <= 0:
                self.pid.runtime.timers.add(CATCH_UP, self.pid.send, CAUGHT_UP)
                return
            self._publish(*self._published.popleft())

    def _publish(self, messages: list[tuple[int, bytes]] | DecodeError, from_: From) -> None:
        try:
            if isinstance(messages, DecodeError):
                raise messages
            for opcode, data in messages:
                if len(data) > self.options.max_message_size:
                    most = self.options.max_message_size
                    raise DecodeError(f"a message of {len(data)} bytes, more than {most}")  # noqa: TRY301
                self._left -= len(data)
                self._multiplexer.handle_limited(self.socket.serializer.decode(data, opcode))
        except DecodeError as error:
            if events.bad_input.handlers:
                events.bad_input.emit(peer=self.peer, why=str(error), code=int(HTTPStatus.BAD_REQUEST))
            from_.reply(value=False)
            self.stop(BAD_MESSAGE)
        else:
            from_.reply(value=True)
