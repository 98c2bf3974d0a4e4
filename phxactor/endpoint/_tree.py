"""The process tree of a running endpoint.

Endpoint (rest_for_one)
├─ pubsub         the topics, unless the endpoint shares a PubSub of another supervisor
├─ UserSocket     PartitionSupervisor: the pool, n DynamicSupervisors over channels
├─ application    Supervisor of each web application: its lifespan, and the keeper of its requests
├─ flusher        writes to all connections
├─ reader         reads from plain sockets; only where the system has epoll
├─ sessions       DynamicSupervisor over long-poll sessions, if a socket has them
├─ connections    PartitionSupervisor: n DynamicSupervisors over connections
├─ relay          relays requests to long-poll sessions of other nodes; only in a cluster, if a socket has sessions
├─ listener       accepts connections; none with server=False, several for several given sockets
├─ gap closer     closes all sockets after a gap; only with close_after_gap=True, in a cluster
├─ drainer        after them, so that it stops before them: lets all clients go
└─ …              what a mount brings, such as the observer; nothing depends on it
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import attrs

from phxactor.cluster import LocalNode
from phxactor.endpoint._drainer import drainer_spec
from phxactor.endpoint._entrance import Entrance
from phxactor.endpoint._gap_closer import gap_closer_spec
from phxactor.endpoint._options import EndpointOptions
from phxactor.endpoint._relay import Relay
from phxactor.endpoint._serving import Serving
from phxactor.endpoint._worker import Worker
from phxactor.gateway import application_spec
from phxactor.net import Place, listen
from phxactor.otp import ChildSpec, DynamicSupervisor, Error, Ok, StartFunction, Supervise, Supervisor
from phxactor.runtime import Pid, self_pid
from phxactor.socket import Socket


class EndpointSupervisor(Supervisor):
    """The root of the tree; its process dictionary holds the `Serving` and its `Entrance`."""

    async def init(self, serving: Serving, places: Sequence[Place]) -> Supervise:
        """Put both into the process dictionary, for `Serving.found` and `Entrance.found`, and return the children."""
        pid = self_pid()
        entrance = Entrance(serving)
        pid.dictionary = {**(pid.dictionary or {}), Serving: serving, Entrance: entrance}
        children = [*map(serving.noted, _children(serving, entrance, places)), *_brought(serving.endpoint)]
        return Supervise(children, strategy="rest_for_one")


def _brought(endpoint: EndpointOptions) -> list[ChildSpec]:
    """Return the specifications of what mounts bring. They are not noted: the endpoint is complete without them."""
    return [
        attrs.evolve(one.child(endpoint.name), restart="transient") for one in endpoint.sockets if one.child is not None
    ]


def _children(serving: Serving, entrance: Entrance, places: Sequence[Place]) -> list[ChildSpec]:
    endpoint = serving.endpoint
    handlers = {one.handler for one in endpoint.sockets}
    pools = sorted((one for one in handlers if issubclass(one, Socket)), key=lambda handler: handler.__qualname__)
    children = [attrs.evolve(endpoint.pubsub.child_spec(), id="pubsub")] if endpoint.own_pubsub else []
    children += [_supervisor(f"{handler.__qualname__} channels", serving.start_pool, handler) for handler in pools]
    children += map(application_spec, serving.applications)
    children.append(serving.flusher.child_spec())
    if serving.reader is not None:
        children.append(serving.reader.child_spec())
    if endpoint.longpolls:
        children.append(_supervisor("sessions", DynamicSupervisor.start_link))
    children.append(_supervisor("connections", serving.start_connections))
    if endpoint.longpolls and (node := LocalNode.found(self_pid().runtime)) is not None:
        serving.relay = Relay(serving, node)
        children.append(serving.relay.child_spec())
    for number, place in enumerate(places):
        name = f"listener {number + 1}" if number else "listener"
        serving.listeners.append(name)
        if serving.worker is None:
            start: StartFunction = partial(_listen, serving, entrance, place)
        else:
            start = partial(_listen_as_worker, serving, entrance, place, serving.worker, number)
        children.append(ChildSpec(id=name, start=(start, (), {})))
    if serving.sockets is not None:
        children.append(gap_closer_spec(serving, serving.sockets))
    children.append(drainer_spec(serving))
    return children


def _supervisor(name: str, start: StartFunction, *args: object) -> ChildSpec:
    return ChildSpec(id=name, start=(start, args, {}), type="supervisor")


def _listen(serving: Serving, entrance: Entrance, place: Place) -> Ok[Pid] | Error:
    """Start a listener; it starts connections in the endpoint's tree."""
    started = listen(place, entrance.accept, serving.share)
    serving.listens(place)
    return started


async def _listen_as_worker(
    serving: Serving, entrance: Entrance, place: Place, worker: Worker, number: int
) -> Ok[Pid] | Error:
    """Start a listener on the socket that the parent of this worker has opened, once other workers are connected."""
    why = await worker.greet(self_pid().runtime)
    if why:
        return Error(why)
    place.given = worker.socket_of(serving.endpoint.name, number) or place.given
    return _listen(serving, entrance, place)
