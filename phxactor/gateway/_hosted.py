"""The state of a web application while an endpoint runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from phxactor.transport import WebSocketOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from phxactor.gateway._web_application import WebApplication
    from phxactor.net import Address, Flusher
    from phxactor.runtime import Pid


@final
class HostedApplication:
    """An application that an endpoint runs: its state, and the processes of its requests."""

    def __init__(
        self,
        application: WebApplication,
        flusher: Flusher,
        address: Callable[[], Address | None],
        *,
        timeout: float,
        max_body_bytes: int,
        drain_limit: float,
    ) -> None:
        """Prepare the state; the limits are the endpoint's, for options that the application leaves to it."""
        self.application = application
        self.flusher = flusher
        self.timeout = timeout if application.timeout is None else application.timeout
        self.max_body_bytes = max_body_bytes if application.max_body_bytes is None else application.max_body_bytes
        self.drain_limit = drain_limit
        """Seconds that requests may go on when the endpoint stops."""
        self.websocket_options = WebSocketOptions(
            check_origin=False, max_frame_size=application.max_message_bytes, timeout=application.ping_interval
        )
        """The options of the WebSockets; the application itself judges their origins."""
        self.state: dict[str, Any] = {}
        """What the lifespan has put there; each scope gets a shallow copy."""
        self.ready = False
        """Whether the application has started; requests are answered 503 before, and while it starts again."""
        self.requests: set[Pid] = set()
        """The processes of its requests; a process may go on behind the answer, and behind the connection."""
        self.websockets: set[Pid] = set()
        """The processes of its WebSockets."""
        self._address = address
        self._server: tuple[str, int | None] | None = None

    @property
    def server(self) -> tuple[str, int | None] | None:
        """The address that the endpoint listens on, as ASGI's scopes have it; None if it listens nowhere."""
        if self._server is None and (address := self._address()) is not None:
            self._server = (address.path, None) if address.path is not None else (address.host, address.port)
        return self._server
