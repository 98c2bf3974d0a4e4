"""Redis: the carrier between machines, and its options."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from enum import Enum
from random import Random
from typing import TYPE_CHECKING, Final, Literal, final

import trio

from phxactor.cluster.carriers.redis._connection_process import Connection, OpenStream
from phxactor.cluster.carriers.redis._exchange import Exchange
from phxactor.cluster.carriers.redis._pauses import Pauses
from phxactor.cluster.carriers.redis._resp import need_hiredis
from phxactor.cluster.carriers.redis._stream import open_stream
from phxactor.cluster.carriers.redis._url import Address
from phxactor.envelope import OVERHEAD, Seal, check_prefix
from phxactor.otp import ChildSpec, Ok
from phxactor.runtime import Pid, self_pid

if TYPE_CHECKING:
    from phxactor.cluster._local_node import LocalNode

NAME: Final = "redis"
MAX_WAITING_BYTES: Final = 16 * 1024 * 1024
"""Bytes that may wait for Redis's answer, unless a limit is given."""
HELD: Final = 8
"""How many times the size of the largest message a message may have before the connection is closed; between the two it
is read and dropped. Redis's own default limit is 32 MB (CL22)."""


class Derived(Enum):
    """The type of `DERIVED`."""

    DERIVED = "derived from secret_key_base"


DERIVED: Final = Derived.DERIVED
"""The secret is derived from the `secret_key_base` of the endpoints."""


@final
class Redis:
    """Carries messages between nodes by a Redis server (6 or later, or Valkey), over one connection.

    A node reads the channel of all nodes, one of its own, and one for each topic that somebody here is subscribed to.
    Nothing waits for Redis: while it is away, messages to other nodes are dropped and counted, clients here notice
    nothing, and the connection is tried again for ever (docs/redis.md).

    Args:
        url: `redis://[[USER]:PASSWORD@]HOST[:PORT]`, `rediss://` for TLS, `unix://[[USER]:PASSWORD@]/PATH`. User and
            password are in no log.
        prefix: the first part of every channel's name, for several programs on one Redis: 1 to 64 ASCII letters,
            digits, `_`, `-` or `.`.
        secret: what the seal of each message is made with, at least 20 bytes; all nodes and emitters have the same. By
            default it is derived from the `secret_key_base` of the endpoints. With None messages have no seal: whoever
            can write to Redis can say anything to all clients, and `redis-cli PUBLISH` can too (for development).
        ssl_context: for `rediss://`; by default one that trusts the system's certificates.
        open_stream: a coroutine function that opens the stream to use instead, for each try: a tunnel, or the server
            that Sentinel names. It raises OSError or trio.BrokenResourceError if it cannot.
        max_waiting_bytes: bytes that may wait for Redis's answer; a message above it is dropped and counted.

    Raises:
        TypeError: the secret is neither text nor bytes, or the prefix is no text.
        ValueError: another option is not allowed. No text holds a user, a password or a secret.
        ImportError: hiredis is missing, which the extra `redis` brings.

    """

    name: Final = NAME

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "phxactor",
        secret: str | bytes | Literal[Derived.DERIVED] | None = DERIVED,
        ssl_context: ssl.SSLContext | None = None,
        open_stream: OpenStream | None = None,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
    ) -> None:
        need_hiredis()
        self._address: Final = Address.parse(url)
        self.prefix: Final = check_prefix(prefix)
        if secret is not DERIVED:
            Seal(secret)  # raises what is wrong with it now
        self._secret: Final = secret
        self.needs_secret: Final = secret is DERIVED
        """Whether it takes the secret of the cluster."""
        if ssl_context is not None and not self._address.secure:
            raise ValueError(f"an ssl_context needs a rediss:// URL, not {self._address}")
        if ssl_context is None and self._address.secure:
            ssl_context = ssl.create_default_context()
        self._context: Final = ssl_context
        self._given_stream: Final = open_stream
        if type(max_waiting_bytes) is not int or max_waiting_bytes < 1:
            raise ValueError(f"max_waiting_bytes is a number of bytes, at least 1, not {max_waiting_bytes!r:.100}")
        self._max_waiting: Final = max_waiting_bytes
        self._exchange: Exchange

    def __repr__(self) -> str:
        """Show the URL without user and password, and the prefix."""
        return f"Redis({str(self._address)!r}, prefix={self.prefix!r})"

    def child_spec(self, node: LocalNode) -> ChildSpec:
        """Return the child specification of the connection's process.

        Raises:
            ValueError: there is no secret, or another node of this program uses this object.

        """
        before: Exchange | None = getattr(self, "_exchange", None)
        if before is not None and before.is_running:
            raise ValueError(f"another node of this program uses {self!r}: make one for each")
        secret = self._secret
        if secret is DERIVED:
            if node.secret is None:  # an open cluster is made by `secret=None` only
                raise ValueError(f"the cluster has no secret for {self!r}")
            secret = node.secret
        seal = Seal(secret, node.max_message_bytes)
        self._exchange = Exchange(node, self, self.prefix, seal, self._max_waiting)
        return ChildSpec(id=NAME, start=(self._start, (), {}), modules=(Redis,))

    def publish(self, lane: str, message: bytes) -> None:
        """Publish on the channel of a lane."""
        self._exchange.publish_to_lane(lane, message)

    def publish_to_all(self, message: bytes) -> None:
        """Publish on the channel that all nodes read."""
        self._exchange.publish(self._exchange.all, message)

    def send(self, to: bytes, message: bytes) -> bool:
        """Publish on the channel that only one node reads."""
        return self._exchange.send(to, message)

    def watch(self, lanes: Sequence[str]) -> None:
        """Subscribe the channels of lanes."""
        self._exchange.watch(lanes)

    def unwatch(self, lanes: Sequence[str]) -> None:
        """Unsubscribe the channels of lanes."""
        self._exchange.unwatch(lanes)

    def covers(self, node_id: bytes) -> bool:
        """Say that other carriers may bring what a node publishes."""
        return False

    def _start(self) -> Ok[Pid]:
        exchange = self._exchange
        exchange.restart()
        connection = Connection(
            exchange,
            self._address,
            self._given_stream or self._open_stream,
            Pauses(Random()),  # noqa: S311 - jitter
            HELD * (exchange.node.max_message_bytes + OVERHEAD),
        )
        return Ok(self_pid().runtime.spawn(connection.run, link=True, initial_call="Redis"))

    async def _open_stream(self) -> trio.abc.Stream:
        return await open_stream(self._address, self._context)
