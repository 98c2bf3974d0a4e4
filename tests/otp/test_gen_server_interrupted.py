"""Calls, starts, stops, tasks and streams that are interrupted anywhere leave nothing behind: G10, G24, G32, T2, T28.

No message, no monitor, no link, no timer, no process: neither in who asked nor in who was asked. Times are whole
seconds, so that much falls into one tick, where trio shuffles who runs first.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from phxactor.otp import (
    Called,
    Error,
    GenServer,
    NoReply,
    Ok,
    Reply,
    Stop,
    Task,
    TaskSupervisor,
    async_stream,
    call,
    reply,
    stop,
    system,
)
from phxactor.runtime import (
    KILL,
    NORMAL,
    SHUTDOWN,
    Crash,
    Exit,
    From,
    Pid,
    Reason,
    Runtime,
    open_runtime,
    self_pid,
    spawn,
    trap_exit,
    unlink,
)
from tests.otp.supervision import simulate

seconds = st.integers(0, 4)
Behaviour = tuple[str, int]
behaviours = st.tuples(
    st.sampled_from(["reply", "later", "silent", "stop", "stop with reply", "raise", "exit", "killed"]), seconds
)
interruptions = st.none() | st.tuples(seconds, st.sampled_from([KILL, SHUTDOWN, "boom"]))


class Server(GenServer):
    """Does what the request says, after so many seconds, and takes a second to end."""

    async def handle_call(self, request: object, from_: From) -> Reply | NoReply | Stop:
        assert isinstance(request, tuple)
        what, delay = request
        if what == "later":
            spawn(self.reply_later, from_, delay)
            return NoReply()
        await trio.sleep(delay)
        match what:
            case "reply":
                return Reply("value")
            case "stop":
                return Stop("stopped")
            case "stop with reply":
                return Stop(NORMAL, reply="value")
            case "raise":
                raise ValueError
            case "exit":
                raise Exit("exited")
            case "killed":
                self_pid().exit(KILL)
        return NoReply()

    async def reply_later(self, from_: From, delay: int) -> None:
        await trio.sleep(delay)
        reply(from_, "value")

    async def terminate(self, reason: Reason) -> None:
        await trio.sleep(1)


@attrs.frozen
class Attempt:
    """One request, how long it may take, and what cuts it off."""

    behaviour: Behaviour
    timeout: int
    scope: int
    kind: str


attempts = st.builds(
    Attempt,
    behaviours,
    seconds,
    st.integers(0, 6),
    st.sampled_from(["call", "call", "get_state", "stop", "start", "task"]),
)


@attrs.define
class Asker:
    """A process that asks, however that goes, and then looks for what was left."""

    server: Pid
    attempts: list[Attempt]
    trap: bool

    async def run(self) -> None:
        trap_exit(self.trap)
        for attempt in self.attempts:
            with trio.move_on_after(attempt.scope):
                try:
                    await self.ask(attempt)
                except Exit as error:
                    assert isinstance(error.reason, tuple)  # noqa: PT017 - most end in no exit
                    assert isinstance(error.reason[1], Called)  # noqa: PT017
            assert_clean(self_pid())
        await trio.sleep(20)
        assert_clean(self_pid())

    async def ask(self, attempt: Attempt) -> None:
        what, delay = attempt.behaviour
        match attempt.kind:
            case "call":
                assert await call(self.server, attempt.behaviour, attempt.timeout) == "value"
                assert what in ("reply", "later", "stop with reply")
            case "get_state":
                await system.get_state(self.server, attempt.timeout)
            case "stop":
                await stop(self.server, NORMAL, attempt.timeout)
            case "start":
                await Slow.start_link(what, delay, timeout=attempt.timeout)
            case "task":
                task = Task.async_(trio.sleep, delay)
                try:
                    await task.yield_(attempt.timeout)
                finally:
                    task.ignore()
                    if task.pid is not None:
                        unlink(task.pid, flush=True)


class Slow(GenServer):
    """Takes its time to start, or not to start."""

    async def init(self, what: str, delay: int) -> Stop | Error:
        await trio.sleep(delay)
        return Stop(NORMAL) if what == "stop" else Error(what)


def assert_clean(pid: Pid) -> None:
    """See that a process is as if it had never asked anything."""
    assert list(pid.mailbox) == []
    assert not pid.monitors
    assert not pid.links


def assert_no_failure(pid: Pid) -> None:
    """See that no assertion in the process failed."""
    assert not pid.alive
    reason = pid.exit_reason
    assert not (isinstance(reason, Crash) and isinstance(reason.exception, AssertionError)), reason


def assert_quiet(runtime: Runtime, *pids: Pid) -> None:
    """See that nothing is left anywhere."""
    for pid in pids:
        if pid.alive:
            assert not pid.watchers
            assert not pid.monitors
            assert list(pid.mailbox) == []
    assert not runtime.main.links
    assert len(runtime.timers) == 0
    assert set(runtime.processes.values()) <= {runtime.main, *pids}


@settings(deadline=None)
@given(st.lists(attempts, min_size=1, max_size=4), interruptions, interruptions, st.booleans())
def test_G10_G24_G32_what_is_interrupted_leaves_nothing_behind(
    attempts: list[Attempt],
    kill_server: tuple[int, Reason] | None,
    kill_asker: tuple[int, Reason] | None,
    trap: bool,
) -> None:
    async def body() -> None:
        async with open_runtime() as runtime:
            server = (await Server.start()).unwrap()
            asker = Asker(server, attempts, trap)
            pid = spawn(asker.run)
            for target, interruption in ((server, kill_server), (pid, kill_asker)):
                if interruption is not None:
                    spawn(_kill, target, *interruption)
            await trio.sleep(100)
            assert_no_failure(pid)
            assert kill_asker is not None or pid.exit_reason == NORMAL
            assert_quiet(runtime, server)

    simulate(body)


async def _kill(target: Pid, after: int, reason: Reason) -> None:
    await trio.sleep(after)
    if reason == KILL or not target.trapping:  # others would only be one more message
        target.exit(reason)


@attrs.frozen
class Streaming:
    """How a stream runs, and what cuts it off."""

    concurrency: int
    scope: int
    timeout: int | None
    on_timeout: Literal["exit", "kill_task"]
    supervised: bool
    link: bool


streamings = st.builds(
    Streaming,
    st.integers(1, 3),
    st.integers(0, 6),
    st.sampled_from([1, 2, 3, None]),
    st.sampled_from(["exit", "kill_task"]),
    st.booleans(),
    st.booleans(),
)
inputs_ = st.lists(st.tuples(st.sampled_from(["sleep", "exit", "raise"]), seconds), max_size=5)


@settings(deadline=None)
@given(inputs_, streamings, interruptions, st.booleans())
def test_T28_a_stream_that_is_interrupted_leaves_nothing_behind(
    inputs: list[Behaviour], how: Streaming, kill: tuple[int, Reason] | None, trap: bool
) -> None:
    async def work(given: Behaviour) -> object:
        await trio.sleep(given[1])
        if given[0] == "raise":
            raise ValueError
        if given[0] == "exit":
            raise Exit("exited")
        return given

    async def consume(tasks: Pid) -> None:
        trap_exit(trap)
        start = partial(TaskSupervisor.async_stream, tasks, link=how.link) if how.supervised else async_stream
        stream = start(inputs, work, max_concurrency=how.concurrency, timeout=how.timeout, on_timeout=how.on_timeout)
        with trio.move_on_after(how.scope):
            try:
                async with stream as results:
                    async for result in results:
                        survives = trap or (how.supervised and not how.link) or how.timeout is not None
                        assert isinstance(result, Ok) or survives
            except Exit:
                pass
        assert_clean(self_pid())
        await trio.sleep(20)
        assert_clean(self_pid())

    async def body() -> None:
        async with open_runtime() as runtime:
            tasks = (await TaskSupervisor.start_link()).unwrap()
            pid = spawn(consume, tasks)
            if kill is not None:
                spawn(_kill, pid, *kill)
            await trio.sleep(100)
            assert_no_failure(pid)
            assert await TaskSupervisor.children(tasks) == []
            await stop(tasks)
            assert_quiet(runtime)

    simulate(body)
