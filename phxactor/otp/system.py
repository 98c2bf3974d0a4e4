"""Requests to the process of any server, as Erlang's `sys` (docs/otp-semantics.md, section 12).

    from phxactor.otp import system

    await system.get_state(server)

Each request goes through the server's mailbox in order, and waits `timeout` seconds for the answer; it raises as
`call`. A process that is no server never answers. Viewers read `Pid.statistics()` and the runtime's tables instead,
without a message (Y12).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from phxactor.otp._call import CALL_TIMEOUT, Server, SystemRequest, request_reply
from phxactor.otp._debug import DONE, Debug, DebugEvent, DebugFunction, ServerStatistics
from phxactor.otp._process import ServerProcess
from phxactor.otp._reports import Status, status
from phxactor.otp._results import Ok
from phxactor.runtime import NORMAL, Crash, Exit, From, Pid, Reason

__all__ = [
    "DONE",
    "RequestError",
    "ServerStatus",
    "get_log",
    "get_state",
    "get_status",
    "install",
    "log",
    "remove",
    "replace_state",
    "resume",
    "statistics",
    "suspend",
    "terminate",
    "trace",
]

T = TypeVar("T")


class RequestError(RuntimeError):
    """A request raised in the server; the exception is the `__cause__`, and the server goes on (Y2)."""


@attrs.frozen
class ServerStatus:
    """A snapshot of a server (Y5)."""

    pid: Pid
    module: type
    """The class of its callbacks."""
    name: object
    """The registered name, or None."""
    dictionary: dict[object, object]
    """The process dictionary."""
    suspended: bool
    parent: Pid
    """The process whose exit ends the server; the server itself if it was started without a link (G18)."""
    debug: tuple[str, ...]
    """The observations that are on: log, trace, statistics, and install once for each function."""
    status: Status
    """The state and the log, as `format_status` returned them."""


async def get_state(server: Server, timeout: float | None = CALL_TIMEOUT) -> Any:  # noqa: ANN401 - the program knows
    """Return the server's state: a dict of its attributes, or the result of its own `system_get_state` (Y2)."""
    return await _request("get_state", server, lambda process: process.server.system_get_state(), timeout)


async def replace_state(server: Server, function: Callable[[Any], T], timeout: float | None = CALL_TIMEOUT) -> T:
    """Make `function(state)` the server's state, and return it; the function runs in the server.

    If it raises, the state stays, and this raises RequestError (Y2).
    """

    def replace(process: ServerProcess) -> T:
        state = function(process.server.system_get_state())
        process.server.system_replace_state(state)
        return state

    return await _request("replace_state", server, replace, timeout)


async def suspend(server: Server, timeout: float | None = CALL_TIMEOUT) -> None:
    """Make the server take only system messages and its parent's exit, until `resume` (Y3, Y4)."""
    await _request("suspend", server, lambda process: _set_suspended(process, suspended=True), timeout)


async def resume(server: Server, timeout: float | None = CALL_TIMEOUT) -> None:
    """Let a suspended server continue with the messages in its mailbox, in order (Y3)."""
    await _request("resume", server, lambda process: _set_suspended(process, suspended=False), timeout)


async def get_status(server: Server, timeout: float | None = CALL_TIMEOUT) -> ServerStatus:
    """Return a snapshot of the server (Y5)."""
    return await _request("get_status", server, _status, timeout)


async def terminate(server: Server, reason: Reason = NORMAL, timeout: float | None = CALL_TIMEOUT) -> None:
    """Make the server end as by `stop`, but return before it has ended (Y8)."""

    def end(_: ServerProcess, from_: From) -> object:
        from_.reply(Ok())
        raise Exit(reason)

    await request_reply("system.terminate", server, end, SystemRequest, timeout)


# -------------------------------------------------------------------------------------------------- watching


async def trace(server: Server, *, on: bool = True, timeout: float | None = CALL_TIMEOUT) -> None:
    """Emit each debug event of the server as `phxactor.server.traced`, which is logged at INFO (Y6)."""

    def change(debug: Debug) -> None:
        debug.traced = on

    await _watch("trace", server, change, timeout)


async def log(server: Server, length: int = 10, timeout: float | None = CALL_TIMEOUT) -> None:
    """Keep the last `length` debug events, for `get_log` and for reports; 0 switches this off (Y6)."""

    def change(debug: Debug) -> None:
        debug.log = deque(debug.log or (), maxlen=length) if length else None

    await _watch("log", server, change, timeout)


async def get_log(server: Server, timeout: float | None = CALL_TIMEOUT) -> tuple[DebugEvent, ...]:
    """Return the debug events that `log` has kept, oldest first."""
    return await _watch("get_log", server, lambda debug: tuple(debug.log or ()), timeout)


async def install(
    server: Server, function: DebugFunction, key: object = None, timeout: float | None = CALL_TIMEOUT
) -> None:
    """Call `function(event)` in the server at each debug event, until it returns `DONE` or raises (Y6).

    `key` is the key for `remove`, by default the function itself. A key that is in use keeps its function.
    """

    def change(debug: Debug) -> None:
        debug.functions.setdefault(function if key is None else key, function)

    await _watch("install", server, change, timeout)


async def remove(server: Server, key: object, timeout: float | None = CALL_TIMEOUT) -> None:
    """Remove the function installed under `key`; an unknown key is no error."""

    def change(debug: Debug) -> None:
        debug.functions.pop(key, None)

    await _watch("remove", server, change, timeout)


async def statistics(
    server: Server, *, on: bool | None = None, timeout: float | None = CALL_TIMEOUT
) -> ServerStatistics | None:
    """Switch the counting on or off, unless `on` is None; return the counts, or None while it is off (Y7)."""

    def change(debug: Debug) -> ServerStatistics | None:
        if on is not None:
            debug.count(on=on)
        return debug.statistics()

    return await _watch("statistics", server, change, timeout)


# ------------------------------------------------------------------------------------------------------ inner


async def _request(function: str, server: Server, request: Callable[[ServerProcess], T], timeout: float | None) -> T:
    def run(process: ServerProcess, _: From) -> T:
        return request(process)

    answer = await request_reply(f"system.{function}", server, run, SystemRequest, timeout)
    if isinstance(answer, Crash):
        raise RequestError(f"system.{function} of {server!r} failed: {answer!r}") from answer.exception
    value: T = answer.value  # type: ignore[attr-defined]
    return value


async def _watch(function: str, server: Server, change: Callable[[Debug], T], timeout: float | None) -> T:
    """Change or read the observers of a server; a server without observers drops its `Debug`."""

    def request(process: ServerProcess) -> T:
        debug = process.debug or Debug(process)
        result = change(debug)
        process.debug = debug if debug.watching() else None
        return result

    return await _request(function, server, request, timeout)


def _set_suspended(process: ServerProcess, *, suspended: bool) -> None:
    process.suspended = suspended


def _status(process: ServerProcess) -> ServerStatus:
    pid, debug = process.pid, process.debug
    return ServerStatus(
        pid=pid,
        module=type(process.server),
        name=pid.name if process.name is None else process.name,
        dictionary=dict(pid.dictionary or {}),
        suspended=process.suspended,
        parent=process.parent or pid,
        debug=() if debug is None else debug.options(),
        status=status(process),
    )
