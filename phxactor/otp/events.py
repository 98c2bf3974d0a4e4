"""The telemetry events of behaviours: the reports of docs/otp-semantics.md, section 11."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from phxactor.runtime import Reason, describe_reason
from phxactor.telemetry import Event, brief, log

terminated: Final = Event(
    "phxactor.server.terminated",
    "A server ended abnormally by its own callbacks (L2): pid, name, server (its class), label, reason, message (the "
    "last one), state, client (the process that waits for its answer, or None), log (the last debug events), "
    "exception.",
)
crash_report: Final = Event(
    "phxactor.process.crash_report",
    "The process of a server or task ended abnormally by its own code (L2): pid, name, label, initial_call, ancestors, "
    "callers, reason, messages (that wait), links, neighbours (links that do not trap exits), dictionary, trapping, "
    "told (whether another report tells of this end), exception (None if told).",
)
task_terminated: Final = Event(
    "phxactor.task.terminated",
    "A task ended abnormally by its own code (L6): pid, name, label, owner (the process that started it), callers, "
    "function, args, reason, exception.",
)
traced: Final = Event("phxactor.server.traced", "A debug event of a server with `system.trace` on: pid, event.")
labelled: Final = Event("phxactor.process.labelled", "A process was given a label (L12): pid, label.")
unexpected: Final = Event(
    "phxactor.server.unexpected", "A server got a message that it does not handle (G37): pid, server, message."
)
message_started: Final = Event(
    "phxactor.server.message.start",
    "A server begins to handle a message by its callbacks: pid, server (its class), kind (call, cast or info).",
)
message_stopped: Final = Event(
    "phxactor.server.message.stop",
    "A server has handled a message, or has failed: pid, server (its class), kind (call, cast or info), seconds, "
    "outcome (ok or failed).",
)
call_started: Final = Event(
    "phxactor.server.call.start", "A process calls a server: pid (the caller), server (what its process began with)."
)
call_stopped: Final = Event(
    "phxactor.server.call.stop",
    "A call was answered, or has failed: pid (the caller), server (what its process began with), seconds, "
    "outcome (ok, timeout or failed).",
)


def _reason(fields: Mapping[str, object]) -> str:
    reason: Reason = fields["reason"]
    return describe_reason(reason)


def _terminated(fields: Mapping[str, object]) -> str:
    client = "" if fields["client"] is None else f" from {fields['client']!r}"
    return (
        f"{fields['pid']!r} ({fields['server']}) terminating: {_reason(fields)}; "
        f"last message: {brief(fields['message'])}{client}; state: {brief(fields['state'])}"
    )


def _crash_report(fields: Mapping[str, object]) -> str:
    messages, links = fields["messages"], fields["links"]
    return (
        f"{fields['pid']!r} ({fields['initial_call']}) crashed: {_reason(fields)}; ancestors: {fields['ancestors']!r}; "
        f"callers: {fields['callers']!r}; messages waiting: {len(messages) if isinstance(messages, tuple) else 0}; "
        f"links: {links!r}; traps exits: {fields['trapping']}"
    )


def _task_terminated(fields: Mapping[str, object]) -> str:
    return (
        f"task {fields['pid']!r} started from {fields['owner']!r} terminating: {_reason(fields)}; "
        f"function: {fields['function']}, args: {brief(fields['args'])}"
    )


log(terminated, logging.ERROR, _terminated)
log(crash_report, logging.ERROR, _crash_report, told_level=logging.DEBUG)
log(task_terminated, logging.ERROR, _task_terminated)
log(
    unexpected,
    logging.ERROR,
    lambda fields: f"{fields['pid']!r} got a message that it does not handle: {brief(fields['message'])}",
)
log(traced, logging.INFO, lambda fields: f"{fields['pid']!r}: {brief(fields['event'])}")
