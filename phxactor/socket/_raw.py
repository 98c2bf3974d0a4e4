"""A socket without channels: Phoenix's Socket.Transport behaviour, for protocols of one's own.

    class Echo(RawSocket):
        async def handle_in(self, data):
            return data

Its text and binary messages are the program's own; nothing of Phoenix's protocol is in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from phxactor.otp import Error, Ok, Stop, check_async
from phxactor.runtime import Pid, Reason
from phxactor.socket._messages import BINARY, TEXT, SocketPush

if TYPE_CHECKING:
    from phxactor.socket._fastlane import Broadcaster

RawResult: TypeAlias = str | bytes | Stop | None
"""What a handler returns: a message to the client, `Stop(reason)`, or nothing."""


_CALLBACKS: Final[dict[str, tuple[str, ...]]] = {
    "connect": ("params", "connect_info"),
    "init": (),
    "handle_in": ("data",),
    "handle_info": ("message",),
    "terminate": ("reason",),
}
"""What is awaited, and with which arguments."""


class RawSocket:
    """Subclass it; every callback runs in the process of the connection, one at a time."""

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Refuse callbacks that could not be called. Raises TypeError."""
        super().__init_subclass__(**kwargs)
        check_async(cls, _CALLBACKS)

    def __init__(self, *, endpoint: Broadcaster, transport: str, transport_pid: Pid) -> None:
        """Made by a transport, before `connect`."""
        self.endpoint = endpoint
        """Where the socket is mounted."""
        self.transport = transport
        """`"websocket"` or `"longpoll"`."""
        self.transport_pid = transport_pid
        """The process that holds the connection."""

    async def connect(self, params: Mapping[str, Any], connect_info: Mapping[str, Any]) -> Ok[None] | Error | None:
        """Authenticate, before the handshake is answered; return `Error(reason)` to refuse."""
        return None

    async def init(self) -> None:
        """Begin, once the handshake has been answered: here one can `push`, subscribe, set timers."""

    async def handle_in(self, data: str | bytes) -> RawResult:
        """Take a message of the client: text as `str`, binary as `bytes`."""
        return None

    async def handle_info(self, message: object) -> RawResult:
        """Take a message of a process."""
        return None

    async def terminate(self, reason: Reason) -> None:
        """Clean up when the connection has ended by itself: `NORMAL` when the client closed or dropped it.

        Not called when the process is killed or told to shut down by its supervisor.
        """

    def push(self, data: str | bytes) -> None:
        """Send a message to the client: text for `str`, binary for `bytes`."""
        if isinstance(data, str):
            self.transport_pid.send(SocketPush(TEXT, data.encode()))
        else:
            self.transport_pid.send(SocketPush(BINARY, data))
