"""A program as a worker: what its endpoints share with those of the other workers of the same parent.

The first process of the program holds the `Worker` in its process dictionary. The sockets come from the parent, which
has opened each of them once; the connections are counted in memory that all workers share.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, final

import attrs
import trio

from phxactor.cluster import Cluster, LocalNode
from phxactor.cluster.carriers.workers import Beat, Hello, Listen, Peering, ThisWorker, Wanted, Workers
from phxactor.net import MAX_ENDPOINTS, Share, SharedCounts
from phxactor.runtime import Runtime

if TYPE_CHECKING:
    from phxactor.endpoint._application import Application
    from phxactor.endpoint._serving import Serving
    from phxactor.net import Place


@final
class Worker:
    """This program as one of several workers."""

    def __init__(self, this: ThisWorker, application: Application, places: Sequence[tuple[str, Place]]) -> None:
        """Prepare what the endpoints of an application need; `places` are those that they listen on.

        Raises ValueError if there are more endpoints than the shared memory has columns for.
        """
        if len(application.endpoints) > MAX_ENDPOINTS:
            raise ValueError(f"workers serve at most {MAX_ENDPOINTS} endpoints; there are {len(application.endpoints)}")
        self.this: Final = this
        self._counts = SharedCounts(this.counts, this.configure.slots)
        self._shares = {
            one.name: Share(self._counts, this.configure.slot, column)
            for column, one in enumerate(application.endpoints, 1)
        }
        self._places = places
        self._sockets: dict[tuple[str, int], socket.socket] = {}
        self._greeted: bytes | None = None
        """The id of the node that the parent knows."""
        self._answered = trio.Event()
        """Set when the parent has sent the sockets, or why there are none."""
        self._error = ""
        self.carrier: Final = Workers()
        """Its lines to the other workers."""
        self.peering: Peering | None = None
        """What the parent says of other workers, once the control line is read."""
        self.peers = 0
        """Lines that the parent has sent before the sockets."""
        self._servings: list[Serving] = []
        self.stopping = False
        """Whether the parent, or a signal, has told it to stop."""

    @staticmethod
    def found(runtime: Runtime) -> Worker | None:
        """Return the worker that a runtime is; None if it is none."""
        worker = (runtime.main.dictionary or {}).get(Worker)
        return worker if isinstance(worker, Worker) else None

    # ------------------------------------------------------------------------------------------------- sockets

    def wanted(self) -> tuple[list[Wanted], list[int]]:
        """Return the places that the endpoints want, and the descriptors of the sockets that the program offers."""
        wanted, offered = [], []
        numbers: dict[str, int] = {}
        for name, place in self._places:
            number = numbers[name] = numbers.get(name, -1) + 1
            if place.given is None:
                asked = place.asked
                path = None if asked.path is None else os.path.abspath(asked.path)  # noqa: PTH100 - keeps the last link
                one = Wanted(
                    endpoint=name,
                    number=number,
                    host=asked.host,
                    port=asked.port,
                    path=path,
                    mode=place.mode,
                    secure=asked.secure,
                )
            else:
                one = Wanted(endpoint=name, number=number, secure=place.asked.secure, offered=True)
                offered.append(place.given.fileno())
            wanted.append(one)
        return wanted, offered

    async def greet(self, runtime: Runtime) -> str:
        """Say hello to the parent unless it knows this node, and wait for the sockets and for the first lines.

        Returns why there are no sockets, else an empty text.
        """
        node = LocalNode.found(runtime)
        if node is not None and node.id != self._greeted:
            self._greeted = node.id
            self._answered = trio.Event()
            wanted, offered = self.wanted()
            hello = Hello(
                node=node.id,
                name=node.identity.name,
                process=os.getpid(),
                places=tuple(one.encode() for one in wanted),
                descriptors=tuple(offered),
            )
            self.this.line.send(hello)
        await self._answered.wait()
        if self.peering is not None:
            await self.peering.wait(self.peers)
        return self._error

    def take(self, listen: Listen) -> None:
        """Take the sockets that the parent has opened for the places."""
        for one, descriptor in zip(self.wanted()[0], listen.descriptors, strict=False):
            self._sockets[one.endpoint, one.number] = socket.socket(fileno=descriptor)
        self._error = listen.error
        self._answered.set()

    def socket_of(self, endpoint: str, number: int) -> socket.socket | None:
        """Return the socket of an endpoint's place; None if its application does not list the endpoint."""
        return self._sockets.get((endpoint, number))

    # -------------------------------------------------------------------------------------------------- counts

    def share(self, endpoint: str) -> Share | None:
        """Return what an endpoint shares with that of other workers; None if its application does not list it."""
        return self._shares.get(endpoint)

    def serves(self, serving: Serving) -> None:
        """Note that an endpoint has started, for the beats."""
        self._servings = [one for one in self._servings if one.endpoint.name != serving.endpoint.name]
        self._servings.append(serving)

    def beat(self, runtime: Runtime, lag: float) -> Beat:
        """Return a sign of life; `lag` is the number of seconds by which the loop was late."""
        for serving in self._servings:
            share = self._shares.get(serving.endpoint.name)
            if share is not None and serving.listens_now():
                share.beat()
        state, why = self._state(runtime)
        node = LocalNode.found(runtime)
        return Beat(
            state=state,
            why=why,
            connections=sum(serving.connection_count() for serving in self._servings),
            channels=sum(serving.channel_count() for serving in self._servings),
            processes=len(runtime.processes),
            nodes=0 if node is None else len(node.nodes()),
            lag=round(lag * 1000),
        )

    def _state(self, runtime: Runtime) -> tuple[str, str]:
        if self.stopping or any(serving.state == "draining" for serving in self._servings):
            return "draining", ""
        node = LocalNode.found(runtime)
        away = () if node is None else node.health().away
        if away:
            return "degraded", ", ".join(f"{one.carrier} is away" for one in away)
        return ("ready" if self._servings else "starting"), ""


def as_worker(application: Application, worker: Worker) -> Application:
    """Return an application whose cluster has the lines to the other workers, beside the carriers that it has."""
    configure = worker.this.configure
    if application.cluster is None:
        cluster = Cluster([worker.carrier], name=configure.name, group=configure.group)
    else:
        cluster = attrs.evolve(
            application.cluster,
            carriers=[worker.carrier, *application.cluster.carriers],
            name=application.cluster.name or configure.name,
            group=configure.group,
        )
    return attrs.evolve(application, cluster=cluster)
