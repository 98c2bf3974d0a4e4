"""The leaks of clients, looked for when a runtime with clients is about to stop, before anything in it stops.

All clients disconnect. When nothing more happens, all of their channels must have ended, and no process may have
several more monitors or subscriptions of one kind than before the clients connected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import trio

from phxactor.pubsub import PubSub
from phxactor.runtime import Exit, NoProcessError, Pid, Runtime, current
from phxactor.testing._settle import settle
from phxactor.testing._transport import HANG_UP

if TYPE_CHECKING:
    from phxactor.testing._client import Client

PATIENCE: Final = 5.0
"""Seconds that channels have to end after their clients, since `terminate` may wait."""


class RuntimeClients:
    """The clients of one runtime."""

    def __init__(self, first: Client) -> None:
        self._clients = [first]
        self._runtime = first.transport_pid.runtime
        self._monitors = Counter(_monitors(self._runtime))
        self._subscriptions = Counter(_subscriptions(first.endpoint.pubsub))

    def add(self, client: Client) -> None:
        """Add another client."""
        if all(client.endpoint is not one.endpoint for one in self._clients):
            self._subscriptions += Counter(_subscriptions(client.endpoint.pubsub))
        self._clients.append(client)

    async def disconnect(self, describe: Callable[[Pid], str]) -> list[str]:
        """Disconnect all clients, and return their leaks, one line each."""
        current.set(self._runtime.main)  # several runtimes may be open in the program
        for client in self._clients:
            client.transport_pid.send(HANG_UP)
        await settle()
        with trio.move_on_after(PATIENCE):
            for pid in self._channels():
                await self._runtime.ended(pid)
        found = [f"channel: {describe(pid)}, has outlived its client" for pid in self._channels()]
        for (owner, target), count in (Counter(_monitors(self._runtime)) - self._monitors).items():
            if count > 1:
                found.append(f"monitor: {describe(owner)}, has made {count} on {target!r}")
        pubsubs = {client.endpoint.pubsub: None for client in self._clients}
        subscriptions = Counter(one for pubsub in pubsubs for one in _subscriptions(pubsub))
        for (pid, topic), count in (subscriptions - self._subscriptions).items():
            if count > 1:
                found.append(f"subscription: {describe(pid)}, has made {count} to {topic!r}")
        return found

    def _channels(self) -> list[Pid]:
        """Return the channels below the endpoints of these clients that no living connection monitors."""
        pools = []
        for client in self._clients:
            with suppress(Exit, NoProcessError):  # the endpoint has ended, and its channels before it
                pools.append(client.endpoint.serving.pool_of(client.socket.handler, client.transport_pid))
        channels = [pid for pid in self._runtime.processes.values() if pid.parent in pools]
        return [pid for pid in channels if not _is_known(pid)]


def _is_known(pid: Pid) -> bool:
    return any(watch.owner.alive and watch.owner.port is not None for watch in pid.watchers or ())


def _monitors(runtime: Runtime) -> Iterator[tuple[Pid, Pid]]:
    for pid in runtime.processes.values():
        for watch in pid.monitors or ():
            if watch.target is not None and pid is not runtime.main:
                yield pid, watch.target


def _subscriptions(pubsub: PubSub) -> Iterator[tuple[Pid, str]]:
    for topic in pubsub.topics() if pubsub.runs() else ():
        for subscriber in pubsub.subscribers(topic):
            if subscriber.pid is not subscriber.pid.runtime.main:
                yield subscriber.pid, topic
