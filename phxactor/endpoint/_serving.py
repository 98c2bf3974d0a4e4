"""Serving: the state of a running endpoint, from one `start_link` to the end of its process tree.

The `Endpoint` holds the options, and any number of runtimes may start it. Each start makes a `Serving`, and keeps it in
the process dictionary of the tree's supervisor, which is registered under the endpoint's name.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable
from inspect import isawaitable
from typing import TYPE_CHECKING, Literal, TypeVar, final

import attrs

from phxactor.cluster import Health, LocalNode
from phxactor.endpoint._open_sockets import OpenSockets
from phxactor.endpoint._sessions import Sessions
from phxactor.gateway import HostedApplication
from phxactor.http import PeerData, is_loopback
from phxactor.net import AVAILABLE as READER_AVAILABLE
from phxactor.net import ConnectionLimits, Flusher, Reader
from phxactor.otp import ChildSpec, DynamicSupervisor, Error, Ignore, Ok, Partitions, PartitionSupervisor
from phxactor.runtime import Pid, Runtime, current_runtime, self_pid

if TYPE_CHECKING:
    from phxactor.endpoint._options import EndpointOptions
    from phxactor.endpoint._relay import Relay
    from phxactor.endpoint._worker import Worker
    from phxactor.net import Address, Place
    from phxactor.socket import Socket

T = TypeVar("T")


@final
class Serving:
    """The state of a running endpoint."""

    def __init__(
        self, endpoint: EndpointOptions, tls: ssl.SSLContext | None = None, worker: Worker | None = None
    ) -> None:
        """Make the state of an endpoint, which is that of one `worker` if the program is one."""
        self.endpoint = endpoint
        """The options of the endpoint."""
        self.tls = tls
        """The context of encrypted connections; None if they are plain."""
        self.addresses: dict[Place, Address] = {}
        """The addresses it listens on, by the places that were asked for; empty before it listens."""
        self.listeners: list[str] = []
        """The names of the children that listen."""
        self.worker = worker
        """What the endpoint shares with those of other workers; None if the program is no worker."""
        self.share = None if worker is None else worker.share(endpoint.name)
        """Its count of connections beside those of other workers; None if the program is no worker."""
        if self.share is not None:
            self.share.own_count = self.connection_count
        self.limits = ConnectionLimits.of(endpoint.max_connections, endpoint.max_connections_per_address, self.share)
        """The count of connections; None if the endpoint has no limit for them."""
        self.gated = endpoint.trusted_proxies is not None or endpoint.hosts is not None
        """Whether each request passes a `Gate`."""
        self.is_local = False
        """Whether a page must have a local name, as all addresses are loopback addresses; see `listens`."""
        self.draining = False
        """Whether the endpoint is stopping and lets its clients go."""
        self.leaving = False
        """Whether the endpoint is about to drain; it still accepts connections."""
        self.idle: set[Pid] = set()
        """Processes of connections that wait for a request: the drainer may end them, since no request is lost."""
        self.fresh: set[Pid] = set()
        """Processes of connections that wait for the first request: it may be on its way."""
        self.sockets = OpenSockets() if endpoint.close_after_gap else None
        """The open sockets; None if no gap closes them."""
        self.flusher = Flusher()
        self.sessions = Sessions(self.flusher)
        """The long-poll sessions of this node."""
        self.relay: Relay | None = None
        """Relays requests to the long-poll sessions of other nodes; None without a cluster or a long poll."""
        self.reader = Reader() if READER_AVAILABLE else None
        self.applications = [
            HostedApplication(
                one,
                self.flusher,
                lambda: self.address,
                timeout=endpoint.request_timeout,
                max_body_bytes=endpoint.max_body_bytes,
                drain_limit=endpoint.drain.limit,
            )
            for one in endpoint.applications
        ]
        """The web applications, the deepest path first."""
        self._children: dict[object, Pid] = {}
        self._pools: dict[type[Socket], Partitions] = {}
        self._connections: Partitions | None = None
        if worker is not None:
            worker.serves(self)

    @property
    def address(self) -> Address | None:
        """The address it listens on, the first if there are several; None before it listens."""
        return next(iter(self.addresses.values()), None)

    @staticmethod
    def found(name: str, runtime: Runtime) -> Serving | None:
        """Return the serving of the endpoint with a name in a runtime; None if no endpoint runs under it."""
        supervisor = runtime.names.whereis(name)
        if supervisor is None or supervisor.dictionary is None:
            return None
        serving = supervisor.dictionary.get(Serving)
        return serving if isinstance(serving, Serving) else None

    @staticmethod
    def all(runtime: Runtime) -> list[Serving]:
        """List those of all endpoints that run in a runtime."""
        found = (Serving.found(name, runtime) for name in list(runtime.names.all()))
        return [one for one in found if one is not None]

    def listens(self, place: Place) -> None:
        """Note the address of a listener.

        On a loopback address, a page with another name than a local one comes by a proxy, or has had its name resolved
        to this machine. With `hosts` or `trusted_proxies`, the program says which it expects. With TLS, browsers
        compare the name with the certificate.
        """
        if place.address is not None:
            self.addresses[place] = place.address
        addresses = self.addresses.values()
        self.is_local = not self.gated and all(is_loopback(one.host) and not one.secure for one in addresses)

    @property
    def state(self) -> Literal["ready", "degraded", "draining"]:
        """What the health path tells: degraded while a carrier of the cluster is away."""
        return "draining" if self.draining or self.leaving else self.cluster_health().state

    @staticmethod
    def cluster_health() -> Health:
        """Return the health of the node that the current runtime is; ready if it takes part in no cluster."""
        node = LocalNode.found(current_runtime(look_only=True))
        return Health("ready") if node is None else node.health()

    def shares(self, peer: PeerData) -> bool:
        """Say whether the peer of a connection is a proxy whose headers name the clients."""
        proxies = self.endpoint.trusted_proxies
        return proxies is not None and proxies.header != "proxy-protocol" and proxies.trusts(peer)

    async def while_idle(self, waiting: Awaitable[T]) -> T:
        """Wait for a client; the drainer may end the calling process meanwhile, since no request is lost."""
        pid = self_pid()
        self.idle.add(pid)
        try:
            return await waiting
        finally:
            self.idle.discard(pid)

    async def while_fresh(self, waiting: Awaitable[T]) -> T:
        """Wait for a new client; the drainer ends the calling process only if nothing comes in time."""
        pid = self_pid()
        self.fresh.add(pid)
        try:
            return await waiting
        finally:
            self.fresh.discard(pid)

    def application_at(self, path: str) -> HostedApplication | None:
        """Return the web application that takes requests for a path; None if none does."""
        for hosted in self.applications:
            if hosted.application.takes(path):
                return hosted
        return None

    # --------------------------------------------------------------------------------------------- children

    def noted(self, spec: ChildSpec) -> ChildSpec:
        """Return the child spec with a start function that also records the child's pid, for `child`."""
        return attrs.evolve(spec, start=(self._start, (spec,), {}), modules=spec.callback_modules())

    async def _start(self, spec: ChildSpec) -> Ok[Pid] | Error | Ignore:
        function, args, kwargs = spec.start
        answer = function(*args, **kwargs)
        started: Ok[Pid] | Error | Ignore = await answer if isawaitable(answer) else answer
        if isinstance(started, Ok):
            self._children[spec.id] = started.value
        return started

    def child(self, name: str) -> Pid | None:
        """Return the pid of a child; None if there is no such child, or if it has not started."""
        return self._children.get(name)

    def has_lost_a_child(self) -> bool:
        """Say whether a child of the tree has ended: if so, the drainer's supervisor handles a crash, not a stop."""
        return not all(pid.alive for pid in self._children.values())

    async def start_pool(self, handler: type[Socket]) -> Ok[Pid] | Error | Ignore:
        """Start the supervisors of a socket class's channels."""
        name = f"{self.endpoint.name}.{handler.__module__}.{handler.__qualname__}.channels"
        started = await PartitionSupervisor.start_link(DynamicSupervisor, name, partitions=handler.partitions)
        if isinstance(started, Ok):
            self._pools[handler] = Partitions.of(started.value)
        return started

    async def start_connections(self) -> Ok[Pid] | Error | Ignore:
        """Start the supervisors of the connections."""
        started = await PartitionSupervisor.start_link(DynamicSupervisor, f"{self.endpoint.name}.connections")
        if isinstance(started, Ok):
            self._connections = Partitions.of(started.value)
        return started

    # ---------------------------------------------------------------------------------- pools and transports

    def pool_of(self, handler: type[Socket], transport: Pid) -> Pid:
        """Return the supervisor that starts a transport's channels."""
        return self._pools[handler].at(transport.number)

    def supervisor_of(self, number: int) -> Pid:
        """Return the supervisor that starts the connection with this number."""
        assert self._connections is not None  # noqa: S101 - callers start after the connections' supervisor
        return self._connections.at(number)

    def can_connect(self) -> bool:
        """Say whether the supervisors of the connections run."""
        supervisor = self.child("connections")
        return supervisor is not None and supervisor.alive

    @property
    def sessions_supervisor(self) -> Pid:
        """The supervisor of the long-poll sessions."""
        return self._children["sessions"]

    def connection_count(self) -> int:
        """Return the number of connections and long-poll sessions."""
        if self._connections is None:
            return 0
        supervisors = [pid for pid in self._connections.pids if pid is not None]
        if "sessions" in self._children:
            supervisors.append(self.sessions_supervisor)
        return sum(map(DynamicSupervisor.count, supervisors))

    def channel_count(self) -> int:
        """Return the number of channels."""
        pids = (pid for pool in self._pools.values() for pid in pool.pids)
        return sum(DynamicSupervisor.count(pid) for pid in pids if pid is not None)

    def listens_now(self) -> bool:
        """Say whether it accepts connections."""
        return bool(self.addresses) and self.state == "ready"

    def transport_pids(self) -> list[Pid]:
        """List the processes of connections and long-poll sessions, without a message."""
        supervisors = [] if self._connections is None else [pid for pid in self._connections.pids if pid is not None]
        if "sessions" in self._children:
            supervisors.append(self.sessions_supervisor)
        return [pid for one in supervisors for pid in DynamicSupervisor.pids(one)]

    async def transports(self) -> list[Pid]:
        """List the connections and the long-poll sessions."""
        partitions = await PartitionSupervisor.which_children(self._children["connections"])
        supervisors = [partition.pid for partition in partitions if isinstance(partition.pid, Pid)]
        if "sessions" in self._children:
            supervisors.insert(0, self.sessions_supervisor)
        children = [child for one in supervisors for child in await DynamicSupervisor.which_children(one)]
        return [child.pid for child in children if isinstance(child.pid, Pid)]


def connections_of(runtime: Runtime, name: str) -> int:
    """Return the number of connections of the endpoint with a name, long-poll sessions included; 0 if it ends."""
    serving = Serving.found(name, runtime)
    return 0 if serving is None or not serving.can_connect() else serving.connection_count()
