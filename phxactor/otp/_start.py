"""Starts a server and waits for its `init`, and stops a server (docs/otp-semantics.md, sections 5.1 and 5.4)."""

from __future__ import annotations

from collections.abc import Callable

from phxactor.otp._call import Server, SystemRequest, Via, checked_timeout, forget, locate
from phxactor.otp._called import Called
from phxactor.otp._process import ServerProcess
from phxactor.otp._results import Error, Ignore, Ok
from phxactor.runtime import (
    KILL,
    NOPROC,
    NORMAL,
    Answer,
    Down,
    Exit,
    From,
    Pid,
    Reason,
    add_monitor,
    drop_monitor,
    of_this_thread,
    same_reason,
    self_pid,
    unlink,
)


async def start(process: ServerProcess, *, link: bool, timeout: float | None) -> Ok[Pid] | Error | Ignore:
    """Spawn the process and wait until its `init` has returned, or until it has wholly ended (G1, G5, G11).

    With `link`, a caller that does not trap exits ends with a server that does not start (G4). Raises TypeError for a
    wrong name, ValueError for a negative timeout in seconds.
    """
    checked_timeout(timeout)
    name = process.name
    if not (name is None or isinstance(name, str | Via)):
        raise TypeError(f"a name must be a str, or a Via such as Registry.via(...), not {name!r}")
    taken = None if name is None else locate(name)  # raises in the caller, for an impossible address (RG11)
    if taken is not None:
        return Error(("already_started", taken))
    me = self_pid()
    pid = me.runtime.start(me, process.run, (), link, f"{type(process.server).__qualname__}.init")
    seen = len(me.mailbox)
    ref = process.started = add_monitor(me, pid)
    try:
        answer = await me.receive_ref(ref, seen, timeout)
    except TimeoutError:
        _abandon(process, pid)
        try:
            await me.receive_ref(ref, seen, None)
        finally:
            forget(me, ref)
        return Error("timeout")
    except BaseException:
        if me.alive:  # cancelled by the caller's own code, so that no process would know of the server
            _abandon(process, pid)
            forget(me, ref)
        raise
    if type(answer) is Answer:
        drop_monitor(ref, flush=True)
        return Ok(pid)
    if link:
        unlink(pid, flush=True)
    if process.failure is not None:
        return process.failure
    return Error(answer.reason if type(answer) is Down else NOPROC)


def _abandon(process: ServerProcess, pid: Pid) -> None:
    """Kill a process that has not started, and leave no message of it in the caller's mailbox."""
    process.started = None
    unlink(pid, flush=True)
    pid.exit(KILL)


async def stop(server: Server, reason: Reason = NORMAL, timeout: float | None = None) -> None:
    """Ask a server to end with `reason`, after the messages in its mailbox, and wait for its end (G70 to G74).

    Raises `Exit((reason, Called(...)))` if the server ends with another reason, does not exist, is the caller, or takes
    more than `timeout` seconds; in the last case it is not killed.
    """
    checked_timeout(timeout)
    called = Called("GenServer.stop", server, reason, timeout)
    me, pid = self_pid(), locate(server)
    if pid is None:
        raise Exit((NOPROC, called))
    if pid is me:
        raise Exit(("calling_self", called))
    seen = len(me.mailbox)
    ref = add_monitor(me, of_this_thread(pid))
    pid.send(SystemRequest(_exit_with(reason), ref))
    try:
        down = await me.receive_ref(ref, seen, timeout)
    except TimeoutError:
        raise Exit(("timeout", called)) from None
    finally:
        forget(me, ref)
    ended: Reason = down.reason if type(down) is Down else None
    if not same_reason(ended, reason):
        raise Exit((ended, called))


def _exit_with(reason: Reason) -> Callable[[ServerProcess, From], object]:
    """Make the request of `stop`. It has no answer: the caller sees the end of the server by a monitor (G58)."""

    def request(_: ServerProcess, __: From) -> object:
        raise Exit(reason)

    return request
