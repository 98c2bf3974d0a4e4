"""Records a trace of the processes' actions, to find the cause of a failure.

    with tracing() as trace:
        ...
    print(trace)

It costs nothing while there is no trace. Actions without an event (sending and taking a message, making a monitor,
sending an exit signal, timers) are recorded by wrapping the methods while the block lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, TypeAlias
from unittest.mock import patch

from phxactor.otp import supervisor_events
from phxactor.runtime import Mailbox, Monitor, Pid, Reason, Ref, Timer, Timers, events, of_this_thread
from phxactor.testing._trace import Trace

_HEARD: Final = (
    events.spawned,
    events.exited,
    events.linked,
    events.unlinked,
    events.named,
    supervisor_events.restarted,
    supervisor_events.gave_up,
)


Replaced: TypeAlias = tuple[type, str, Callable[..., object]]
"""A method, by its class and name, and what replaces it."""


@contextmanager
def tracing(trace: Trace | None = None) -> Iterator[Trace]:
    """Record the actions in all runtimes of the thread while the block lasts, in a new trace or in the given one."""
    trace = Trace() if trace is None else trace
    with ExitStack() as stack:
        for owner, name, function in (*_sending(trace), *_receiving(trace), *_timing(trace)):
            stack.enter_context(patch.object(owner, name, function))
        for event in _HEARD:
            event.attach(trace.heard)
            stack.callback(event.detach, trace.heard)
        yield trace


def _sending(trace: Trace) -> Iterator[Replaced]:
    """Yield the methods by which a process acts on another one."""
    deliver, exit_, make_monitor = Pid.deliver, Pid.exit, Monitor.__init__

    def traced_send(pid: Pid, message: object) -> None:
        of_this_thread(pid).deliver(message)

    def traced_deliver(pid: Pid, message: object) -> None:
        trace.sent(pid, message)
        deliver(pid, message)

    def traced_exit(pid: Pid, reason: Reason) -> None:
        trace.signalled(of_this_thread(pid), reason)
        exit_(pid, reason)

    def traced_monitor(monitor: Monitor, owner: Pid, target: Pid | None, name: object = None) -> None:
        trace.monitored(owner, target, name)
        make_monitor(monitor, owner, target, name)

    yield Pid, "send", traced_send
    yield Pid, "deliver", traced_deliver
    yield Pid, "exit", traced_exit
    yield Monitor, "__init__", traced_monitor


def _receiving(trace: Trace) -> Iterator[Replaced]:
    """Yield the methods by which a process takes messages."""
    receive, receive_matching, receive_refs = Mailbox.receive, Mailbox.receive_matching, Mailbox.receive_refs

    async def traced_receive(mailbox: Mailbox, timeout: float | None = None) -> object:
        try:
            message = await receive(mailbox, timeout)
        except TimeoutError:
            trace.timed_out(mailbox, timeout, ())
            raise
        trace.took(mailbox, message)
        return message

    async def traced_matching(mailbox: Mailbox, match: Callable[[Any], bool], timeout: float | None = None) -> object:
        try:
            message = await receive_matching(mailbox, match, timeout)
        except TimeoutError:
            trace.timed_out(mailbox, timeout, ())
            raise
        trace.took(mailbox, message)
        return message

    async def traced_refs(mailbox: Mailbox, refs: Collection[Ref | None], seen: int, timeout: float | None) -> object:
        try:
            message = await receive_refs(mailbox, refs, seen, timeout)
        except TimeoutError:
            trace.timed_out(mailbox, timeout, refs)
            raise
        trace.took(mailbox, message)
        return message

    async def traced_ref(mailbox: Mailbox, ref: Ref, seen: int, timeout: float | None) -> object:
        return await traced_refs(mailbox, (ref,), seen, timeout)

    yield Mailbox, "receive", traced_receive
    yield Mailbox, "receive_matching", traced_matching
    yield Mailbox, "receive_refs", traced_refs
    yield Mailbox, "receive_ref", traced_ref


def _timing(trace: Trace) -> Iterator[Replaced]:
    """Yield the methods of timers."""
    add, cancel, fire = Timers.add, Timers.cancel, Timers._fire  # noqa: SLF001 - of this package

    def traced_add(timers: Timers, seconds: float, callback: Callable[[Any], object], argument: Any) -> Timer:  # noqa: ANN401
        timer: Timer = add(timers, seconds, callback, argument)
        trace.timer_set(timer, seconds)
        return timer

    def traced_cancel(timers: Timers, timer: Timer) -> float | None:
        trace.timer_cancelled(timer)
        return cancel(timers, timer)

    def traced_fire(timers: Timers, timer: Timer) -> None:
        with trace.fires(timer):
            fire(timers, timer)

    yield Timers, "add", traced_add
    yield Timers, "cancel", traced_cancel
    yield Timers, "_fire", traced_fire
