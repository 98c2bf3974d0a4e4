"""The door between uvicorn and the endpoints: which endpoint a path belongs to, and its entrance while it serves."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from phxactor.endpoint import Application, Endpoint, Entrance
from phxactor.guest import Guest
from phxactor.net import Repeated


class Door:
    """The paths of an application's endpoints.

    Raises ValueError if two endpoints have one path, or if an endpoint has TLS: uvicorn does it for all.
    """

    def __init__(self, application: Application) -> None:
        self._endpoints = application.endpoints
        self._websockets: dict[str, Endpoint] = {}
        self._longpolls: dict[str, Endpoint] = {}
        self.guest: Guest | None = None
        """The guest, once it has started."""
        self.failures = Repeated()
        """Connections that could not be taken over."""
        for endpoint in application.endpoints:
            if endpoint.tls is not None:
                raise ValueError(f"{endpoint!r} has tls: give the certificate to uvicorn (ssl_certfile, ssl_keyfile)")
            _add(self._websockets, endpoint.websockets, endpoint)
            _add(self._longpolls, endpoint.longpolls, endpoint)

    def of_websocket(self, raw_path: str) -> Endpoint | None:
        """Return the endpoint that has a WebSocket at a path, which may be percent-encoded; None if none has."""
        return self._websockets.get(unquote(raw_path))

    def of_request(self, raw_path: str) -> Endpoint | None:
        """Return the endpoint that has a long poll or a route at a path; None if the path is the application's."""
        path = unquote(raw_path)
        found = self._longpolls.get(path)
        if found is None:
            found = next((one for one in self._endpoints if one.routes.know(path)), None)
        return found

    def entrance(self, endpoint: Endpoint) -> Entrance | None:
        """Return the entrance of an endpoint; None while it stops or starts again."""
        if self.guest is None or self.guest.runtime is None or self.guest.ended.done():
            return None
        entrance = Entrance.found(endpoint.name, self.guest.runtime)
        return entrance if entrance is not None and entrance.takes() else None


def _add(known: dict[str, Endpoint], paths: Mapping[str, object], endpoint: Endpoint) -> None:
    for path in paths:
        if path in known:
            raise ValueError(f"the endpoints {known[path].name!r} and {endpoint.name!r} both have a socket at {path}")
        known[path] = endpoint
