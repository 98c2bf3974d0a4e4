"""The process tree of a running endpoint.

Endpoint (rest_for_one)
├─ pubsub         the topics, unless the endpoint shares a PubSub of another supervisor
├─ UserSocket     PartitionSupervisor: the pool, n DynamicSupervisors over channels
├─ flusher        writes to all connections
├─ reader         reads from plain sockets; only where the system has epoll
├─ sessions       DynamicSupervisor over long-poll sessions, if a socket has them
├─ connections    PartitionSupervisor: n DynamicSupervisors over connections
├─ listener       accepts connections; none with server=False
└─ drainer        last, so the first to stop: lets all clients go
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import attrs

from phxactor.endpoint._connection_process import start_connection
from phxactor.endpoint._drainer import drainer_spec
from phxactor.endpoint._serving import Serving
from phxactor.net import Place, Start, listen
from phxactor.otp import ChildSpec, DynamicSupervisor, Error, Ok, StartFunction, Supervise, Supervisor
from phxactor.runtime import From, Pid, self_pid
from phxactor.socket import Socket

if TYPE_CHECKING:
    import socket

    import trio

    from phxactor.http import PeerData


class EndpointSupervisor(Supervisor):
    """The root of the tree; its process dictionary holds the `Serving`."""

    async def init(self, serving: Serving, place: Place | None) -> Supervise:
        """Put the serving into the process dictionary, for `Serving.found`, and return the children."""
        pid = self_pid()
        pid.dictionary = {**(pid.dictionary or {}), Serving: serving}
        return Supervise(map(serving.noted, _children(serving, place)), strategy="rest_for_one")


def _children(serving: Serving, place: Place | None) -> list[ChildSpec]:
    endpoint = serving.endpoint
    handlers = {one.handler for one in endpoint.sockets}
    pools = sorted((one for one in handlers if issubclass(one, Socket)), key=lambda handler: handler.__qualname__)
    children = [attrs.evolve(endpoint.pubsub.child_spec(), id="pubsub")] if endpoint.own_pubsub else []
    children += [_supervisor(f"{handler.__qualname__} channels", serving.start_pool, handler) for handler in pools]
    children.append(serving.flusher.child_spec())
    if serving.reader is not None:
        children.append(serving.reader.child_spec())
    if endpoint.longpolls:
        children.append(_supervisor("sessions", DynamicSupervisor.start_link))
    children.append(_supervisor("connections", serving.start_connections))
    if place is not None:
        children.append(ChildSpec(id="listener", start=(_listen, (serving, place), {})))
    children.append(drainer_spec(serving))
    return children


def _supervisor(name: str, start: StartFunction, *args: object) -> ChildSpec:
    return ChildSpec(id=name, start=(start, args, {}), type="supervisor")


def _listen(serving: Serving, place: Place) -> Ok[Pid] | Error:
    """Start the listener; it starts connections in the endpoint's tree."""
    started = listen(place, _start_of(serving))
    serving.address = place.address
    return started


def _start_of(serving: Serving) -> Start:
    """Return the function that the listener calls for each accepted connection."""
    numbers = count()
    spec = connection_spec(serving)
    nobody = From(self_pid())  # an inactive caller: nobody waits for the supervisors' replies
    nobody.active = False

    def start(accepted: socket.socket, peer: PeerData) -> None:
        DynamicSupervisor.request_child(serving.supervisor_of(next(numbers)), spec, nobody, accepted, peer)

    return start


def connection_spec(serving: Serving, *args: trio.abc.Stream | PeerData) -> ChildSpec:
    """Return the child spec of a connection; its arguments, the stream and the peer, are given here or added later."""
    return ChildSpec(id="connection", start=(start_connection, (serving, *args), {}), restart="temporary")
