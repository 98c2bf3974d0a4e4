"""The functions with which the body of a process acts on its own process and on others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeGuard, TypeVar, overload

from phxactor.runtime import _signals as signals
from phxactor.runtime._errors import Exit, NoProcessError, NotAProcessError, NotLocalError, not_here, wrong_thread
from phxactor.runtime._here import hosted_runtime
from phxactor.runtime._messages import Exited, Monitor
from phxactor.runtime._names import Names
from phxactor.runtime._pid import Pid, Port, of_this_thread, silenced
from phxactor.runtime._runtime import current_process
from phxactor.runtime._sink import NO_SINK, Sink
from phxactor.runtime._state import ALIVE, REMOTE
from phxactor.runtime._timers import Timer

M = TypeVar("M")

self_pid = current_process


def spawn(body: Callable[..., Awaitable[object]], *args: object) -> Pid:
    """Start a process that runs `await body(*args)`; it may not have run yet when this returns (P19).

    In a guest of asyncio, tasks of asyncio may call this too.
    """
    try:
        owner = current_process()
    except NotAProcessError:
        if (runtime := hosted_runtime()) is None:
            raise
        return runtime.spawn(body, *args)
    return owner.runtime.start(owner, body, args)


def spawn_link(body: Callable[..., Awaitable[object]], *args: object) -> Pid:
    """Start a process that is linked to this one from its first moment (P20)."""
    owner = current_process()
    return owner.runtime.start(owner, body, args, True)  # noqa: FBT003


def spawn_monitor(body: Callable[..., Awaitable[object]], *args: object) -> tuple[Pid, Monitor]:
    """Start a process that this one monitors from its first moment (P20)."""
    owner = current_process()
    pid = owner.runtime.start(owner, body, args)
    return pid, signals.add_monitor(owner, pid)


@overload
def receive(match: Callable[[object], TypeGuard[M]], *, timeout: float | None = None) -> Awaitable[M]: ...
@overload
def receive(match: Callable[[Any], bool] | None = None, *, timeout: float | None = None) -> Awaitable[Any]: ...
def receive(
    match: Callable[[Any], bool] | None = None,
    *,
    timeout: float | None = None,
) -> Awaitable[object]:
    """Take the oldest message, or the oldest one for which `match` is true (N2).

    If `match` is a `TypeGuard`, type checkers see the guarded type. Raises TimeoutError if no such message has come
    within `timeout` seconds from now (N3, N4).
    """
    if match is None:
        return current_process().receive(timeout)
    return current_process().receive_matching(match, timeout)


def send(destination: Pid | str | tuple[str, object], message: object) -> None:
    """Send to a process, to the owner of a name, or to the owner of a name on a node: `(name, node)` (ND3).

    Raises NoProcessError for an unregistered name (NM3); but to `(name, node)` nothing is raised (ND4, ND10). Raises
    TypeError if the message is for another node and cannot travel.
    """
    if isinstance(destination, str):
        pid = whereis(destination)
        if pid is None:
            raise NoProcessError(f"no process is registered as {destination!r}")
        pid.send(message)
    elif isinstance(destination, tuple):
        pid = whereis_at(*destination)
        if pid is not None:
            pid.send(message)
    else:
        destination.send(message)


def link(pid: Pid) -> None:
    """Link this process and another one (X10 to X14).

    Raises NoProcessError if the other has ended and this process does not trap exits (X13). Raises WrongThreadError
    if the other process lives in another thread.
    """
    signals.add_link(_alive(), pid)


def unlink(pid: Pid, *, flush: bool = False) -> None:
    """Remove the link on both sides (X15, X17); `flush` also takes a waiting `Exited` out of the mailbox (X16)."""
    owner = current_process()
    signals.drop_link(owner, of_this_thread(pid))
    if flush:
        owner.flush(lambda message: type(message) is Exited and message.pid is pid)


def monitor(target: Pid | str | tuple[str, object]) -> Monitor:
    """Watch a process, or the owner of a name, or of a name on a node: one `Down` will come (M1 to M6).

    A dead process is no error; its `Down` says `NOPROC`, and `NOCONNECTION` if its node is not there (ND33, ND34).
    """
    owner = _not_silenced()
    if isinstance(target, str):
        return signals.add_monitor(owner, owner.runtime.names.whereis(target), target)
    if isinstance(target, tuple):
        return signals.add_monitor(owner, whereis_at(*target), target)
    if target.thread != owner.thread:
        raise not_here(target)
    return signals.add_monitor(owner, target)


def demonitor(watch: Monitor, *, flush: bool = False) -> bool:
    """Stop watching, and return whether the monitor was still active (M9). An inactive monitor is no error (M10).

    `flush` also removes the monitor's `Down` from the mailbox if it has already come (M8).
    """
    of_this_thread(watch.owner)
    return signals.drop_monitor(watch, flush=flush)


def trap_exit(flag: bool = True) -> bool:  # noqa: FBT001, FBT002 - reads as in Erlang: trap_exit(False)
    """Switch on or off that exit signals become `Exited` messages; return the previous setting (X19)."""
    owner = _alive()
    before, owner.trapping = owner.trapping, flag
    return before


def set_port(port: Port | None, sink: Sink = NO_SINK) -> None:
    """Let a synchronous function take this process's messages from now on, waiting messages first.

    A `sink` takes messages of exactly the type `sink.takes` in place of the port, by `sink.put`, while no other message
    waits ahead of them. `put` runs in the sender's context, even while the port is busy. It may only store the message:
    it must not send, spawn or exit.
    """
    owner = _alive()
    owner.port = port
    owner.sink = sink
    if owner.mailbox:
        owner.sink_type = None
        owner.run_port_queue()
    else:
        owner.sink_type = sink.takes


def register(name: str, pid: Pid | None = None) -> None:
    """Register a name for a process, by default for this one (NM1, NM2).

    Raises NameTakenError if the name has an owner, or if the process has a name or has ended; ValueError if the name
    is empty or reserved; TypeError if it is no `str`.
    """
    owner = _alive()
    owner.runtime.names.register(name, owner if pid is None else of_this_thread(pid))


def unregister(name: str) -> None:
    """Free a name; raises LookupError if no process has it (NM4)."""
    current_process().runtime.names.unregister(name)


def whereis(name: str) -> Pid | None:
    """Return the owner of a name, or None. In a guest of asyncio, tasks of asyncio may call this too."""
    try:
        runtime = current_process().runtime
    except NotAProcessError:
        if (hosted := hosted_runtime()) is None:
            raise
        runtime = hosted
    return runtime.names.whereis(name)


def whereis_at(name: str, node: object) -> Pid | None:
    """Return what `(name, node)` addresses; None if `node` is this node and no process has the name (ND3).

    Raises NoProcessError if the runtime takes part in no cluster, TypeError if `node` is no node.
    """
    runtime = current_process().runtime
    if runtime.remote is None:
        raise NoProcessError(f"({name!r}, {node!r}) cannot be reached: this runtime takes part in no cluster")
    return runtime.remote.named(name, node)


def send_after(destination: Pid | str, message: object, seconds: float) -> Timer:
    """Send a message after at least `seconds` (TI1, TI6). A name is resolved when the timer fires (TI7).

    Raises ValueError for a negative number of seconds, NotLocalError for a process of another node: send to a local one
    that sends on (ND6).
    """
    if not seconds >= 0:
        raise ValueError(f"seconds must be a number of at least 0, not {seconds!r}")
    runtime = _not_silenced().runtime
    timers = runtime.timers
    if isinstance(destination, Pid):
        if destination.state is REMOTE:
            raise NotLocalError(f"{destination!r} is a process of another node, and timers are local")
        timer = timers.add(seconds, of_this_thread(destination).deliver, message)
        timer.destination = destination
    else:
        timer = timers.add(seconds, partial(_send_late, runtime.names, destination), message)
    timer.timers = timers
    return timer


def cancel_timer(timer: Timer) -> float | None:
    """Cancel a timer and return the seconds that were left.

    Returns None if the timer has fired, was cancelled before, or was for a process that is dead (TI3, TI6). A message
    that the timer has already sent stays in the mailbox. Any process may cancel the timer (TI4). Raises
    WrongThreadError if the timer belongs to a runtime in another thread.
    """
    timers = timer.timers
    if current_process().thread != timers.thread:
        raise wrong_thread(timer)
    return timers.cancel(timer)


def _send_late(names: Names, name: str, message: object) -> None:
    pid = names.whereis(name)
    if pid is not None:
        pid.deliver(message)


def _not_silenced() -> Pid:
    """Return the current process; raises its `Exit` again if it has signalled itself fatally (P8)."""
    owner = current_process()
    if owner in silenced:
        raise Exit(owner.exit_reason)
    return owner


def _alive() -> Pid:
    """Return the current process; raises its `Exit` again if it is ending (TM4)."""
    owner = current_process()
    if owner.state is not ALIVE:
        raise Exit(owner.exit_reason)
    return owner
