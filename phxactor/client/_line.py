"""The line to a server: one connection after another, and the topics that get their messages."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Final, NoReturn, Protocol, final

import attrs
import trio

from phxactor.client._errors import ABNORMAL, ConnectionLost, ConnectRefused
from phxactor.client._handshake import Server
from phxactor.client._status import Connected, Connecting, Disconnected, Status
from phxactor.client._websocket import Connection
from phxactor.runtime import Patience
from phxactor.socket import Message, Reply


class Member(Protocol):
    """A topic of a line."""

    def receive(self, message: Message | Reply) -> None:
        """Handle a message of the topic."""

    def fall(self, error: ConnectionLost) -> None:
        """Handle the loss of the connection."""

    def end(self) -> None:
        """Leave the topic without waiting, and remove it from the line's members."""


@attrs.frozen
class LineOptions:
    """The options of a line; `connect` documents them."""

    timeout: float
    """Seconds that a try to connect may take."""
    heartbeat: float
    """Seconds between heartbeats, and seconds to wait for the answer to one."""
    reconnect_after: Callable[[int], float]
    rejoin_after: Callable[[int], float]
    gives_up: Callable[[ConnectRefused], bool]
    on_status: Callable[[Status], object]


@final
class Line:
    """Keeps a connection to a server while `run` runs."""

    def __init__(self, server: Server, options: LineOptions) -> None:
        self.options: Final = options
        self.members: Final[dict[str, Member]] = {}
        """The members by topic."""
        self.connection: Connection | None = None
        """The current connection; None between two connections."""
        self.connections = 0
        """Connections opened so far."""
        self._server = server
        self.patience: Final = Patience(trio.current_time)
        """The clock for the server's time-outs."""
        self._refs = count(1)
        self._tries = 0
        self._connected = trio.lowlevel.ParkingLot()
        self._scope = trio.CancelScope()
        self._closing = False

    def next_ref(self) -> str:
        """Make a ref that no other message of this line has."""
        return str(next(self._refs))

    async def connected(self) -> Connection:
        """Wait for a connection.

        Raises:
            trio.ClosedResourceError: the line is closed.

        """
        while not self._closing:
            if self.connection is not None and self.connection.lost is None:
                return self.connection
            await self._connected.park()
        raise trio.ClosedResourceError("this socket is closed: the block of its connect() has been left")

    async def run(self) -> None:
        """Connect, and connect again whenever the connection is lost, until `close`.

        From the first connection on, the task is shielded, and only `close` ends it. So a cancelled program still
        leaves its topics and closes the connection.

        Raises:
            Exception: the first try failed, `gives_up` made a later refusal final, or `on_status` raised.

        """
        with self._scope:
            while not self._closing:
                self.options.on_status(Connecting())
                before = self.connections
                try:
                    await self._connect()
                except Exception as error:  # also of a program's function for params or headers
                    if self._is_fatal(error, connected=self.connections > before):
                        raise
                    self._tries += 1
                    await self._pause(error)

    async def close(self) -> None:
        """Leave all topics, close the connection with 1000 and end `run`."""
        self._closing = True
        for member in list(self.members.values()):
            member.end()
        self._connected.unpark_all()
        if self.connection is not None:
            await self.connection.close()
        self._scope.cancel()

    async def _connect(self) -> NoReturn:
        async with self._server.call(self.options.timeout, self.patience) as websocket:
            connection = Connection(websocket, self._receive, self.next_ref, self.options.heartbeat, self.patience)
            self.connection = connection
            self.connections += 1
            self._scope.shield = True
            self._connected.unpark_all()
            self.options.on_status(Connected())
            try:
                await connection.run()
            finally:
                self.connection = None
                if connection.heard:  # else the back-off would restart with each connection that ends at once
                    self._tries = 0
                lost = connection.lose(ABNORMAL, "given up")
                for member in list(self.members.values()):
                    member.fall(lost)

    def _is_fatal(self, error: Exception, *, connected: bool) -> bool:
        if self.connections == 0:
            return True
        if connected:  # a connection ends with ConnectionLost; any other error comes from `on_status`
            return not isinstance(error, ConnectionLost)
        # The functions that make params, token or headers may raise anything: that counts as a failed try.
        return isinstance(error, ConnectRefused) and self.options.gives_up(error)

    async def _pause(self, error: Exception) -> None:
        if not self._closing:
            seconds = self.options.reconnect_after(self._tries)
            self.options.on_status(Disconnected(error, seconds))
            await trio.sleep(seconds)

    def _receive(self, message: Message | Reply) -> None:
        member = self.members.get(message.topic)
        if member is not None:
            member.receive(message)
