"""The line to a server: one connection after another, and who is to hear what comes over them."""

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
    """One who listens on a topic."""

    def receive(self, message: Message | Reply) -> None:
        """Take what has come."""

    def fall(self, error: ConnectionLost) -> None:
        """Take note that the connection is lost."""

    def end(self) -> None:
        """Leave, and be no member any more."""


@attrs.frozen
class LineOptions:
    """How a line is kept."""

    timeout: float
    """Seconds that a try to connect may take."""
    heartbeat: float
    """Seconds between heartbeats, and until an answer to one is missed."""
    reconnect_after: Callable[[int], float]
    rejoin_after: Callable[[int], float]
    gives_up: Callable[[ConnectRefused], bool]
    on_status: Callable[[Status], object]


@final
class Line:
    """Keeps a connection to a server while `run` does."""

    def __init__(self, server: Server, options: LineOptions) -> None:
        self.options: Final = options
        self.members: Final[dict[str, Member]] = {}
        """By topic."""
        self.connection: Connection | None = None
        """The one that stands; None between two."""
        self.connections = 0
        """How many there have been."""
        self._server = server
        self.patience: Final = Patience(trio.current_time)
        """By which the server is judged."""
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
            trio.ClosedResourceError: there will be none any more.

        """
        while not self._closing:
            if self.connection is not None and self.connection.lost is None:
                return self.connection
            await self._connected.park()
        raise trio.ClosedResourceError("this socket is closed: the block of its connect() has been left")

    async def run(self) -> None:
        """Connect, and again whenever the connection is lost, until `close`.

        Once there has been a connection it is shielded, and `close` alone ends it: a program that is cancelled says
        goodbye too.

        Raises:
            Exception: the first try has failed, or the server has refused a later one for good; or from `on_status`.

        """
        with self._scope:
            while not self._closing:
                self.options.on_status(Connecting())
                before = self.connections
                try:
                    await self._connect()
                except Exception as error:
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
                if connection.heard:  # else a server that hangs up at once would be called a hundred times a second
                    self._tries = 0
                lost = connection.lose(ABNORMAL, "given up")
                for member in list(self.members.values()):
                    member.fall(lost)

    def _is_fatal(self, error: Exception, *, connected: bool) -> bool:
        if self.connections == 0:
            return True
        if connected:  # all that can go wrong with a connection is that it is lost
            return not isinstance(error, ConnectionLost)
        # A function that makes the params may raise anything: that is one more try that has failed.
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
