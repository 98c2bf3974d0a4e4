"""Broadcasts from programs that have no runtime: a Django view, a Celery task, a script that cron starts.

    from phxactor.emitter import Emitter

    emitter = Emitter("redis://cache:6379", prefix="shop", secret=SECRET_KEY_BASE)
    emitter.broadcast("room:1", "news", {"text": "hello"})
    emitter.disconnect("users:42")

It publishes on the Redis of a cluster what a node would (docs/envelope.md). Neither trio nor a
runtime is imported. Needs the extra `phxactor[redis]`.
"""

from __future__ import annotations

import os
import threading
import time
from types import TracebackType
from typing import Final, Self
from weakref import WeakSet

import orjson

from phxactor.envelope import (
    DEFAULT_SCOPE,
    MAX_MESSAGE_BYTES,
    EnvelopeError,
    Frame,
    Kind,
    Message,
    Seal,
    channel_of_all,
    channel_of_lane,
    check_prefix,
    encode,
    lane_of,
)

try:
    from redis import ConnectionError as RedisConnectionError
    from redis import Redis
    from redis import TimeoutError as RedisTimeoutError
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ImportError as error:  # pragma: no cover - a test runs this file without redis-py
    raise ImportError("an emitter needs redis-py: pip install 'phxactor[redis]'") from error

__all__ = ["Emitter"]

PATIENCE: Final = 5.0
"""Seconds that connecting, and an answer, may take, unless the URL says otherwise: redis://...?socket_timeout=1."""


class Emitter:
    """Broadcasts to the clients of a cluster, through its Redis.

    One emitter may be used by all threads of a program, and by processes that were forked after it was made; it has one
    connection, and one thread at a time uses it. It connects when it is first used, and again after it was lost or
    closed. Methods block for at most two tries: a coroutine calls them in a thread (`asyncio.to_thread`).

    A message reaches each client at most once. What was published inside a database transaction is seen before the
    commit: broadcast after it (in Django `transaction.on_commit`).
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "phxactor",
        secret: str | bytes | None = None,
        scope: str = DEFAULT_SCOPE,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        """Take the options; nothing is connected yet.

        Args:
            url: `redis://`, `rediss://` (TLS) or `unix://`, as redis-py takes it: with user, password and options.
            prefix: that of the cluster.
            secret: that of the cluster: the `secret_key_base` of its endpoints, unless its nodes were given another;
                None for a cluster without one, which is for development.
            scope: the name of the PubSub; by default that of an `Endpoint()`.
            max_message_bytes: bytes of a message at most, as on the nodes.

        Raises:
            ValueError: an option is not valid. No error contains the URL or the secret.

        """
        self._prefix = check_prefix(prefix)
        self._scope = scope
        self._max_message_bytes = max_message_bytes
        self._seal = Seal(secret, max_message_bytes)
        self._client = _client(url)
        self._begin()
        _EMITTERS.add(self)

    def __repr__(self) -> str:
        """Show the prefix. The URL holds a password."""
        return f"<Emitter of {self._prefix!r}>"

    def broadcast(self, topic: str, event: str, payload: object) -> int:
        """Send an event to all subscribers of a topic, on all nodes.

        Returns the number of nodes that have subscribers of the topic, and got the message: 0 if nobody listens.

        Args:
            topic: 65,535 bytes at most.
            event: the same.
            payload: what JSON can hold, or `bytes`.

        Raises:
            ValueError: the message is too large, or not text.
            TypeError: JSON cannot hold the payload.
            redis.RedisError: Redis could not be reached in two tries, or refused.

        """
        if isinstance(payload, bytes):
            message = Message(Kind.BINARY, self._scope, topic, event, payload)
        else:
            json = orjson.dumps(payload, option=orjson.OPT_NON_STR_KEYS)
            message = Message(Kind.BROADCAST, self._scope, topic, event, json)
        channel = channel_of_lane(self._prefix, lane_of(self._scope, topic))
        return self._publish(channel, encode(message, self._max_message_bytes))

    def disconnect(self, socket_id: str) -> int:
        """Close the connections of the sockets with this id, on all nodes: their clients come back and are asked anew.

        Returns the number of nodes that have such sockets. Raises as `broadcast` does.
        """
        return self.broadcast(socket_id, "disconnect", {})

    def is_taken(self, seconds: float = 1.5) -> bool | None:
        """Say whether nodes take what this emitter sends: whether one of them sends what this emitter would take.

        Nodes send a beat each second. This listens for so many seconds, and no longer than until the first good one. It
        returns None if nothing came: no node runs with this prefix. Else False says that they drop what is sent here,
        since they have another secret, or only one side has one.

        Raises:
            redis.RedisError: Redis could not be reached, or does not let this user listen.

        """
        channel, end, found = channel_of_all(self._prefix), time.monotonic() + seconds, None
        with self._client.pubsub(ignore_subscribe_messages=True) as beats:  # type: ignore[no-untyped-call]
            beats.subscribe(channel)
            while not found and (left := end - time.monotonic()) > 0:
                told = beats.get_message(timeout=left)
                if told is None:
                    continue
                try:
                    self._seal.open(channel, told["data"])
                except EnvelopeError:
                    found = False
                else:
                    found = True
        return found

    def close(self) -> None:
        """Close the connection. A later broadcast opens a new one."""
        with self._lock:
            self._client.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def _begin(self) -> None:
        """Be a new sender: at first, and in a process that was forked, where the old one goes on counting (CL13)."""
        self._id = os.urandom(16)
        self._number = 0
        self._lock = threading.Lock()

    def _publish(self, channel: bytes, message: bytes) -> int:
        with self._lock:  # receivers drop a number that comes after a higher one
            self._number += 1
            frame = Frame(self._id, self._number, 0, time.time_ns() // 1_000_000, message)
            data = self._seal.seal(channel, frame)
            try:
                return self._client.publish(channel, data)
            except (RedisConnectionError, RedisTimeoutError):
                self._client.close()
            # The same bytes on a fresh connection. If the first ones did arrive, nodes drop these by their number.
            return self._client.publish(channel, data)


def _client(url: str) -> Redis:
    options = {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE, "retry": Retry(NoBackoff(), 0)}
    try:
        return Redis.from_url(url, **options)
    except ValueError:  # it may quote a part of the password
        pass
    raise ValueError(
        "this is not the URL of a Redis server, such as redis://user:password@cache:6379/0; in the password, write "
        "characters such as / and @ as %2F and %40"
    )


def _begin_again() -> None:
    for emitter in _EMITTERS:
        emitter._begin()  # noqa: SLF001 - of this module


_EMITTERS: Final[WeakSet[Emitter]] = WeakSet()
os.register_at_fork(after_in_child=_begin_again)
