"""One end of a control line: sends and receives messages with their descriptors, and never waits to send."""

from __future__ import annotations

import os
import socket
from array import array
from collections import deque
from typing import Final, final

import trio

from phxactor.cluster.carriers.workers._control import (
    MAX_BYTES,
    MAX_DESCRIPTORS,
    ControlError,
    ControlMessage,
    decode,
    encode,
)

MAX_WAITING: Final = 256
"""Most messages that wait for a process that does not read."""
_ANCILLARY: Final = socket.CMSG_SPACE(MAX_DESCRIPTORS * array("i").itemsize)


def control_pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a new control line, non-blocking and not inherited by programs."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(0)
    theirs.settimeout(0)
    return ours, theirs


@final
class ControlLine:
    """One end of a control line. One task receives, one task writes what had to wait (`write_waiting`)."""

    def __init__(self, sock: socket.socket) -> None:
        """Take a socket of `control_pair`; the line closes it."""
        sock.settimeout(0)
        self._sock = sock
        self._waiting: deque[tuple[bytes, tuple[int, ...]]] = deque()
        """Packets that did not fit into the socket's buffer, with duplicates of their descriptors."""
        self._more = trio.Event()
        """Set when `write_waiting` has something to write."""

    def send(self, message: ControlMessage) -> bool:
        """Send a message, now or as soon as the other process reads; the caller's descriptors stay its own.

        Returns False if the other process is gone, or if `MAX_WAITING` messages wait for it: the message is dropped.
        Raises ControlError if the message is too large, OSError if its descriptors cannot be sent or duplicated.
        """
        packet = encode(message)
        if not self._waiting:
            try:
                socket.send_fds(self._sock, [packet], message.descriptors)
            except BlockingIOError:
                pass
            except (BrokenPipeError, ConnectionResetError):
                return False
            else:
                return True
        elif len(self._waiting) >= MAX_WAITING:
            return False
        self._waiting.append((packet, _duplicates(message.descriptors)))
        self._more.set()
        return True

    async def write_waiting(self) -> None:
        """Write, for ever, what `send` could not; returns when the other process is gone."""
        while True:
            await self._more.wait()
            while self._waiting:
                packet, descriptors = self._waiting[0]
                try:
                    socket.send_fds(self._sock, [packet], descriptors)
                except BlockingIOError:
                    await trio.lowlevel.wait_writable(self._sock)
                    continue
                except OSError:
                    return
                self._waiting.popleft()
                _close_all(descriptors)
            self._more = trio.Event()

    async def receive(self) -> ControlMessage | None:
        """Wait for a message; None when the other process has closed its end, or is gone.

        Raises ControlError for bytes that are no message, and DescriptorsLostError if this process has no room for the
        descriptors of one. The descriptors that came are closed then.
        """
        while True:
            try:
                return self._received()
            except BlockingIOError:
                await trio.lowlevel.wait_readable(self._sock)
            except OSError:
                return None

    def receive_now(self) -> ControlMessage | None:
        """Return the message that is here already, None if the other process is gone, without a running trio.

        Raises BlockingIOError if none is here, OSError if the socket is none, and ControlError as `receive`.
        """
        return self._received()

    def _received(self) -> ControlMessage | None:
        packet, ancillary, flags, _ = self._sock.recvmsg(MAX_BYTES + 1, _ANCILLARY, socket.MSG_CMSG_CLOEXEC)
        descriptors = array("i")
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
        if not packet and not descriptors:
            return None
        try:
            return decode(packet, tuple(descriptors), lost=bool(flags & socket.MSG_CTRUNC))
        except ControlError:
            _close_all(descriptors)
            raise

    def close(self) -> None:
        """Close this end, and drop what waits; a second call does nothing."""
        if self._sock.fileno() >= 0:
            trio.lowlevel.notify_closing(self._sock)
            self._sock.close()
        while self._waiting:
            _close_all(self._waiting.popleft()[1])


def _duplicates(descriptors: tuple[int, ...]) -> tuple[int, ...]:
    copies: list[int] = []
    try:
        for descriptor in descriptors:
            copies.append(os.dup(descriptor))  # noqa: PERF401 - those made before an error are closed
    except OSError:
        _close_all(copies)
        raise
    return tuple(copies)


def _close_all(descriptors: array[int] | list[int] | tuple[int, ...]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
