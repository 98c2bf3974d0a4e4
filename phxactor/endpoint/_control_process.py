"""The process of a worker that talks with the parent: it reads the control line, and sends a sign of life each second.

The end of the line means that the parent is gone, also by `kill -9`: then the worker stops in order, as if the parent
had told it to.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import trio

from phxactor.cluster.carriers.workers import (
    ControlError,
    ControlLine,
    DescriptorsLostError,
    Gone,
    Listen,
    Peer,
    Peering,
    Publish,
    Stop,
    Stopped,
)
from phxactor.endpoint import events
from phxactor.runtime import Exited, Pid, receive, self_pid, trap_exit

if TYPE_CHECKING:
    from phxactor.endpoint._worker import Worker

BEAT: Final = 1.0
"""Seconds from one sign of life to the next."""
LAST: Final = 0.2
"""Seconds that the end of the line may come behind the SIGTERM that the system sends at the end of the parent."""
ENDED: Final = "the parent has ended"
"""The message of the reading task at the end of the line."""


async def control(worker: Worker) -> None:
    """Run the process."""
    trap_exit()
    line, pid = worker.this.line, self_pid()
    worker.peering = Peering(worker.carrier, line, pid)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(line.write_waiting)
        nursery.start_soon(_read, line, pid)
        await _talk(worker, worker.peering)
        nursery.cancel_scope.cancel()
    line.send(Stopped())


async def _talk(worker: Worker, peering: Peering) -> None:
    runtime = self_pid().runtime
    due = runtime.now()
    while True:
        now = runtime.now()
        if now >= due:
            worker.this.line.send(worker.beat(runtime, now - due))
            due = now + BEAT
        try:
            message = await receive(timeout=due - now if due > now else 0)
        except TimeoutError:
            continue
        match message:
            case Peer() | Gone() | Publish():
                worker.peers += isinstance(message, Peer)
                peering.take(message)
            case DescriptorsLostError():
                peering.missed(message)
            case Listen():
                worker.take(message)
            case Stop():
                _stop(worker)
            case _ if message is ENDED:
                _tell_parent_ended(worker)
                _stop(worker)
            case Exited():
                if not worker.stopping:  # SIGTERM has come by itself: from somebody, or since the parent ends
                    with suppress(TimeoutError):
                        await receive(lambda message: message is ENDED, timeout=LAST)
                        _tell_parent_ended(worker)
                return


def _tell_parent_ended(worker: Worker) -> None:
    if not worker.stopping and events.parent_ended.handlers:
        events.parent_ended.emit()


def _stop(worker: Worker) -> None:
    """Stop this program as SIGTERM does, with the same limit of time."""
    worker.stopping = True
    os.kill(os.getpid(), signal.SIGTERM)


async def _read(line: ControlLine, pid: Pid) -> None:
    while True:
        try:
            message = await line.receive()
        except DescriptorsLostError as lost:
            pid.send(lost)
            continue
        except ControlError as error:
            if events.control_failed.handlers:
                events.control_failed.emit(why=str(error))
            continue
        pid.send(ENDED if message is None else message)
        if message is None:
            return
