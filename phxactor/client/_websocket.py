"""One connection, from an open WebSocket to its end. A lost connection is not reused: `Line` opens a new one."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from typing import Final, NoReturn, final

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection
from wsproto.utilities import LocalProtocolError

from phxactor.client._errors import ABNORMAL, NORMAL, PROTOCOL_ERROR, ConnectionLost
from phxactor.client._nursery import open_nursery
from phxactor.client._replies import Replies
from phxactor.client._wire import decode, encode
from phxactor.runtime import Patience
from phxactor.socket import DecodeError, Message, Reply

WAITING: Final = 64
"""Unwritten messages at which pushes wait (`room`)."""
CLOSES_WITHIN: Final = 2.0
"""Seconds for writing the last messages and the closing handshake (RFC 6455 section 7)."""


@final
class Connection:
    """A connection, open or ended: three tasks that read, write and send heartbeats.

    Writing is a task of its own, so that a cancelled push never leaves a partial frame.
    """

    def __init__(
        self,
        websocket: WebSocketConnection,
        receive: Callable[[Message | Reply], None],
        next_ref: Callable[[], str],
        heartbeat: float,
        patience: Patience,
    ) -> None:
        self._websocket = websocket
        self._receive = receive
        self._next_ref = next_ref
        self._heartbeat = heartbeat
        self._patience = patience
        self._beats = Replies()
        self._unwritten, self._to_write = trio.open_memory_channel[str | bytes](math.inf)
        self._written = trio.lowlevel.ParkingLot()
        self._scope = trio.CancelScope()
        self._closing = False
        self.lost: ConnectionLost | None = None
        """Why the connection has ended; None while it is open."""
        self.ended = trio.Event()
        self.heard = False
        """Whether the server has sent at least one message."""

    async def run(self) -> NoReturn:
        """Read and write until the connection ends.

        Raises:
            ConnectionLost: always, since `run` only ends when the connection does.

        """
        try:
            with self._scope:
                async with open_nursery() as nursery:
                    nursery.start_soon(self._read)
                    nursery.start_soon(self._write)
                    nursery.start_soon(self._beat)
        finally:
            self.lose(ABNORMAL, "given up")
            self.ended.set()
        assert self.lost is not None  # noqa: S101 - for mypy
        raise copy(self.lost)  # the traceback of the raised object refers to this frame: `self.lost` must not have one

    def send(self, message: Message) -> None:
        """Queue a message for writing. If the connection is closing or lost, the message is dropped.

        Raises:
            EncodeError: the payload cannot be encoded.

        """
        data = encode(message)
        if self.lost is None and not self._closing:
            self._unwritten.send_nowait(data)

    @property
    def waiting(self) -> int:
        """The number of unwritten messages."""
        return self._to_write.statistics().current_buffer_used

    async def room(self) -> None:
        """Wait while `WAITING` or more messages are unwritten, at most until the connection is lost."""
        while self.waiting >= WAITING and self.lost is None:
            await self._written.park()

    async def close(self) -> None:
        """Write the queued messages and close with 1000. Give up after `CLOSES_WITHIN` seconds."""
        self._closing = True
        self._unwritten.close()
        with trio.move_on_after(CLOSES_WITHIN, shield=True):
            await self.ended.wait()

    def lose(self, code: int, reason: str) -> ConnectionLost:
        """End the connection without a closing handshake, unless it has ended. Return why it has ended."""
        if self.lost is None:
            self.lost = ConnectionLost(code, reason)
            self._scope.cancel()
            self._written.unpark_all()
        return self.lost

    async def _read(self) -> None:
        try:
            while True:
                message = decode(await self._websocket.get_message())
                self.heard = True
                if message.topic == "phoenix" and isinstance(message, Reply):
                    self._beats.answer(message)
                else:
                    self._receive(message)
        except ConnectionClosed as closed:
            if self._closing:
                return  # `_write` waits for the server's close frame
            if closed.reason is None:
                self.lose(PROTOCOL_ERROR, "the server broke the WebSocket protocol")
            else:
                self.lose(closed.reason.code, closed.reason.reason or "")
        except DecodeError as error:
            self.lose(PROTOCOL_ERROR, f"the server sent {error}")

    async def _write(self) -> None:
        try:
            async for data in self._to_write:
                await self._websocket.send_message(data)
                self._written.unpark_all()
            await self._websocket.aclose()
        except (ConnectionClosed, LocalProtocolError):
            if not self._closing:
                return  # `_read` sets the reason
        self.lose(NORMAL, "closed by the client")

    async def _beat(self) -> None:
        while True:
            await trio.sleep(self._heartbeat)
            ref = self._next_ref()
            with self._beats.expect(ref) as beat:
                self.send(Message("phoenix", "heartbeat", {}, ref))
                with self._patience.move_on_after(self._heartbeat) as scope:
                    await beat.wait()
            if scope.cancelled_caught:
                self.lose(ABNORMAL, f"no answer to a heartbeat within {self._heartbeat:g} s")
                return
