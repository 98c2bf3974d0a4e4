"""What the system knows of a client's side of a socket: whether it is still there, and what has not reached it."""

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
"""Seconds between the first two looks; twice as many between each two more."""
LAST_LOOK: Final = 0.1
"""Seconds between two looks at the most."""

LAST_SENT: Final = 44
"""Where `tcpi_last_data_sent` is in Linux's `struct tcp_info`: milliseconds, in four bytes."""

AF_UNIX: Final = getattr(socket, "AF_UNIX", None)

if sys.platform == "linux":
    from fcntl import ioctl
    from termios import TIOCOUTQ

    def outstanding(sock: Socket) -> int:
        """Return how many bytes the other side has not acknowledged; of a Unix socket's, not read. Raises OSError."""
        count = bytearray(4)
        ioctl(sock.fileno(), TIOCOUTQ, count)
        return int.from_bytes(count, sys.byteorder)

    def has_left(sock: Socket) -> bool:
        """Say whether the other side has closed, or is gone, behind whatever it has sent."""
        return _has(sock, select.POLLRDHUP)

    def is_broken(sock: Socket) -> bool:
        """Say whether nothing that is sent will reach the other side."""
        return _has(sock, 0)

    def silent_for(sock: Socket) -> float:
        """Return the seconds since anything was sent; 0 for a Unix socket, of which `has_left` knows at once."""
        if sock.family == AF_UNIX or sock.fileno() < 0:
            return 0.0
        with suppress(OSError):
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, LAST_SENT + 4)
            return int.from_bytes(info[LAST_SENT:], sys.byteorder) / 1000
        return 0.0

    def _has(sock: Socket, event: int) -> bool:
        """Say whether this has happened, or worse; to a socket that we have closed, it has."""
        if sock.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(sock.fileno(), event)
        return bool(poll.poll(0))
else:  # what was handed to the system has arrived, as far as it says

    def outstanding(sock: Socket) -> int:  # noqa: ARG001
        """Return 0."""
        return 0

    def has_left(sock: Socket) -> bool:
        """Say whether the other side has closed, and has sent nothing before; or is gone."""
        try:
            with socket.socket(fileno=os.dup(sock.fileno())) as same:
                return not same.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def is_broken(sock: Socket) -> bool:  # noqa: ARG001
        """Say that it does not seem so."""
        return False

    def silent_for(sock: Socket) -> float:  # noqa: ARG001
        """Return 0: a reset would not be seen."""
        return 0.0


def drop_unsent(sock: Socket) -> None:
    """Have the system forget what it has not sent, when the socket is closed: the other side sees a reset."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def acknowledged(sock: Socket) -> bool:
    """Wait until the other side's system has acknowledged everything; False when it never will.

    It is looked at again and again, as no event tells of it.
    """
    pause, quiet = FIRST_LOOK, True
    try:
        while outstanding(sock):
            if is_broken(sock):
                return False
            with trio.move_on_after(pause):
                if quiet:  # a next request comes with the acknowledgement
                    await trio.lowlevel.wait_readable(sock)
                    quiet = False
                else:
                    await trio.sleep_forever()
            pause = min(2 * pause, LAST_LOOK)
    except (OSError, trio.ClosedResourceError):
        return False
    return True


async def read(sock: Socket) -> bool:
    """Wait until the other side says something or closes, as whoever has read all does; False if it resets.

    Who closes and has not read all sends a reset, by itself: the system does it.
    """
    if sock.family == AF_UNIX:
        return not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # what was read is what is acknowledged
    try:
        await trio.lowlevel.wait_readable(sock)
    except trio.ClosedResourceError:
        return True
    return not is_broken(sock)
