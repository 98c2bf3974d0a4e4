"""A socket without channels, for a protocol of your own: Phoenix's Socket.Transport behaviour.

    class Echo(RawSocket):
        async def handle_in(self, data):
            return data

The program defines the text and binary messages; the socket adds nothing of Phoenix's protocol to them.
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
"""The result of a handler: a message to the client, `Stop(reason)`, or None for no message."""


_CALLBACKS: Final[dict[str, tuple[str, ...]]] = {
    "connect": ("params", "connect_info"),
    "init": (),
    "handle_in": ("data",),
    "handle_info": ("message",),
    "terminate": ("reason",),
}
"""The callbacks that must be async, with the names of their arguments."""


class RawSocket:
    """The base class of sockets without channels. All callbacks run in the process of the connection, one at a time."""

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Check the callbacks of a subclass. Raises TypeError if one is not async, or takes other arguments."""
        super().__init_subclass__(**kwargs)
        check_async(cls, _CALLBACKS)

    def __init__(self, *, endpoint: Broadcaster, transport: str, transport_pid: Pid) -> None:
        """Make the socket; a transport does this before `connect`."""
        self.endpoint = endpoint
        """The endpoint that the socket is mounted at."""
        self.transport = transport
        """`"websocket"` or `"longpoll"`."""
        self.transport_pid = transport_pid
        """The process that holds the connection."""

    async def connect(self, params: Mapping[str, Any], connect_info: Mapping[str, Any]) -> Ok[None] | Error | None:
        """Authenticate the client before the handshake is answered; return `Error(reason)` to refuse it."""
        return None

    async def init(self) -> None:
        """Set up the socket once the handshake is answered: from here on it can `push`, subscribe and set timers."""

    async def handle_in(self, data: str | bytes) -> RawResult:
        """Handle a message from the client: text as `str`, binary as `bytes`."""
        return None

    async def handle_info(self, message: object) -> RawResult:
        """Handle a message from a process."""
        return None

    async def terminate(self, reason: Reason) -> None:
        """Clean up after the end of the connection; `reason` is `NORMAL` if the client closed or dropped it.

        Not called if the process is killed, or if its supervisor shuts it down.
        """

    def push(self, data: str | bytes) -> None:
        """Send a message to the client: text for `str`, binary for `bytes`."""
        if isinstance(data, str):
            self.transport_pid.send(SocketPush(TEXT, data.encode()))
        else:
            self.transport_pid.send(SocketPush(BINARY, data))
