"""Mounting a socket class at a path of an endpoint."""

from __future__ import annotations

import attrs

from phxactor.socket import Socket
from phxactor.socket.raw import RawSocket
from phxactor.transport.options import WebSocketOptions


@attrs.frozen
class Mount:
    """A socket class at a path, and how clients reach it; `mount` makes one."""

    path: str
    handler: type[Socket | RawSocket]
    websocket: WebSocketOptions | None

    @property
    def websocket_path(self) -> str | None:
        """The whole path of its WebSocket; None without one."""
        return None if self.websocket is None else self.path + self.websocket.path


def mount(path: str, handler: type[Socket | RawSocket], *, websocket: WebSocketOptions | bool = True) -> Mount:
    """Mount a socket class, as Phoenix's `socket` does: `mount("/socket", UserSocket)`.

    `websocket` is True for the default options, `WebSocketOptions(...)`, or False for none. One class may be mounted at
    several paths. Raises ValueError or TypeError for what cannot be.
    """
    if not path.startswith("/") or path.endswith("/"):
        raise ValueError(f"a socket is mounted at a path such as '/socket', not {path!r}")
    try:
        fits = issubclass(handler, Socket | RawSocket)
    except TypeError:  # not even a class
        fits = False
    if not fits:
        raise TypeError(f"what is mounted at {path} is a subclass of Socket or RawSocket, not {handler!r}")
    if isinstance(websocket, bool):
        websocket_options = WebSocketOptions() if websocket else None
    elif isinstance(websocket, WebSocketOptions):
        websocket_options = websocket
    else:
        raise TypeError(f"websocket is True, False or WebSocketOptions(...), not {websocket!r}")
    return Mount(path, handler, websocket_options)
