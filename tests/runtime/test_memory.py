"""What a process costs, and that a dead one costs nothing."""

from __future__ import annotations

import gc
import logging
import tracemalloc
import weakref
from collections.abc import Iterator

import pytest

from phxactor.runtime import (
    KILL,
    Crash,
    demonitor,
    link,
    monitor,
    open_runtime,
    own,
    receive,
    register,
    self_pid,
    spawn,
    unlink,
)
from phxactor.runtime import _signals as signals
from phxactor.testing import settle
from tests.runtime.actors import Actor, port_actor


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Leave all to reference counts: what then stays is in a cycle."""
    logging.disable()  # a record of a crash that pytest keeps would keep its process
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    logging.disable(logging.NOTSET)


async def _returns() -> None:
    pass


async def _crashes() -> None:
    raise ValueError


async def _crashes_in_depth() -> None:
    await _crashes()


async def _spawns() -> None:
    spawn(_returns)
    register("busy")
    await receive()


async def _waits_for_an_answer() -> None:
    me = self_pid()
    await me.receive_ref(monitor(spawn(_returns)), 0, None)


@pytest.mark.parametrize("body", [_returns, _crashes, _crashes_in_depth, _spawns, _waits_for_an_answer, receive])
async def test_a_dead_process_is_freed_at_once(body: object, no_collector: None) -> None:
    assert callable(body)
    async with open_runtime():
        pid = spawn(body)
        await settle()
        pid.exit(KILL)
        await settle()
        assert not pid.alive
        trace = weakref.ref(pid)
        del pid
        assert trace() is None


async def test_a_crash_that_is_kept_keeps_no_process(no_collector: None) -> None:
    async with open_runtime():
        pid = spawn(_crashes_in_depth)
        await settle()
        crash = pid.exit_reason
        assert isinstance(crash, Crash)
        trace = weakref.ref(pid)
        del pid
        assert trace() is None
        assert crash.exception.__traceback__ is not None


async def test_friends_of_the_dead_keep_nothing_of_it(no_collector: None) -> None:
    async with open_runtime():
        friend = await port_actor(lambda _: None, trap=True)
        pid = spawn(receive)
        await settle()
        for _ in range(3):
            signals.add_link(friend.pid, pid)
            signals.add_monitor(friend.pid, pid)
            signals.add_monitor(pid, friend.pid)
        own(pid, lambda _: None)
        pid.exit("boom")
        await settle()
        assert not friend.pid.links
        assert not friend.pid.monitors
        assert not friend.pid.watchers
        trace = weakref.ref(pid)
        del pid
        assert trace() is None


async def test_what_is_undone_leaves_nothing() -> None:
    async with open_runtime() as runtime:
        one, other = Actor(), Actor()
        await settle()
        await one.do(link, other.pid)
        await one.do(unlink, other.pid)
        ref = await one.do(monitor, other.pid)
        await one.do(demonitor, ref)
        for pid in (one.pid, other.pid):
            assert not pid.links
            assert not pid.monitors
            assert not pid.watchers
        assert runtime.statistics().timers == 0


async def test_an_idle_process_takes_less_than_4_kilobytes() -> None:
    count = 200
    async with open_runtime():
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(count):
            spawn(receive)
        await settle()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (after - before) / count < 4096
