"""Application: a program as one value, its own children and its endpoints.

    application = Application(children=[Store, PubSub("news")], endpoints=[endpoint])
    run(application)                                    or: phxactor serve module:application

The children and the endpoints have one supervisor, named `root`. They start in this order, so the endpoints start last
and stop first. With `cluster=...`, the program is a node of a cluster, whose carriers start before all else.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import attrs

from phxactor import _checks as check
from phxactor import distribution
from phxactor.cluster import Carrier, Cluster
from phxactor.endpoint._endpoint import Endpoint
from phxactor.net import Path, Place
from phxactor.otp import MAX_RESTARTS, MAX_SECONDS, Child, ChildSpec, Error, Ignore, Ok, Strategy, Supervise, Supervisor
from phxactor.runtime import Pid, check_name

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT: Final = "root"
"""The registered name of an application's supervisor."""


def _endpoints(given: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    if isinstance(given, Endpoint):
        raise TypeError(f"endpoints must be a list, such as [endpoint], not {given!r}")
    endpoints = check.listed("endpoints", given)
    for one in endpoints:
        if not isinstance(one, Endpoint):
            raise TypeError(f"each of endpoints must be an Endpoint, not {one!r:.200}")
    return endpoints


def _cluster(given: Cluster | Carrier | Sequence[Carrier] | None) -> Cluster | None:
    return None if given is None else Cluster.of(given)


def _children(given: Iterable[Child]) -> tuple[Child, ...]:
    children: tuple[Child, ...] = check.listed("children", given)
    for one in children:
        if isinstance(one, Endpoint):
            raise TypeError(f"{one!r} is among the children: give it as one of endpoints")
    return children


@attrs.frozen(kw_only=True, eq=False)
class Application:
    """What a program consists of: its children, which start first, and its endpoints. It is frozen, like an `Endpoint`.

    All are children of one supervisor. They start in this order and stop in reverse order. With the default strategy,
    the end of a child restarts it and everything behind it, the endpoints included, so that nothing lives longer than
    what it depends on. The clients of an endpoint that restarts connect again.

    Args:
        children: child specifications, classes with `child_spec()`, or tuples of such a class and its start arguments.
        endpoints: the endpoints, each with a name of its own; they start after the children.
        cluster: the carrier by which this program hears of other nodes, such as `Redis(...)`, a list of carriers, or a
            `Cluster` with further options. It starts first. Its carriers get the `secret_key_base` of the first
            endpoint that was given one, unless the cluster has a `secret`.
        strategy: `"rest_for_one"`, or another strategy of a `Supervisor`.
        max_restarts, max_seconds: more restarts than this within that many seconds end the program.
        name: the registered name of the supervisor.

    Raises:
        TypeError: a child, an endpoint or a carrier is none, or an endpoint is among the children.
        ValueError: two children have one id (that of an endpoint is its name), or an option is not allowed.

    """

    children: Sequence[Child] = attrs.field(default=(), converter=_children)
    endpoints: Sequence[Endpoint] = attrs.field(default=(), converter=_endpoints)
    cluster: Cluster | None = attrs.field(default=None, converter=_cluster)
    strategy: Strategy = "rest_for_one"
    max_restarts: int = MAX_RESTARTS
    max_seconds: int = MAX_SECONDS
    name: str = attrs.field(default=ROOT, validator=lambda _self, _field, name: check_name(name))

    def __attrs_post_init__(self) -> None:
        """Raise TypeError or ValueError for a child or an option that a supervisor would refuse."""
        ids = [spec.id for spec in self._flags([*self._first(), *self.children]).children]
        ids += [one.name for one in self.endpoints]
        for one in ids:
            if ids.count(one) > 1:
                raise ValueError(
                    f"two children have the id {one!r}: give one another id, by "
                    "phxactor.otp.child_spec(child, id=...), or an endpoint another name, by Endpoint(name=...)"
                )

    def __repr__(self) -> str:
        """Show the name only, as options may be secret."""
        return f"<Application {self.name}>"

    def drain_limit(self) -> float:
        """Return the seconds that all endpoints together may take to let their clients go."""
        return sum(one.drain.notice + one.drain.limit for one in self.endpoints)

    def places(
        self,
        *,
        host: str | None = None,
        port: int | None = None,
        path: Path | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> list[tuple[str, Place]]:
        """Return the places of each endpoint, with the endpoint's name; the options are those of `start_link`."""
        self._check_single(host, port, path, tls)
        return [
            (one.name, place)
            for one in self.endpoints
            for place in one.places(host=host, port=port, path=path, tls=tls)
        ]

    def child_spec(
        self,
        *,
        host: str | None = None,
        port: int | None = None,
        path: Path | None = None,
        tls: ssl.SSLContext | None = None,
        server: bool = True,
    ) -> ChildSpec:
        """Return the child specification: it calls `start_link` with the same options."""
        flags = self._flags(self._all(host, port, path, tls, server=server))
        return ChildSpec(id=self.name, start=(self._start_link, (flags,), {}), type="supervisor")

    async def start_link(
        self,
        *,
        host: str | None = None,
        port: int | None = None,
        path: Path | None = None,
        tls: ssl.SSLContext | None = None,
        server: bool = True,
    ) -> Ok[Pid] | Error | Ignore:
        """Start the children and the endpoints under a supervisor that is linked to the caller.

        `host`, `port`, `path` and `tls` say where and how its only endpoint listens. With `server=False` no endpoint
        listens: for tests. Returns an `Error` with the child's id and the reason if one of them does not start.

        Raises ValueError for one of these options to an application that has not exactly one endpoint.
        """
        return await self._start_link(self._flags(self._all(host, port, path, tls, server=server)))

    async def _start_link(self, flags: Supervise) -> Ok[Pid] | Error | Ignore:
        return await ApplicationSupervisor.start_link(flags, name=self.name)

    def _all(
        self, host: str | None, port: int | None, path: Path | None, tls: ssl.SSLContext | None, *, server: bool
    ) -> list[Child]:
        self._check_single(host, port, path, tls)
        specs = [one.child_spec(host=host, port=port, path=path, tls=tls, server=server) for one in self.endpoints]
        return [*self._first(), *self.children, *specs]

    def _check_single(self, host: str | None, port: int | None, path: Path | None, tls: ssl.SSLContext | None) -> None:
        if (host, port, path, tls) != (None, None, None, None) and len(self.endpoints) != 1:
            raise ValueError(
                f"the application has {len(self.endpoints)} endpoints, so host, port, path and tls are options of each "
                "Endpoint(...)"
            )

    def _first(self) -> list[ChildSpec]:
        if self.cluster is None:
            return []
        given = (one.secret_key_base for one in self.endpoints if one.secret_is_given)
        return [self.cluster.with_secret(next(given, None)).child_spec(), distribution.child_spec()]

    def _flags(self, children: Sequence[Child]) -> Supervise:
        return Supervise(children, strategy=self.strategy, max_restarts=self.max_restarts, max_seconds=self.max_seconds)


class ApplicationSupervisor(Supervisor):
    """The root of an application's tree."""

    async def init(self, flags: Supervise) -> Supervise:
        """Return the children, which have been checked."""
        return flags
