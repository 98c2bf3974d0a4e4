"""Connecting a client in a test, in the steps of a real transport: from the request to the answer of `connect`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, get_args

import attrs
import trio

from phxactor.client import URL, Params
from phxactor.endpoint import IN_MEMORY, Endpoint, Mount, RefusedError, mount
from phxactor.http import PeerData, Request
from phxactor.otp import DynamicSupervisor, Error, call
from phxactor.runtime import NotAProcessError, Pid, Runtime, own, self_pid
from phxactor.socket import Socket, Transport
from phxactor.testing._client import Client
from phxactor.testing._refusals import Refused
from phxactor.testing._transport import Admitted, Connected, MemoryAdmission, transport_spec
from phxactor.testing.leaks import record_client
from phxactor.transport import ConnectInfoKey, LongPollOptions, SocketOptions, WebSocketOptions

HOST: Final = "app.test"
EVERYTHING: Final[tuple[ConnectInfoKey, ...]] = get_args(ConnectInfoKey)
"""The keys of `connect_info` at an endpoint that the kit makes: all of them."""


@attrs.define
class KitEndpoints:
    """The kit's endpoints in one runtime."""

    lock: trio.Lock = attrs.field(factory=trio.Lock)
    endpoints: dict[type[Socket], Endpoint] = attrs.field(factory=dict)

    def endpoint_of(self, socket: type[Socket]) -> Endpoint:
        """Return the kit's endpoint for a socket class; make it at the first call."""
        if socket not in self.endpoints:
            websocket = WebSocketOptions(check_origin=False, auth_token=True, connect_info=EVERYTHING)
            longpoll = LongPollOptions(check_origin=False, auth_token=True, connect_info=EVERYTHING)
            name = f"test endpoint {len(self.endpoints) + 1} of {socket.__module__}.{socket.__qualname__}"
            mounted = mount("/socket", socket, websocket=websocket, longpoll=longpoll)
            self.endpoints[socket] = Endpoint(sockets=[mounted], name=name)
        return self.endpoints[socket]


_endpoints: Final[dict[Runtime, KitEndpoints]] = {}


def _kit_endpoints() -> KitEndpoints:
    """Return the kit's endpoints of the caller's runtime; they are removed when the runtime's main process ends."""
    try:
        runtime = self_pid().runtime
    except NotAProcessError:
        problem = "only a process can connect: name the fixture phx_runtime in the test, or use phxactor.open_runtime()"
        raise NotAProcessError(problem) from None
    if runtime not in _endpoints:
        _endpoints[runtime] = KitEndpoints()
        own(runtime.main, _forget)
    return _endpoints[runtime]


def _forget(main: Pid) -> None:
    del _endpoints[main.runtime]


async def connect(
    socket: type[Socket],
    params: Params | None = None,
    *,
    endpoint: Endpoint | None = None,
    transport: Transport = "websocket",
    connect_info: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
    cookies: Mapping[str, str] | None = None,
    auth_token: str | None = None,
    peer: PeerData = IN_MEMORY,
) -> Client:
    """Connect a client to a socket class. The caller must be a process, e.g. in the block of `open_runtime()`.

    The steps are those of a real client: origin check, query, `connect`, `identify`, all in a transport process below
    the endpoint. The protocol is Phoenix's 2.0.0, whatever serializers the socket has: payloads are JSON or `bytes`.

    Args:
        socket: the class. Test a `RawSocket` over `Endpoint.serve_stream` instead.
        params: the params in the query; `connect` gets strings, and maps and lists of strings.
        endpoint: the endpoint at which the class is mounted, with its options. If it does not run, it is started,
            without a network port and linked to the caller. By default the kit makes one endpoint for each class.
        transport: the transport that the server sees: `"websocket"` or `"longpoll"`.
        connect_info: values that replace those of the connection in the `connect_info` of `connect`.
        headers: the headers of the request.
        cookies: the cookies of the request, e.g. those of an `HTTPClient` that has logged in.
        auth_token: the token, as phoenix.js's `authToken`.
        peer: the client's address.

    Raises:
        Refused: the server refuses the connection. It is an AssertionError; see `assert_refused`.
        LookupError: the class is not mounted at the endpoint, or not for this transport.
        NotAProcessError: the caller is no process.
        ValueError: there is no such transport, or the socket is mounted without the option `auth_token`.

    """
    __tracebackhide__ = True
    endpoint = await running(_kit_endpoints().endpoint_of(socket) if endpoint is None else endpoint)
    mounted = _mount_of(endpoint, socket, transport)
    options = _options(mounted, transport)
    if auth_token is not None and not options.auth_token:
        raise ValueError(f"{socket.__name__} is mounted without the option auth_token")
    sent = dict(headers or {})
    if cookies:
        sent["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    request = _request(mounted, transport, params or {}, sent, peer)
    given = {} if connect_info is None else connect_info
    return await _enter(
        endpoint,
        MemoryAdmission(endpoint.serving, socket, options, request, transport, given=given, auth_token=auth_token),
    )


async def admitted(
    socket: type[Socket],
    *,
    id: str | None = None,  # noqa: A002 - as it is called everywhere
    assigns: Mapping[str, object] | None = None,
    endpoint: Endpoint | None = None,
    transport: Transport = "websocket",
) -> Client:
    """Connect a client with this id and these assigns, without calling the socket's `connect` and `identify`.

    The caller must be a process. `endpoint`, `transport` and the errors are those of `connect`.
    """
    __tracebackhide__ = True
    endpoint = await running(_kit_endpoints().endpoint_of(socket) if endpoint is None else endpoint)
    mounted = _mount_of(endpoint, socket, transport)
    request = _request(mounted, transport, {}, {}, IN_MEMORY)
    taken = Admitted(id, assigns or {})
    options = _options(mounted, transport)
    return await _enter(
        endpoint, MemoryAdmission(endpoint.serving, socket, options, request, transport, admitted=taken)
    )


async def running(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint; start it, linked to the caller, if it does not run. Raises NotAProcessError."""
    async with _kit_endpoints().lock:  # a process receives in one task at a time
        if endpoint.find() is None:
            (await endpoint.start_link(server=False)).unwrap()
    return endpoint


def _request(
    mounted: Mount, transport: Transport, params: Params, headers: Mapping[str, str], peer: PeerData
) -> Request:
    path = (mounted.websocket_path if transport == "websocket" else mounted.longpoll_path) or ""
    sent = {"host": HOST, **{name.lower(): value for name, value in headers.items()}}
    return Request(
        "GET",
        URL.parse(f"ws://{HOST}{path}").target(params),
        tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()),
        peer=peer,
    )


async def _enter(endpoint: Endpoint, knock: MemoryAdmission) -> Client:
    """Start a transport for the client, and wait for its answer. Raises Refused."""
    __tracebackhide__ = True
    async with _kit_endpoints().lock:
        started = await DynamicSupervisor.start_child(knock.serving.supervisor_of(0), transport_spec(knock))
        answer = await call(started.unwrap(), "connect", timeout=None)
    if isinstance(answer, RefusedError):
        error = Error(answer.why) if answer.error is None else answer.error
        cause = answer.__cause__
        why = answer.why if cause is None else f"{answer.why}: {cause!r}"
        refused = f"{knock.handler.__name__} does not let the client in: {why}"
        raise Refused(refused, error) from cause
    assert isinstance(answer, Connected)  # noqa: S101 - the only other answer
    client = Client(endpoint, answer.transport, knock.options.join_timeout)
    record_client(client)
    return client


def _options(mounted: Mount, transport: Transport) -> SocketOptions:
    """Return the options of a mount, with the default serializers, which the kit uses."""
    options = mounted.websocket if transport == "websocket" else mounted.longpoll
    assert options is not None  # noqa: S101 - it was looked for
    return attrs.evolve(options, serializers=None)


def _mount_of(endpoint: Endpoint, socket: type[Socket], transport: Transport) -> Mount:
    if transport not in get_args(Transport):
        raise ValueError(f"a client connects by one of {get_args(Transport)}, not by {transport!r}")
    for mounted in endpoint.sockets:
        if mounted.handler is socket and getattr(mounted, transport) is not None:
            return mounted
    raise LookupError(f"{socket.__name__} is not mounted for {transport} at this endpoint")
