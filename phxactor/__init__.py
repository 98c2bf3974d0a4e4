"""Phoenix Sockets and Channels for Python, on real processes: the names that most programs need.

There are three audiences: programs that serve clients (`Endpoint`, `Socket`, `Channel`), servers and supervisors
(`GenServer`, `Supervisor`, `Task`), and processes (`spawn`, `receive`, `monitor`). The rooms, such as `phxactor.otp`
and `phxactor.runtime`, have more.

A star import leaves out `cast`, `get`, `link`, `post`, `send`, which would hide names of other libraries.

The names are loaded from their rooms when the first of them is asked for (PEP 562). So `phxactor.emitter`, for programs
without a runtime, imports neither them nor trio.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from phxactor import from_thread as from_thread
    from phxactor.channels import Channel, PayloadError, SocketRef, Status, intercept, on, reply
    from phxactor.endpoint import Application, DrainOptions, Endpoint, mount
    from phxactor.gateway import asgi, wsgi
    from phxactor.http import CookieSession, Request, Response, SessionOptions, TrustedProxies, route, static
    from phxactor.http import get as get
    from phxactor.http import post as post
    from phxactor.otp import (
        HIBERNATE,
        IGNORE,
        UNSET,
        Agent,
        ChildSpec,
        Continue,
        DynamicSupervisor,
        Error,
        GenServer,
        Ignore,
        NoReply,
        Ok,
        PartitionSupervisor,
        Registry,
        Reply,
        Resource,
        StartError,
        Stop,
        Supervise,
        Supervisor,
        Task,
        TaskSupervisor,
        Timeout,
        TypedRequest,
        async_stream,
        call,
    )
    from phxactor.otp import cast as cast
    from phxactor.presence import Presence, Tracker
    from phxactor.pubsub import PubSub
    from phxactor.runtime import (
        KILL,
        NOCONNECTION,
        NOPROC,
        NORMAL,
        SHUTDOWN,
        Answer,
        Crash,
        Down,
        Exit,
        Exited,
        From,
        Monitor,
        Pid,
        Shutdown,
        cancel_timer,
        demonitor,
        monitor,
        open_runtime,
        receive,
        register,
        self_pid,
        send_after,
        spawn,
        spawn_link,
        spawn_monitor,
        trap_exit,
        unlink,
        whereis,
    )
    from phxactor.runtime import link as link
    from phxactor.runtime import send as send
    from phxactor.socket import Broadcast, Message, RawSocket, Socket, SocketClose, channel
    from phxactor.transport import LongPollOptions, WebSocketOptions
    from phxactor.workers import run

__version__ = "0.1.0"

__all__ = [
    "HIBERNATE",
    "IGNORE",
    "KILL",
    "NOCONNECTION",
    "NOPROC",
    "NORMAL",
    "SHUTDOWN",
    "UNSET",
    "Agent",
    "Answer",
    "Application",
    "Broadcast",
    "Channel",
    "ChildSpec",
    "Continue",
    "CookieSession",
    "Crash",
    "Down",
    "DrainOptions",
    "DynamicSupervisor",
    "Endpoint",
    "Error",
    "Exit",
    "Exited",
    "From",
    "GenServer",
    "Ignore",
    "LongPollOptions",
    "Message",
    "Monitor",
    "NoReply",
    "Ok",
    "PartitionSupervisor",
    "PayloadError",
    "Pid",
    "Presence",
    "PubSub",
    "RawSocket",
    "Registry",
    "Reply",
    "Request",
    "Resource",
    "Response",
    "SessionOptions",
    "Shutdown",
    "Socket",
    "SocketClose",
    "SocketRef",
    "StartError",
    "Status",
    "Stop",
    "Supervise",
    "Supervisor",
    "Task",
    "TaskSupervisor",
    "Timeout",
    "Tracker",
    "TrustedProxies",
    "TypedRequest",
    "WebSocketOptions",
    "__version__",
    "asgi",
    "async_stream",
    "call",
    "cancel_timer",
    "channel",
    "demonitor",
    "from_thread",
    "intercept",
    "monitor",
    "mount",
    "on",
    "open_runtime",
    "receive",
    "register",
    "reply",
    "route",
    "run",
    "self_pid",
    "send_after",
    "spawn",
    "spawn_link",
    "spawn_monitor",
    "static",
    "trap_exit",
    "unlink",
    "whereis",
    "wsgi",
]

if not TYPE_CHECKING:  # a checker that saw `__getattr__` would take every name for one of ours
    # `Status` is that of channels, so the first room that has a name counts.
    # So is `run` that of workers.
    _ROOMS: Final = (
        "workers",
        "channels",
        "endpoint",
        "gateway",
        "http",
        "otp",
        "presence",
        "pubsub",
        "runtime",
        "socket",
        "transport",
    )
    _NAMES: Final = frozenset(__all__) | {"cast", "get", "link", "post", "send"}

    def __getattr__(name: str) -> object:
        """Load all names when the first is asked for, and a room that is not imported yet when it is."""
        from importlib import import_module  # noqa: PLC0415 - no name of this module

        if name in _NAMES:
            for room in [import_module(f"phxactor.{room}") for room in reversed(_ROOMS)]:
                globals().update({known: getattr(room, known) for known in _NAMES.intersection(room.__all__)})
            import_module("phxactor.from_thread")
            return globals()[name]
        try:
            if not name.startswith("_"):
                return import_module(f"phxactor.{name}")
        except ModuleNotFoundError as missing:
            if missing.name != f"phxactor.{name}":
                raise
        raise AttributeError(f"module 'phxactor' has no attribute {name!r}")

    def __dir__() -> list[str]:
        """List what can be asked for, loaded or not."""
        return sorted({*globals(), *_NAMES})
