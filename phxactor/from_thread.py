"""What a thread can do with processes: send, call, broadcast, spawn, and run any function in the runtime's thread.

    rows = from_thread.call("store", "rows")                            waits for the answer
    from_thread.send(pid, "done")
    from_thread.broadcast(endpoint, "room:1", "news", {"n": 5})
    from_thread.run_sync(self.push, "progress", {"percent": 50})        any synchronous function
    from_thread.run(fetch, url)                                         any asynchronous one

Each function waits until it is done in the runtime's thread, which it wakes at once. So its error is raised here, and
what one thread does happens in that order. Processes call the functions of the same names in `phxactor` instead.

The runtime is that of the process that has started the thread by `trio.to_thread`. Any other thread reaches the only
open runtime of the program, or names one: `runtime=self_pid().runtime`.

Each function raises NotAProcessError if there is no such runtime or if it has ended, and RuntimeError in the runtime's
own thread, which it would stop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol, TypeVar, overload

from phxactor.otp import CALL_TIMEOUT, Server, TypedRequest
from phxactor.otp import call as call_server
from phxactor.otp import cast as cast_to_server
from phxactor.runtime import NoProcessError, Pid, Runtime, runtime_of_thread
from phxactor.runtime import run_from_thread as run
from phxactor.runtime import run_sync_from_thread as run_sync

__all__ = ["broadcast", "call", "cast", "run", "run_sync", "send", "spawn"]

A = TypeVar("A")


class Broadcasts(Protocol):
    """An endpoint, a PubSub, or a channel."""

    @property
    def broadcast(self) -> Callable[..., object]:
        """Hand a message to the subscribers of a topic, the first argument."""


def send(destination: Pid | str, message: object, *, runtime: Runtime | None = None) -> None:
    """Send to a process, or to the owner of a name; raises NoProcessError for an unregistered name (NM3)."""
    there = _runtime_of(destination, runtime)
    run_sync(partial(_send, there, destination, message), runtime=there)


@overload
def call(
    server: Server, request: TypedRequest[A], timeout: float | None = CALL_TIMEOUT, *, runtime: Runtime | None = None
) -> A: ...
@overload
def call(
    server: Server, request: object, timeout: float | None = CALL_TIMEOUT, *, runtime: Runtime | None = None
) -> Any: ...  # noqa: ANN401 - the server knows
def call(
    server: Server, request: object, timeout: float | None = CALL_TIMEOUT, *, runtime: Runtime | None = None
) -> object:
    """Send a request and wait for the answer, for `timeout` seconds; None means for ever.

    Raises `Exit((reason, Called(...)))` in this thread, as `phxactor.call` does in a process. Raises `trio.Cancelled`
    if the process that waits for this thread is killed or cancelled.
    """
    return run(call_server, server, request, timeout, runtime=_runtime_of(server, runtime))


def cast(server: Server, request: object, *, runtime: Runtime | None = None) -> None:
    """Send a request without an answer. A server that does not exist is no error (G35)."""
    there = _runtime_of(server, runtime)
    run_sync(partial(_cast, there, server, request), runtime=there)


def broadcast(where: Broadcasts, topic: str, *message: object, runtime: Runtime | None = None) -> None:
    """Call `where.broadcast(topic, *message)` of an endpoint (event, payload) or a PubSub (message).

    Raises NoProcessError if it does not run in the runtime.
    """
    run_sync(partial(where.broadcast, topic, *message), runtime=runtime)


def spawn(body: Callable[..., Awaitable[object]], *args: object, runtime: Runtime | None = None) -> Pid:
    """Start a process that runs `await body(*args)`.

    Its parent is the process that has started this thread; raises `Exit` if that has ended. In any other thread it has
    none.
    """
    there = runtime_of_thread(runtime)
    return run_sync(partial(there.spawn, body, *args), runtime=there)


def _runtime_of(target: Server, given: Runtime | None) -> Runtime:
    if given is None and isinstance(target, Pid):
        return target.runtime
    return runtime_of_thread(given)


def _send(runtime: Runtime, destination: Pid | str, message: object) -> None:
    pid = runtime.names.whereis(destination) if isinstance(destination, str) else destination
    if pid is None:
        raise NoProcessError(f"no process is registered as {destination!r}")
    pid.send(message)


def _cast(runtime: Runtime, server: Server, request: object) -> None:
    found = runtime.names.whereis(server) if isinstance(server, str) else server
    if found is not None:
        cast_to_server(found, request)
