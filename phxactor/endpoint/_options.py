"""What a program declares of an endpoint: values that are checked when they are given, and never change."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeVar

import attrs

from phxactor import _checks as check
from phxactor.endpoint._mount import Mount
from phxactor.http import MAX_BODY, Route, Routes
from phxactor.net import Address, Path, check_context, check_limits, locate
from phxactor.pubsub import PubSub
from phxactor.runtime import check_name
from phxactor.socket import Broadcaster
from phxactor.token import MIN_SECRET

T = TypeVar("T")

MAX_MODE: Final = 0o777


@attrs.frozen(kw_only=True)
class DrainOptions:
    """How an endpoint empties itself when it is told to stop; the defaults are those of Phoenix 1.8.

    Raises ValueError for what is not a number above 0.
    """

    batch_size: int = attrs.field(default=10_000, validator=check.validator(check.whole))
    """Transports that are told at once."""
    interval: float = attrs.field(default=2.0, validator=check.validator(check.seconds))
    """Seconds between two batches; the next one does not wait longer than that for the last."""
    limit: float = attrs.field(default=30.0, validator=check.validator(check.seconds))
    """Seconds that all of it may take, `math.inf` for any; whoever is left then is closed at once."""


@attrs.frozen(eq=False, init=False, repr=False)
class EndpointOptions(Broadcaster):
    """The options of an `Endpoint`, which says what each is."""

    name: str
    sockets: tuple[Mount, ...]
    routes: Routes
    own_pubsub: bool
    """Whether the PubSub is a child of the endpoint's; a shared one is somebody else's."""
    secret_key_base: str
    """What tokens are signed and encrypted with."""
    drain: DrainOptions
    where: Address
    """Where it listens, unless it is told otherwise when it starts."""
    path_mode: int
    tls: ssl.SSLContext | None
    max_connections: int | None
    max_connections_per_address: int | None
    request_timeout: float
    max_body_bytes: int
    websockets: Mapping[str, Mount]
    """What is mounted at the paths of WebSockets."""
    longpolls: Mapping[str, Mount]
    """The same for long polls."""

    def __init__(
        self,
        *,
        sockets: Sequence[Mount] = (),
        routes: Sequence[Route] = (),
        pubsub: PubSub | None = None,
        secret_key_base: str | None = None,
        drain: DrainOptions | None = None,
        name: str = "endpoint",
        host: str | None = None,
        port: int | None = None,
        path: Path | None = None,
        path_mode: int = 0o600,
        tls: ssl.SSLContext | None = None,
        max_connections: int | None = None,
        max_connections_per_address: int | None = None,
        request_timeout: float = 60.0,
        max_body_bytes: int = MAX_BODY,
    ) -> None:
        mounts = _all("sockets", sockets, Mount, "mount(path, Socket)")
        if type(path_mode) is not int or not 0 <= path_mode <= MAX_MODE:
            raise ValueError(f"path_mode is 0 to 0o777, such as 0o660 for a group too, not {path_mode!r}")
        check_name(name)
        check_limits(max_connections, max_connections_per_address)
        if pubsub is not None and not isinstance(pubsub, PubSub):
            raise TypeError(f'pubsub is PubSub("name"), not {pubsub!r:.200}')
        websockets, longpolls = _by_path(mounts)
        self.__attrs_init__(
            pubsub=PubSub(f"{name}.pubsub") if pubsub is None else pubsub,
            own_pubsub=pubsub is None,
            name=name,
            sockets=mounts,
            routes=Routes(_all("routes", routes, Route, "get, post, route or static")),
            secret_key_base=_secret(secret_key_base, mounts),
            drain=drain if drain is not None else DrainOptions(),
            where=locate(host, port, path),
            path_mode=path_mode,
            tls=check_context(tls),
            max_connections=max_connections,
            max_connections_per_address=max_connections_per_address,
            request_timeout=check.seconds("request_timeout", request_timeout),
            max_body_bytes=check.whole("max_body_bytes", max_body_bytes),
            websockets=websockets,
            longpolls=longpolls,
        )

    def __repr__(self) -> str:
        """Show the name; what else there is may be secret."""
        return f"<Endpoint {self.name}>"


def _all(name: str, given: Sequence[T], kind: type[T], made_by: str) -> tuple[T, ...]:
    """Return what was given, all of one kind. Raises TypeError."""
    if isinstance(given, kind | str) or not isinstance(given, Iterable):
        raise TypeError(f"{name} is a list of what {made_by} makes, not {given!r:.200}")
    for one in given:
        if not isinstance(one, kind):
            raise TypeError(f"{name} are made by {made_by}, and {one!r:.200} is not")
    return tuple(given)


def _by_path(mounts: Sequence[Mount]) -> tuple[Mapping[str, Mount], Mapping[str, Mount]]:
    """Return what is mounted where, for WebSockets and for long polls. Raises ValueError for one path twice."""
    websockets: dict[str, Mount] = {}
    longpolls: dict[str, Mount] = {}
    for one in mounts:
        for at, table in ((one.websocket_path, websockets), (one.longpoll_path, longpolls)):
            if at in websockets or at in longpolls:
                raise ValueError(f"two sockets are mounted at {at}")
            if at is not None:
                table[at] = one
    return MappingProxyType(websockets), MappingProxyType(longpolls)


def _secret(given: str | None, sockets: Sequence[Mount]) -> str:
    """Check a secret, or make one. Raises ValueError."""
    if given is None:
        for one in sockets:
            if any(options is not None and options.session is not None for options in (one.websocket, one.longpoll)):
                raise ValueError(f"the sessions at {one.path} need secret_key_base, the secret of their application")
        return secrets.token_urlsafe(48)
    if len(given.encode()) < MIN_SECRET:
        raise ValueError(f"secret_key_base has at least {MIN_SECRET} bytes; secrets.token_urlsafe(48) makes a good one")
    return given
