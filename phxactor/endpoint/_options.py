"""The options of an endpoint: values that are checked when they are given, and never change."""

from __future__ import annotations

import hmac
import secrets
import socket
import ssl
from collections.abc import Container, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeVar

import attrs

from phxactor import _checks as check
from phxactor.cluster.carriers.workers import this_worker
from phxactor.endpoint._mount import Mount
from phxactor.gateway import WebApplication
from phxactor.http import MAX_BODY, Hosts, Route, Routes, SessionOptions, TrustedProxies
from phxactor.net import Address, Path, check_context, check_limits, check_listen, locate
from phxactor.pubsub import PubSub
from phxactor.runtime import check_name
from phxactor.socket import Broadcaster
from phxactor.token import MIN_SECRET

T = TypeVar("T")

MAX_MODE: Final = 0o777


def _notice(name: str, value: object) -> float:
    return 0.0 if value == 0 else check.seconds(name, value)


@attrs.frozen(kw_only=True)
class DrainOptions:
    """How an endpoint lets its clients go when it stops; the defaults are those of Phoenix 1.8.

    Raises TypeError for an option that is no number, ValueError for one that is not above 0.
    """

    batch_size: int = attrs.field(default=10_000, validator=check.validator(check.whole))
    """Number of transports that are told to finish at once."""
    interval: float = attrs.field(default=2.0, validator=check.validator(check.seconds))
    """Seconds from one batch to the next, at most: the next one begins earlier if all have finished."""
    limit: float = attrs.field(default=30.0, validator=check.validator(check.seconds))
    """Seconds that draining may take in all, `math.inf` for no limit; transports left then are closed at once."""
    notice: float = attrs.field(default=0.0, validator=check.validator(_notice))
    """Seconds before draining in which the health path answers 503 already, and all clients are still served.

    A load balancer needs them to notice, so that it sends no client to an address where nothing listens any more.
    """


@attrs.frozen(eq=False, init=False, repr=False)
class EndpointOptions(Broadcaster):
    """The options of an `Endpoint`; its docstring describes them."""

    name: str
    sockets: tuple[Mount, ...]
    routes: Routes
    applications: tuple[WebApplication, ...]
    """The web applications, the deepest path first."""
    own_pubsub: bool
    """Whether the PubSub is a child of the endpoint; a shared PubSub is a child of another supervisor."""
    secret_key_base: str
    """The key that signs and encrypts tokens."""
    secret_is_given: bool
    """Whether the program has given that key; if not, no other process has the same."""
    drain: DrainOptions
    where: Address
    """The address to listen on, unless `start_link` or `child_spec` gives another one."""
    path_mode: int
    listen: tuple[socket.socket, ...]
    """Sockets that listen already, instead of `where`; empty for none."""
    tls: ssl.SSLContext | None
    trusted_proxies: TrustedProxies | None
    hosts: Hosts | None
    health: str | None
    max_connections: int | None
    max_connections_per_address: int | None
    request_timeout: float
    max_body_bytes: int
    close_after_gap: bool
    websockets: Mapping[str, Mount]
    """The mounts by the full path of their WebSocket."""
    longpolls: Mapping[str, Mount]
    """The mounts by the full path of their long poll."""

    def __init__(
        self,
        *,
        sockets: Sequence[Mount] = (),
        routes: Sequence[Route | WebApplication | Mount] = (),
        pubsub: PubSub | None = None,
        secret_key_base: str | None = None,
        drain: DrainOptions | None = None,
        name: str = "endpoint",
        host: str | None = None,
        port: int | None = None,
        path: Path | None = None,
        path_mode: int = 0o600,
        listen: Sequence[socket.socket] = (),
        tls: ssl.SSLContext | None = None,
        trusted_proxies: TrustedProxies | Iterable[str] | None = None,
        hosts: Iterable[str] | None = None,
        health: str | None = None,
        max_connections: int | None = None,
        max_connections_per_address: int | None = None,
        request_timeout: float = 60.0,
        max_body_bytes: int = MAX_BODY,
        close_after_gap: bool = False,
    ) -> None:
        given = _all("routes", routes, (Route, WebApplication, Mount), "get, post, route, static, asgi, wsgi or mount")
        mounts = _all("sockets", sockets, (Mount,), "mount(path, Socket)")
        mounts += tuple(one for one in given if isinstance(one, Mount))
        if type(path_mode) is not int or not 0 <= path_mode <= MAX_MODE:
            raise ValueError(f"path_mode must be 0 to 0o777, such as 0o660 to let a group connect; got {path_mode!r}")
        check_name(name)
        check_limits(max_connections, max_connections_per_address)
        if type(close_after_gap) is not bool:
            raise TypeError(f"close_after_gap must be True or False; got {close_after_gap!r:.200}")
        if pubsub is not None and not isinstance(pubsub, PubSub):
            raise TypeError(f'pubsub must be a PubSub("name"); got {pubsub!r:.200}')
        websockets, longpolls = _by_path(mounts)
        routed = Routes(one for one in given if isinstance(one, Route))
        self.__attrs_init__(
            pubsub=PubSub(f"{name}.pubsub") if pubsub is None else pubsub,
            own_pubsub=pubsub is None,
            name=name,
            sockets=mounts,
            routes=routed,
            applications=_applications(one for one in given if isinstance(one, WebApplication)),
            secret_key_base=_secret(secret_key_base, mounts, name),
            secret_is_given=secret_key_base is not None,
            drain=drain if drain is not None else DrainOptions(),
            where=locate(host, port, path),
            path_mode=path_mode,
            listen=check_listen(listen),
            tls=check_context(tls),
            trusted_proxies=_proxies(trusted_proxies),
            hosts=None if hosts is None else Hosts(hosts),
            health=_health(health, {*websockets, *longpolls, *routed.paths}),
            max_connections=max_connections,
            max_connections_per_address=max_connections_per_address,
            request_timeout=check.seconds("request_timeout", request_timeout),
            max_body_bytes=check.whole("max_body_bytes", max_body_bytes),
            close_after_gap=close_after_gap,
            websockets=websockets,
            longpolls=longpolls,
        )

    def __repr__(self) -> str:
        """Show the name only; other options may be secret."""
        return f"<Endpoint {self.name}>"


def _applications(given: Iterable[WebApplication]) -> tuple[WebApplication, ...]:
    """Return the applications, the deepest path first. Raises ValueError if two have the same path."""
    by_path: dict[str, WebApplication] = {}
    for one in given:
        if one.path in by_path:
            raise ValueError(f"two applications are mounted at {one.path}")
        by_path[one.path] = one
    return tuple(sorted(by_path.values(), key=lambda one: len(one.root_path), reverse=True))


def _all(name: str, given: Sequence[T], kinds: tuple[type[T], ...], made_by: str) -> tuple[T, ...]:
    """Return the given items as a tuple. Raises TypeError if they are no list of these kinds."""
    if isinstance(given, (*kinds, str)) or not isinstance(given, Iterable):
        raise TypeError(f"{name} must be a list of items made by {made_by}; got {given!r:.200}")
    for one in given:
        if not isinstance(one, kinds):
            raise TypeError(f"each item of {name} must be made by {made_by}; got {one!r:.200}")
    return tuple(given)


def _by_path(mounts: Sequence[Mount]) -> tuple[Mapping[str, Mount], Mapping[str, Mount]]:
    """Return the mounts by path, of WebSockets and of long polls. Raises ValueError if two have the same path."""
    websockets: dict[str, Mount] = {}
    longpolls: dict[str, Mount] = {}
    for one in mounts:
        for at, table in ((one.websocket_path, websockets), (one.longpoll_path, longpolls)):
            if at in websockets or at in longpolls:
                raise ValueError(f"two sockets are mounted at {at}")
            if at is not None:
                table[at] = one
    return MappingProxyType(websockets), MappingProxyType(longpolls)


def _proxies(given: TrustedProxies | Iterable[str] | None) -> TrustedProxies | None:
    return given if given is None or isinstance(given, TrustedProxies) else TrustedProxies(given)


def _health(given: str | None, others: Container[str]) -> str | None:
    """Return the path. Raises ValueError if it is no path, or if something else has it."""
    if given is not None and check.path("health", given) in others:
        raise ValueError(f"health={given!r}: a socket or a route has this path; give another one")
    return given


def _secret(given: str | None, sockets: Sequence[Mount], endpoint: str) -> str:
    """Return the given secret, or a new one; all workers of one parent have the same new one for an endpoint's name.

    Raises ValueError if it is short, or missing where sessions need it.
    """
    if given is None:
        for one in sockets:
            transports = (one.websocket, one.longpoll)
            if any(options is not None and isinstance(options.session, SessionOptions) for options in transports):
                raise ValueError(f"the session option at {one.path} needs secret_key_base, the key of the application")
        worker = this_worker()
        if worker is None:
            return secrets.token_urlsafe(48)
        return hmac.new(worker.configure.secret.encode(), f"secret_key_base {endpoint}".encode(), "sha384").hexdigest()
    if len(given.encode()) < MIN_SECRET:
        raise ValueError(
            f"secret_key_base must have at least {MIN_SECRET} bytes; it has {len(given.encode())}. "
            "secrets.token_urlsafe(48) makes a good one"
        )
    return given
