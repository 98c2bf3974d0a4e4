"""The two reports of a process that ends abnormally by its own code (docs/otp-semantics.md, section 11).

    terminate report   what the behaviour knows: last message, state, the calling process
    crash report       what the runtime knows of the process: ancestors, links, mailbox, dictionary

A process that ends by an exit signal, or benignly, makes no report (L1, L3). A server whose `init` failed makes only
the crash report (L5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from phxactor.otp import events
from phxactor.otp._call import Call
from phxactor.otp._debug import DebugEvent
from phxactor.runtime import Pid, Reason, exception_of, note_report

if TYPE_CHECKING:
    from phxactor.otp._process import ServerProcess


@attrs.frozen
class Status:
    """The part of a server that reports and `system.get_status` show; `format_status` may hide some of it (L13)."""

    state: object
    message: object
    """The last message that the server took; None in a `get_status`."""
    reason: Reason
    """The exit reason; None in a `get_status`."""
    log: tuple[DebugEvent, ...]
    """The last debug events, if `system.log` is on; else empty."""


def status(process: ServerProcess, message: object = None, reason: Reason = None) -> Status:
    """Make the status of a server by its `format_status`; if that fails, the status shows nothing of the server."""
    server, debug = process.server, process.debug
    log = () if debug is None or debug.log is None else tuple(debug.log)
    try:
        shown: object = server.format_status(Status(server.system_get_state(), message, reason, log))
        why = f"returned a {type(shown).__name__}"
    except BaseException as error:  # noqa: BLE001 - a report must not fail, nor show what should be hidden
        shown, why = None, f"raised {type(error).__name__}"
    return shown if type(shown) is Status else Status(f"format_status {why}", f"format_status {why}", reason, ())


def terminate_report(process: ServerProcess, message: object, reason: Reason) -> Reason:
    """Report a server that ends by its own callbacks (L2); return the reason as `format_status` left it."""
    shown = status(process, message, reason)
    if events.terminated.handlers:
        pid = process.pid
        events.terminated.emit(
            pid=pid,
            name=pid.name if process.name is None else process.name,
            server=type(process.server).__qualname__,
            label=pid.label,
            reason=shown.reason,
            message=shown.message,
            state=shown.state,
            client=message.from_.owner if issubclass(type(message), Call) else None,  # type: ignore[attr-defined]
            log=shown.log,
            exception=exception_of(shown.reason),
        )
    return shown.reason


def crash_report(pid: Pid, reason: Reason, *, told: bool) -> None:
    """Report a process that ends abnormally (L2); `told` means that another report has the exception."""
    if not events.crash_report.handlers:
        return
    links = tuple(pid.links or ())
    events.crash_report.emit(
        pid=pid,
        name=pid.name,
        label=pid.label,
        initial_call=pid.initial_call,
        ancestors=pid.ancestors,
        callers=pid.callers,
        reason=reason,
        messages=tuple(pid.mailbox),
        links=links,
        told=told,
        neighbours=tuple(other for other in links if not other.trapping),
        dictionary=dict(pid.dictionary or {}),
        trapping=pid.trapping,
        exception=None if told else exception_of(reason),
    )
    note_report(pid, reason)
