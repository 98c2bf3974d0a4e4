"""The keeper of a worker: a process of the parent that starts one program, and lives exactly as long.

It hands what the worker says to the parent's process, as `Said`, and its end, as `Ended`. At a stop it tells the worker
to stop and waits. If the keeper itself is killed, so is the worker: none is ever left behind.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
from contextlib import suppress
from typing import Final, final

import attrs
import trio

from phxactor.cluster.carriers.workers import (
    Configure,
    ControlError,
    ControlLine,
    ControlMessage,
    Stop,
    control_pair,
)
from phxactor.otp import ChildSpec, Error, Ok
from phxactor.runtime import Exited, Pid, own, receive, self_pid, trap_exit
from phxactor.workers import events
from phxactor.workers._program import Program
from phxactor.workers._stack import create_stack_file, read_stack

GONE: Final = "the worker has ended"
"""The message of the waiting task."""


@attrs.frozen
class Said:
    """A message of a worker, to the parent's process."""

    worker: Worker
    message: ControlMessage


@attrs.frozen
class Ended:
    """A worker has ended, to the parent's process."""

    worker: Worker
    status: int
    """Its exit code, or the number of a signal with a minus."""
    stack: str
    """Where it was, if it has crashed in C code, or was asked; else empty."""


@final
@attrs.define(eq=False)
class Worker:
    """A worker as its parent sees it."""

    configure: Configure
    line: ControlLine
    process: subprocess.Popen[bytes]
    stack: int
    """The descriptor of the file for its stack."""
    started: float
    """When it was started, in seconds of the runtime's clock."""
    keeper: Pid | None = None
    greeted: bool = False
    """Whether it has said hello, and so reads its control line."""
    told_to_stop: bool = False

    @property
    def number(self) -> int:
        """Which worker it is, from 1."""
        return self.configure.number

    def send(self, message: ControlMessage) -> None:
        """Send a message, without waiting; a worker that is gone or does not read gets nothing."""
        try:
            self.line.send(message)
        except (OSError, ControlError) as error:
            if events.control_failed.handlers:
                events.control_failed.emit(number=self.number, why=str(error))

    def stop(self) -> None:
        """Tell it to stop in order; one that still reads its program has nothing to put in order."""
        if self.told_to_stop:
            return
        self.told_to_stop = True
        if self.greeted:
            self.send(Stop())
        else:
            self.signal(signal.SIGTERM)

    def signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        with suppress(OSError):
            self.process.send_signal(number)


def start_worker(program: Program, configure: Configure, counts: int, now: float) -> Worker:
    """Start the program with a control line, on which its configuration is.

    Raises OSError if the system has no process, memory or descriptor for it.
    """
    ours, theirs = control_pair()
    with theirs:
        line = ControlLine(ours)
        stack = -1
        try:
            stack = create_stack_file()
            line.send(attrs.evolve(configure, descriptors=(counts, stack)))
            process = program.start(theirs.fileno())
        except BaseException:
            line.close()
            if stack >= 0:
                os.close(stack)
            raise
    return Worker(configure, line, process, stack, now)


def keeper_spec(program: Program, configure: Configure, counts: int, parent: Pid) -> ChildSpec:
    """Return the child spec of a keeper: `start_child` returns its pid and the `Worker`."""
    return ChildSpec(
        id="keeper",
        start=(_start, (program, configure, counts, parent), {}),
        restart="temporary",
        shutdown=math.inf,
    )


def _start(program: Program, configure: Configure, counts: int, parent: Pid) -> Ok[Pid] | Error:
    runtime = self_pid().runtime
    try:
        worker = start_worker(program, configure, counts, runtime.now())
    except OSError as error:
        return Error(f"a worker cannot be started: {error.strerror or error}")
    pid = worker.keeper = runtime.spawn(_keep, worker, parent, link=True, initial_call="Keeper")
    pid.dictionary = {**(pid.dictionary or {}), Worker: worker}

    def close(_: Pid) -> None:
        if worker.process.poll() is None:
            worker.process.kill()
            worker.process.wait()
        worker.line.close()
        os.close(worker.stack)

    own(pid, close)
    return Ok(pid)


def worker_of(keeper: Pid) -> Worker:
    """Return the worker of a keeper that has just been started."""
    found = (keeper.dictionary or {})[Worker]
    assert isinstance(found, Worker)  # noqa: S101 - `_start` has put it there
    return found


async def _keep(worker: Worker, parent: Pid) -> None:
    trap_exit()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.line.write_waiting)
        nursery.start_soon(_read, worker, parent)
        nursery.start_soon(_wait, worker.process, self_pid())
        while True:
            message = await receive()
            if message is GONE:
                break
            if type(message) is Exited:
                worker.stop()
        nursery.cancel_scope.cancel()
    parent.send(Ended(worker, worker.process.wait(), read_stack(worker.stack)))


async def _read(worker: Worker, parent: Pid) -> None:
    while True:
        try:
            message = await worker.line.receive()
        except ControlError as error:
            if events.control_failed.handlers:
                events.control_failed.emit(number=worker.number, why=str(error))
            continue
        if message is None:
            return
        parent.send(Said(worker, message))


async def _wait(process: subprocess.Popen[bytes], keeper: Pid) -> None:
    """Wait for the end of the program; its descriptor is readable then (pidfd_open(2))."""
    descriptor = os.pidfd_open(process.pid)
    try:
        await trio.lowlevel.wait_readable(descriptor)
    finally:
        os.close(descriptor)
    process.wait()
    keeper.send(GONE)
