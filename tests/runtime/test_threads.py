"""Nothing may be done to a process in another thread: one clear error, and nothing has changed (TM34)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Final

import pytest
import trio
from trio.testing import MockClock

from phxactor.runtime import (
    NotAProcessError,
    Pid,
    Runtime,
    Sink,
    State,
    WrongThreadError,
    cancel_timer,
    cleanup,
    demonitor,
    disown,
    link,
    monitor,
    open_runtime,
    own,
    receive,
    register,
    self_pid,
    send,
    send_after,
    set_port,
    spawn,
    spawn_link,
    spawn_monitor,
    trap_exit,
    unlink,
    unregister,
    whereis,
)
from phxactor.testing import settle
from tests.runtime.threads import PLACES, WITH_PROCESS, WITHOUT_PROCESS, Place, in_a_thread_of_the_process, step


class Mark:
    """What the sink takes."""


class Kept(Sink):
    """A sink that keeps what it takes."""

    takes = Mark

    def __init__(self, kept: list[object]) -> None:
        self.kept = kept

    def put(self, message: object, /) -> None:
        self.kept.append(message)


class Receiver:
    """A process that takes its messages in one of several ways."""

    def __init__(self, how: str) -> None:
        self.taken: list[object] = []
        self.busy = trio.Event()
        self.pid = spawn(getattr(self, how))

    async def waits(self) -> None:
        while True:
            self.taken.append(await receive())

    async def waits_for_a_time(self) -> None:
        while True:
            self.taken.append(await receive(timeout=1000))

    async def waits_for_one(self) -> None:
        while True:
            self.taken.append(await receive(lambda _: True))

    async def waits_for_a_ref(self) -> None:
        me = self_pid()
        watch = monitor(spawn_link(trio.sleep_forever))
        await me.receive_ref(watch, 0, None)

    async def is_busy(self) -> None:
        await self.busy.wait()
        await self.waits()

    async def has_a_full_mailbox(self) -> None:
        self_pid().send("waits")
        await self.is_busy()

    async def has_a_port(self) -> None:
        set_port(self.taken.append)
        await trio.sleep_forever()

    async def has_a_sink(self) -> None:
        set_port(self.taken.append, Kept(self.taken))
        await trio.sleep_forever()


HOWS: Final = [
    "waits",
    "waits_for_a_time",
    "waits_for_one",
    "waits_for_a_ref",
    "is_busy",
    "has_a_full_mailbox",
    "has_a_port",
    "has_a_sink",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("how", HOWS)
async def test_TM34_a_message_from_another_thread_is_refused_and_the_receiver_hears_all_others(
    how: str, place: Place
) -> None:
    async with open_runtime():
        receiver = Receiver(how)
        await settle()
        before = _seen(receiver.pid)
        for message in ("from another thread", Mark()):
            assert _is_wrong_thread(await place(partial(receiver.pid.send, message)), receiver.pid)
            assert _seen(receiver.pid) == before
        mark = Mark()
        receiver.pid.send("from this thread")
        receiver.pid.send(mark)
        receiver.busy.set()
        await settle()
        if how != "waits_for_a_ref":
            assert receiver.taken[-2:] == ["from this thread", mark]
        receiver.pid.exit("kill")
        await settle()
        assert receiver.pid.exit_reason == "killed"
        assert _is_wrong_thread(await place(lambda: receiver.pid.send("to the dead")), receiver.pid)


class Subject:
    """What is tried on: two processes, each with a name, a link, a monitor and a timer that `main` has made."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.pid, self.watch = spawn_monitor(trio.sleep_forever)
        self.linked = spawn_link(trio.sleep_forever)
        register("taken", self.pid)
        self.timer = send_after(self.pid, "later", 1000)
        self.named_timer = send_after("taken", "later", 1000)
        own(self.pid, _nothing)

    def seen(self) -> object:
        """Everything that could have changed."""
        pids = list(self.runtime.processes.values())
        timers = self.timer.pending, self.named_timer.pending, len(self.runtime.timers)
        return [_seen(pid) for pid in pids], self.runtime.names.all(), timers, self.runtime.statistics()

    def close(self) -> None:
        """Leave nothing behind."""
        unlink(self.linked)
        cancel_timer(self.named_timer)


def _nothing(_: object) -> None:
    pass


async def _never() -> None:
    raise AssertionError("it has no task")


OPERATIONS: Final[dict[str, Callable[[Subject], object]]] = {
    "Pid.send": lambda s: s.pid.send(1),
    "Pid.exit": lambda s: s.pid.exit("boom"),
    "Pid.exit normally": lambda s: s.pid.exit("normal"),
    "Pid.exit by force": lambda s: s.pid.exit("kill"),
    "send": lambda s: send(s.pid, 1),
    "send to a name": lambda _: send("taken", 1),
    "spawn": lambda _: spawn(_never),
    "spawn_link": lambda _: spawn_link(_never),
    "spawn_monitor": lambda _: spawn_monitor(_never),
    "Runtime.spawn": lambda s: s.runtime.spawn(_never),
    "Runtime.ended": lambda s: s.runtime.ended(s.pid),
    "receive": lambda _: receive(),
    "receive one": lambda _: receive(lambda _: True),
    "link": lambda s: link(s.pid),
    "unlink": lambda s: unlink(s.linked),
    "monitor": lambda s: monitor(s.pid),
    "monitor a name": lambda _: monitor("taken"),
    "demonitor": lambda s: demonitor(s.watch),
    "reply": lambda s: s.watch.reply(1),
    "trap_exit": lambda _: trap_exit(),
    "set_port": lambda _: set_port(print),
    "register": lambda _: register("new"),
    "register another": lambda s: register("new", s.linked),
    "unregister": lambda _: unregister("taken"),
    "whereis": lambda _: whereis("taken"),
    "self_pid": lambda _: self_pid(),
    "send_after": lambda s: send_after(s.pid, 1, 0),
    "send_after to a name": lambda _: send_after("taken", 1, 0),
    "send_after to a name in an hour": lambda _: send_after("taken", 1, 3600),
    "cancel_timer": lambda s: cancel_timer(s.timer),
    "cancel_timer for a name": lambda s: cancel_timer(s.named_timer),
    "own": lambda s: own(s.pid, print),
    "disown": lambda s: disown(s.pid, _nothing),
    "cleanup": lambda _: cleanup(1).__enter__(),
    "Runtime.kill": lambda s: s.runtime.kill(),
}


@pytest.mark.parametrize("place", WITHOUT_PROCESS)
@pytest.mark.parametrize("name", OPERATIONS)
async def test_TM34_nothing_is_done_to_a_process_from_another_thread(name: str, place: Place) -> None:
    async with open_runtime() as runtime:
        subject = Subject(runtime)
        await settle()
        before = subject.seen()
        error = await place(partial(OPERATIONS[name], subject))
        assert isinstance(error, NotAProcessError), error
        assert "phxactor.from_thread" in str(error)
        assert subject.seen() == before
        await settle()
        assert subject.seen() == before
        subject.close()


@pytest.mark.parametrize("place", WITH_PROCESS)
@pytest.mark.parametrize(
    "name",
    [
        *("Pid.send", "Pid.exit", "Pid.exit normally", "Pid.exit by force", "send", "Runtime.spawn", "Runtime.ended"),
        *("link", "unlink", "monitor", "demonitor", "reply", "register another", "send_after", "cancel_timer"),
        *("cancel_timer for a name", "own", "disown", "Runtime.kill"),
    ],
)
async def test_TM34_a_process_of_another_thread_can_do_as_little(name: str, place: Place) -> None:
    async with open_runtime() as runtime:
        subject = Subject(runtime)
        await settle()
        before = subject.seen()
        assert _is_wrong_thread(await place(partial(OPERATIONS[name], subject)))
        assert subject.seen() == before
        await settle()
        assert subject.seen() == before
        subject.close()


async def test_TM34_a_thread_that_has_been_refused_holds_nobody_up(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        for start in (spawn, spawn_link, runtime.spawn):
            error = await in_a_thread_of_the_process(partial(start, _never))
            assert isinstance(error, WrongThreadError)
        assert runtime.statistics().processes == 1
    assert autojump_clock.current_time() == 0


async def test_TM34_statistics_can_be_read_in_any_thread() -> None:
    async with open_runtime() as runtime:
        pid = spawn(trio.sleep_forever)
        await settle()
        read: list[object] = []
        for place in PLACES:
            assert await place(lambda: read.append((runtime.statistics(), pid.statistics(), pid.alive))) is None
        assert read == [(runtime.statistics(), pid.statistics(), True)] * len(PLACES)


async def test_TM34_what_the_error_names_works() -> None:
    async with open_runtime() as runtime:
        me = self_pid()

        def work() -> Pid:
            runtime.run_soon(partial(me.send, "by run_soon"))
            trio.from_thread.run_sync(me.send, "by from_thread")
            return trio.from_thread.run_sync(spawn, trio.sleep_forever)

        pid = await trio.to_thread.run_sync(work)
        assert {await receive(), await receive()} == {"by run_soon", "by from_thread"}
        assert pid.parent is me


@pytest.mark.parametrize("name", ["Pid.send", "Pid.exit", "Runtime.spawn"])
def test_TM34_the_error_tells_of_a_runtime_that_has_ended(name: str) -> None:
    kept: list[Subject] = []
    over = threading.Event()

    def run() -> None:
        trio.run(_kept, kept)
        over.wait()  # no other thread gets its number

    thread = threading.Thread(target=run)
    thread.start()
    while not (kept and kept[0].runtime.main.state is State.DEAD):
        threading.Event().wait(0.01)
    error = step(partial(OPERATIONS[name], kept[0]))
    assert isinstance(error, NotAProcessError)
    assert str(error).endswith("has ended")
    over.set()
    thread.join()
    with pytest.raises(trio.RunFinishedError):
        kept[0].runtime.run_soon(print)


def test_TM34_in_the_thread_of_a_runtime_that_has_ended_there_are_only_the_dead() -> None:
    kept: list[Subject] = []
    trio.run(_kept, kept)
    (subject,) = kept
    subject.pid.send("dropped")  # P16
    subject.pid.exit("ignored")  # P17
    with pytest.raises(NotAProcessError, match="the runtime has ended"):
        subject.runtime.spawn(_never)
    assert subject.runtime.statistics().processes == 0


@pytest.mark.parametrize("name", OPERATIONS)
def test_TM34_nothing_comes_to_life_after_the_end(name: str) -> None:
    kept: list[Subject] = []
    trio.run(_kept, kept)
    (subject,) = kept
    before = subject.seen()
    error = step(partial(OPERATIONS[name], subject))
    assert error is None or isinstance(error, NotAProcessError)
    assert subject.seen() == before
    assert not subject.pid.mailbox


async def _kept(kept: list[Subject]) -> None:
    async with open_runtime() as runtime:
        kept.append(Subject(runtime))
        cancel_timer(kept[0].named_timer)


async def test_a_process_whose_task_cannot_start_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object, **__: object) -> None:
        raise RuntimeError("Nursery is closed to new arrivals")

    async with open_runtime() as runtime:
        with monkeypatch.context() as patched:
            patched.setattr(runtime, "_start_soon", closed)
            for start in (spawn, spawn_link):
                with pytest.raises(RuntimeError, match="closed to new arrivals"):
                    start(trio.sleep_forever)
        assert runtime.statistics().processes == 1
        assert not self_pid().links


def _seen(pid: Pid) -> object:
    """Everything of a process that could have changed."""
    return (
        pid.state,
        pid.waiter,
        pid.waiters,
        pid.port,
        pid.port_busy,
        pid.sink_type,
        list(pid.mailbox),
        list(pid.links or ()),
        list(pid.monitors or ()),
        list(pid.watchers or ()),
        list(pid.resources or ()),
        pid.name,
        pid.trapping,
    )


def _is_wrong_thread(error: BaseException | None, pid: Pid | None = None) -> bool:
    assert isinstance(error, WrongThreadError), error
    return pid is None or str(error).startswith(f"{pid!r} belongs to another thread: ")
