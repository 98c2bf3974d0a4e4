"""The operating system's view of the peer of a socket: whether it has left, and which bytes it has not acknowledged."""

from __future__ import annotations

import os
import select
import socket
import struct
import sys
from contextlib import suppress
from typing import Final, TypeAlias

import trio

Socket: TypeAlias = socket.socket | trio.socket.SocketType

FIRST_LOOK: Final = 0.005
"""Seconds from the first check to the second; each further interval is twice as long."""
LAST_LOOK: Final = 0.1
"""Most seconds between two checks."""

LAST_SENT: Final = 44
"""Offset of `tcpi_last_data_sent` in Linux's `struct tcp_info`: four bytes, in milliseconds."""

BYTES_ACKED: Final = 120
"""Offset of `tcpi_bytes_acked` there: eight bytes, and behind it eight of `tcpi_bytes_received` (Linux 4.1)."""

AF_UNIX: Final = getattr(socket, "AF_UNIX", None)

if sys.platform == "linux":
    from fcntl import ioctl
    from termios import TIOCOUTQ

    def outstanding(sock: Socket) -> int:
        """Return how many bytes the peer has not acknowledged; for a Unix socket, has not read. Raises OSError."""
        count = bytearray(4)
        ioctl(sock.fileno(), TIOCOUTQ, count)
        return int.from_bytes(count, sys.byteorder)

    def has_left(sock: Socket) -> bool:
        """Say whether the peer has closed its side or reset, even if bytes that it sent are still unread."""
        return _has(sock, select.POLLRDHUP)

    def is_broken(sock: Socket) -> bool:
        """Say whether the connection is broken, so that nothing more can reach the peer."""
        return _has(sock, 0)

    def silent_for(sock: Socket) -> float:
        """Return the seconds since bytes were sent last; 0 for a Unix socket, where `has_left` is always right."""
        if sock.family == AF_UNIX or sock.fileno() < 0:
            return 0.0
        with suppress(OSError):
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, LAST_SENT + 4)
            return int.from_bytes(info[LAST_SENT:], sys.byteorder) / 1000
        return 0.0

    def traffic(sock: Socket) -> tuple[int, int] | None:
        """Return the bytes received, and those that the peer has acknowledged; None for a Unix socket."""
        if sock.family == AF_UNIX or sock.fileno() < 0:
            return None
        with suppress(OSError):
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, BYTES_ACKED + 16)
            if len(info) == BYTES_ACKED + 16:
                acked, received = struct.unpack_from("=QQ", info, BYTES_ACKED)
                return received, acked
        return None

    def _has(sock: Socket, event: int) -> bool:
        """Say whether this poll event, a hang-up or an error has happened; for a socket closed here, yes."""
        if sock.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(sock.fileno(), event)
        return bool(poll.poll(0))
else:  # other systems do not tell: bytes that the system has accepted count as acknowledged

    def outstanding(sock: Socket) -> int:  # noqa: ARG001
        """Return 0."""
        return 0

    def has_left(sock: Socket) -> bool:
        """Say whether the peer has closed its side or reset; unread bytes that it sent before hide this."""
        try:
            with socket.socket(fileno=os.dup(sock.fileno())) as same:
                return not same.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def is_broken(sock: Socket) -> bool:  # noqa: ARG001
        """Return False: this system does not tell."""
        return False

    def traffic(sock: Socket) -> tuple[int, int] | None:  # noqa: ARG001
        """Return None: this system does not tell."""
        return None

    def silent_for(sock: Socket) -> float:  # noqa: ARG001
        """Return 0: this system does not show a reset without a read."""
        return 0.0


def drop_unsent(sock: Socket) -> None:
    """Have the system discard unsent bytes when the socket is closed; the peer sees a reset (SO_LINGER 0)."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def acknowledged(sock: Socket) -> bool:
    """Wait until the peer's system has acknowledged all bytes; False if it never will.

    This polls, since the system has no event for it.
    """
    pause, quiet = FIRST_LOOK, True
    try:
        while outstanding(sock):
            if is_broken(sock):
                return False
            with trio.move_on_after(pause):
                if quiet:  # the next request of a client brings the acknowledgement with it
                    await trio.lowlevel.wait_readable(sock)
                    quiet = False
                else:
                    await trio.sleep_forever()
            pause = min(2 * pause, LAST_LOOK)
    except (OSError, trio.ClosedResourceError):
        return False
    return True


async def read(sock: Socket) -> bool:
    """Wait until the peer sends bytes or closes: both mean that it has read everything. False if it resets.

    The peer's system sends a reset if the peer closes the socket while unread bytes are in it.
    """
    if sock.family == AF_UNIX:
        return not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # for a Unix socket, acknowledged means read
    try:
        await trio.lowlevel.wait_readable(sock)
    except trio.ClosedResourceError:
        return True
    return not is_broken(sock)
