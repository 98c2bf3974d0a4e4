"""One connection, from an open WebSocket to its end. A lost one is never mended: another takes its place."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from typing import Final, NoReturn, final

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection
from wsproto.utilities import LocalProtocolError

from phxactor.client._errors import ABNORMAL, NORMAL, PROTOCOL_ERROR, ConnectionLost
from phxactor.client._exception_groups import unwrapped
from phxactor.client._replies import Replies
from phxactor.client._wire import decode, encode
from phxactor.runtime import Patience
from phxactor.socket import DecodeError, Message, Reply

WAITING: Final = 64
"""Messages that may wait to be written before those who push wait too."""
CLOSES_WITHIN: Final = 2.0
"""Seconds that the last messages and the closing handshake may take."""


@final
class Connection:
    """A connection that stands, or has stood: three tasks that read, write and send heartbeats.

    Writing is a task of its own, so that a push that is cancelled never leaves half a frame behind.
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
        """Why it has ended; None while it stands."""
        self.ended = trio.Event()
        self.heard = False
        """Whether anything has come over it."""

    async def run(self) -> NoReturn:
        """Read and write until the connection is lost.

        Raises:
            ConnectionLost: it always is, at last.

        """
        try:
            with unwrapped(), self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._read)
                    nursery.start_soon(self._write)
                    nursery.start_soon(self._beat)
        finally:
            self.lose(ABNORMAL, "given up")
            self.ended.set()
        assert self.lost is not None  # noqa: S101 - for mypy
        raise copy(self.lost)  # a traceback knows this frame, and with it what is kept

    def send(self, message: Message) -> None:
        """Have a message written; one that comes too late is dropped.

        Raises:
            EncodeError: the payload cannot be written.

        """
        data = encode(message)
        if self.lost is None and not self._closing:
            self._unwritten.send_nowait(data)

    @property
    def waiting(self) -> int:
        """How many messages wait to be written."""
        return self._to_write.statistics().current_buffer_used

    async def room(self) -> None:
        """Wait while too many messages wait to be written, or until the connection is lost."""
        while self.waiting >= WAITING and self.lost is None:
            await self._written.park()

    async def close(self) -> None:
        """Write what waits, and close with 1000; within 2 seconds, or it is left as it is."""
        self._closing = True
        self._unwritten.close()
        with trio.move_on_after(CLOSES_WITHIN, shield=True):
            await self.ended.wait()

    def lose(self, code: int, reason: str) -> ConnectionLost:
        """End it without a word, unless it has ended; returns why it has."""
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
                return  # the writer waits for the server's close
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
                return  # the reader says why
        self.lose(NORMAL, "closed by us")

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
