"""Mounting a socket class at a path of an endpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import attrs

from phxactor.otp import ChildSpec
from phxactor.socket import RawSocket, Socket
from phxactor.transport import LongPollOptions, WebSocketOptions

Options = TypeVar("Options", WebSocketOptions, LongPollOptions)

DEFAULT: Final = WebSocketOptions()


@attrs.frozen
class Mount:
    """A socket class at a path, with the options of its transports; `mount` makes one."""

    path: str
    handler: type[Socket | RawSocket]
    websocket: WebSocketOptions | None
    longpoll: LongPollOptions | None
    child: Callable[[str], ChildSpec] | None = None
    """Returns the specification of a supervisor that comes with the socket, by the endpoint's name; None for none.

    It is the last child of the endpoint, and the endpoint goes on without it if it gives up.
    """

    @property
    def websocket_path(self) -> str | None:
        """The full path of the WebSocket; None if the mount has no WebSocket."""
        return None if self.websocket is None else self.path + self.websocket.path

    @property
    def longpoll_path(self) -> str | None:
        """The full path of the long poll; None if the mount has no long poll."""
        return None if self.longpoll is None else self.path + self.longpoll.path


def mount(
    path: str,
    handler: type[Socket | RawSocket],
    *,
    websocket: WebSocketOptions | bool = True,
    longpoll: LongPollOptions | bool = False,
) -> Mount:
    """Mount a socket class, as Phoenix's `socket` does: `mount("/socket", UserSocket)`.

    `websocket` and `longpoll` turn on the transports: True for the default options, `WebSocketOptions(...)` or
    `LongPollOptions(...)` for others, False for no such transport. One class may be mounted at several paths.

    Raises:
        ValueError: `path` does not begin with a slash, ends with one, or has names such as `:id`.
        TypeError: `handler` is no subclass of Socket or RawSocket, or an option does not fit it.
    """
    given: object = path
    if not isinstance(given, str):
        raise TypeError(f"mount takes a path and a socket class, such as mount('/socket', UserSocket); got {given!r}")
    if not path.startswith("/") or path.endswith("/"):
        raise ValueError(f"the path of a socket must be like '/socket', with no slash at its end; got {path!r}")
    if any(segment.startswith((":", "{", "<", "*")) for segment in path.split("/")):
        raise ValueError(f"the path of a socket has no names; give their values as params instead; got {path!r}")
    try:
        fits = issubclass(handler, Socket | RawSocket)
    except TypeError:  # `handler` is no class at all
        fits = False
    if not fits:
        raise TypeError(f"the handler at {path} must be a subclass of Socket or RawSocket; got {handler!r}")
    by_websocket = _options(websocket, WebSocketOptions, "websocket")
    by_longpoll = _options(longpoll, LongPollOptions, "longpoll")
    if by_longpoll is not None and not issubclass(handler, Socket):
        raise TypeError(f"long polling is for sockets with channels: {handler.__name__} has none")
    if by_websocket is not None and not issubclass(handler, Socket):
        for option in ("slow_consumer", "max_joins_per_second", "max_input_bytes", "max_containers"):
            if getattr(by_websocket, option) != getattr(DEFAULT, option):
                raise TypeError(f"{option} is for sockets with channels: {handler.__name__} has none")
    return Mount(path, handler, by_websocket, by_longpoll)


def _options(given: Options | bool, kind: type[Options], name: str) -> Options | None:  # noqa: FBT001 - as it was given
    if isinstance(given, bool):
        return kind() if given else None
    if not isinstance(given, kind):
        raise TypeError(f"{name} must be True, False or {kind.__name__}(...); got {given!r}")
    return given
