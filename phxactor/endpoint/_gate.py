"""The gate: where a request passes before it is routed, in an endpoint with `trusted_proxies` or `hosts`.

Many clients share a connection from a proxy. So the connection has no place under its address; each request has one
under its client's address while it is answered, and a WebSocket until it ends. A request that does not name its client
counts under the proxy's address: otherwise a client could make its proxy's header unreadable, and be counted nowhere.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final, final

from phxactor.endpoint import events
from phxactor.http import PeerData, Request, Response
from phxactor.net import TooManyError
from phxactor.runtime import own, self_pid

if TYPE_CHECKING:
    from phxactor.endpoint._serving import Serving

MISDIRECTED: Final = Response.text("this server does not answer to this host\n", status=HTTPStatus.MISDIRECTED_REQUEST)
TOO_MANY: Final = Response(HTTPStatus.TOO_MANY_REQUESTS)


@final
class Gate:
    """The gate of one connection."""

    __slots__ = ("_held", "_owned", "_proxies", "_serving")

    def __init__(self, serving: Serving, peer: PeerData) -> None:
        self._serving = serving
        self._proxies = serving.endpoint.trusted_proxies if serving.shares(peer) else None
        """The option, if the peer is one of the proxies."""
        self._held = ""
        """The place of the current request's client: a key for `ConnectionLimits.leave_address`."""
        self._owned = False
        """Whether the end of the process gives back the place."""

    def as_sent(self, request: Request) -> Request:
        """Return a request as its client sent it."""
        return request if self._proxies is None else self._proxies.as_sent(request)

    def admit(self, request: Request) -> tuple[Request, Response | None]:
        """Return the request as its client sent it, and None or the response that refuses it.

        The client then has a place, until `leave` or the next call.
        """
        if self._proxies is not None:
            request = self.as_sent(request)
            try:
                self._enter(request.peer)
            except TooManyError as error:
                if events.connection_refused.handlers:
                    events.connection_refused.emit(peer=str(request.peer), status=int(error.status), why=error.why)
                return request, TOO_MANY
        endpoint = self._serving.endpoint
        if endpoint.hosts is not None and request.path != endpoint.health and not endpoint.hosts.allow(request):
            if events.host_refused.handlers:
                events.host_refused.emit(peer=str(request.peer), host=request.authority, path=request.path)
            return request, MISDIRECTED
        return request, None

    def leave(self) -> None:
        """Give back the place of the last request's client."""
        if self._held and self._serving.limits is not None:
            self._serving.limits.leave_address(self._held)
            self._held = ""

    def _enter(self, peer: PeerData) -> None:
        self.leave()
        if self._serving.limits is None:
            return
        self._held = self._serving.limits.enter_address(peer.address)
        if self._held and not self._owned:
            self._owned = True
            own(self_pid(), lambda _: self.leave())
