"""The socket of the page: who may connect, and its channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from phxactor.observer._clients_panels import NodesPanel, SocketsPanel, TopicsPanel
from phxactor.observer._hub import Hub
from phxactor.observer._process_panel import ProcessPanel
from phxactor.observer._settings import Settings
from phxactor.observer._tree_panel import ChartsPanel, LogPanel, SummaryPanel, TreePanel
from phxactor.otp import Error, set_label
from phxactor.socket import Route, Socket, channel

_PANELS: Final = {
    "observer:summary": SummaryPanel,
    "observer:tree": TreePanel,
    "observer:charts": ChartsPanel,
    "observer:log": LogPanel,
    "observer:sockets": SocketsPanel,
    "observer:topics": TopicsPanel,
    "observer:nodes": NodesPanel,
    "observer:process:*": ProcessPanel,
}


def socket_of(settings: Settings) -> type[Socket]:
    """Return the socket class of an observer with these options; each observer has its own."""

    class ObserverSocket(Socket, log="debug", partitions=1):
        """A page that looks."""

        channels = _routes(settings)

        async def connect(self, _: Mapping[str, Any], connect_info: Mapping[str, Any]) -> Error | None:
            """Let the viewer in, if its host, the program and the token allow it, and there is room."""
            guard = settings.guard
            if await guard.refusal(connect_info["request"]) is not None or not guard.knows(connect_info["auth_token"]):
                return Error("not allowed")
            hub = Hub.found(self.endpoint.name, self.transport_pid.runtime)  # type: ignore[attr-defined]
            if hub is None or not hub.let_in(self.transport_pid):
                return Error("the observer does not run, or too many look")
            set_label("observer")
            self.assign(observer_peer=str(connect_info["request"].peer))
            return None

    ObserverSocket.__qualname__ = f"ObserverSocket {settings.path}"
    return ObserverSocket


def _routes(settings: Settings) -> list[Route]:
    return [channel(topic, panel, assigns={"observer": settings}) for topic, panel in _PANELS.items()]
