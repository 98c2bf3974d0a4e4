"""What systemd is told of a program: that it is ready, that it stops, and that it still runs (sd_notify(3)).

Each message is one datagram to the Unix socket that the variable NOTIFY_SOCKET names. Without the variable, as in a
unit of another type than `notify`, nothing is sent.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import attrs

READY: Final = b"READY=1"
STOPPING: Final = b"STOPPING=1"
ALIVE: Final = b"WATCHDOG=1"


def reloading() -> bytes:
    """Return the message that a reload begins (`Type=notify-reload`); `READY` ends it."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}".encode()


@attrs.frozen
class ServiceManager:
    """Where messages go, and how often systemd wants one (`WatchdogSec=` of the unit)."""

    address: str | None
    """The path of the socket; a leading NUL stands for an abstract one. None for no service manager."""
    interval: float | None
    """Seconds from one `ALIVE` to the next: half of the time after which systemd kills the program; None for none."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> ServiceManager:
        """Read the environment."""
        path = environment.get("NOTIFY_SOCKET")
        if not path:
            return cls(None, None)
        micros = environment.get("WATCHDOG_USEC", "")
        meant = environment.get("WATCHDOG_PID") in (None, str(os.getpid()))
        address = "\0" + path[1:] if path.startswith("@") else path
        return cls(address, int(micros) / 2_000_000 if meant and micros.isdecimal() and int(micros) else None)

    def tell(self, message: bytes) -> None:
        """Send a message. If it cannot be delivered, the program goes on: only systemd could mend that."""
        if self.address is None:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender, suppress(OSError):
            sender.settimeout(0)
            sender.sendto(message, self.address)
