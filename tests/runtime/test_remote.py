"""The seam for processes of other nodes, with a fake that only notes what it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest
import trio

from phxactor import call, cast
from phxactor.runtime import (
    NOCONNECTION,
    NOPROC,
    Answer,
    Down,
    Exit,
    Exited,
    Monitor,
    NoProcessError,
    NotLocalError,
    Pid,
    Reason,
    RemotePid,
    Runtime,
    add_monitor,
    demonitor,
    down_elsewhere,
    ended_elsewhere,
    exit_signal,
    link,
    link_ended_elsewhere,
    monitor,
    open_runtime,
    own,
    receive,
    register,
    self_pid,
    send,
    send_after,
    spawn,
    trap_exit,
    unlink,
    will_arrive,
)
from phxactor.testing import settle
from tests.runtime.actors import idle


class Elsewhere(RemotePid):
    """Notes what it is told; while `there` is false it answers as a node that is not there."""

    __slots__ = ("there", "told")

    def __init__(self, runtime: Runtime, *, there: bool = True) -> None:
        super().__init__(runtime, 7, "room", "node b")
        self.there = there
        self.told: list[tuple[object, ...]] = []

    def sent(self, message: object) -> None:
        if getattr(message, "request", message) is trio:
            raise TypeError("a module cannot travel")
        self.told.append(("sent", message))

    def exited(self, source: Pid, reason: Reason) -> None:
        self.told.append(("exited", source, reason))

    def linked(self, owner: Pid) -> None:
        self.told.append(("linked", owner))
        if not self.there:
            will_arrive(owner, self)

    def unlinked(self, owner: Pid) -> None:
        self.told.append(("unlinked", owner))

    def link_ended(self, owner: Pid, reason: Reason) -> None:
        self.told.append(("link_ended", owner, reason))

    def monitored(self, watch: Monitor) -> None:
        self.told.append(("monitored", watch))
        if not self.there:
            will_arrive(watch.owner, watch)

    def demonitored(self, watch: Monitor) -> bool:
        self.told.append(("demonitored", watch))
        return True


class Table:
    """The `(name, node)` addresses of a runtime."""

    node = "node a"

    def __init__(self, there: dict[tuple[str, object], Pid]) -> None:
        self.there = there

    def named(self, name: str, node: object) -> Pid | None:
        return self.there.get((name, node))


@pytest.fixture
async def pid() -> AsyncIterator[Elsewhere]:
    async with open_runtime() as runtime:
        trap_exit()
        yield Elsewhere(runtime)


async def ended(pid: Pid) -> Reason:
    return await pid.runtime.ended(pid)


async def test_what_is_sent_goes_to_the_other_node_and_never_to_a_mailbox_here(pid: Elsewhere) -> None:
    send(pid, "one")
    pid.deliver("two")
    cast(pid, "three")
    pid.exit("boom")
    *sent, (kind, source, reason) = pid.told
    assert [message for _, message in sent][:2] == ["one", "two"]
    assert (kind, source, reason) == ("exited", self_pid(), "boom")
    assert not pid.mailbox
    with pytest.raises(TypeError, match="cannot travel"):
        send(pid, trio)


async def test_ND5_ND6_what_is_known_elsewhere_only_is_an_error_here(pid: Elsewhere) -> None:
    with pytest.raises(NotLocalError):
        _ = pid.alive
    with pytest.raises(NotLocalError):
        register("room", pid)
    with pytest.raises(NotLocalError):
        send_after(pid, "late", 1)
    with pytest.raises(NotLocalError):
        own(pid, lambda _: None)
    assert (pid.node, self_pid().node) == ("node b", None)
    assert repr(pid) == "#PID<7 room @ node b>"


async def test_ND30_a_link_is_told_once_and_ends_by_a_signal(pid: Elsewhere) -> None:
    link(pid)
    link(pid)
    assert pid.told == [("linked", self_pid())]
    link_ended_elsewhere(pid, self_pid(), NOPROC)
    assert await receive(timeout=0) == Exited(pid, NOPROC)
    assert pid not in (self_pid().links or {})
    link_ended_elsewhere(pid, self_pid(), "again")
    with pytest.raises(TimeoutError):
        await receive(timeout=0)


async def test_ND42_a_local_end_is_told_to_the_other_side_of_the_link_with_its_reason(pid: Elsewhere) -> None:
    other = spawn(idle)
    await settle()
    pid.links = {other: False}
    other.links = {pid: False}
    exit_signal(other, pid, ("boom", 1))
    assert await ended(other) == ("boom", 1)
    assert pid.told == [("link_ended", other, ("boom", 1))]
    assert not pid.links


async def test_ND41_unlink_is_told_and_leaves_an_exit_that_has_come(pid: Elsewhere) -> None:
    link(pid)
    unlink(pid)
    unlink(pid)
    assert [told[0] for told in pid.told] == ["linked", "unlinked"]
    ended_elsewhere(pid, "boom")
    with pytest.raises(TimeoutError):
        await receive(timeout=0)
    link(pid)
    ended_elsewhere(pid, NOCONNECTION, lost=True)
    unlink(pid)
    assert await receive(timeout=0) == Exited(pid, NOCONNECTION)
    assert [told[0] for told in pid.told] == ["linked", "unlinked", "linked"]


async def test_ND26_links_hear_of_an_end_before_watchers_and_each_once(pid: Elsewhere) -> None:
    first = monitor(pid)
    link(pid)
    second = monitor(pid)
    ended_elsewhere(pid, "boom")
    ended_elsewhere(pid, "again")
    got = [await receive(timeout=0) for _ in range(3)]
    assert got == [Exited(pid, "boom"), Down(first, pid, "boom"), Down(second, pid, "boom")]
    with pytest.raises(TimeoutError):
        await receive(timeout=0)
    assert not demonitor(first)


async def test_ND35_a_monitor_removed_at_once_is_told_and_nothing_arrives(pid: Elsewhere) -> None:
    for there in (True, False):
        pid.there, pid.told = there, []
        watch = monitor(pid)
        assert demonitor(watch)
        assert [told[0] for told in pid.told] == ["monitored", "demonitored"]
        down_elsewhere(watch, "late")
        await settle()
        with pytest.raises(TimeoutError):
            await receive(timeout=0)
    assert not pid.watchers


async def test_ND31_ND34_of_a_node_that_is_not_there_links_and_monitors_answer_soon(pid: Elsewhere) -> None:
    pid.there = False
    link(pid)
    watch = monitor(pid)
    unlink(pid)
    link(pid)
    got = [await receive(timeout=0) for _ in range(2)]
    assert sorted(map(str, got)) == sorted(map(str, [Exited(pid, NOCONNECTION), Down(watch, pid, NOCONNECTION)]))
    with pytest.raises(TimeoutError):
        await receive(timeout=0)
    assert not pid.links
    assert not pid.watchers


async def test_ND31_a_process_that_does_not_trap_exits_dies_of_such_a_link(pid: Elsewhere) -> None:
    pid.there = False

    async def body() -> None:
        link(pid)
        await trio.sleep_forever()

    assert await ended(spawn(body)) == NOCONNECTION
    assert not pid.links


async def test_a_process_that_ends_takes_its_monitors_along(pid: Elsewhere) -> None:
    async def body() -> None:
        monitor(pid)

    await ended(spawn(body))
    assert [told[0] for told in pid.told] == ["monitored", "demonitored"]
    assert not pid.watchers


async def test_a_monitor_of_the_other_side_gets_the_down_of_a_local_process(pid: Elsewhere) -> None:
    other = spawn(idle)
    watch = add_monitor(pid, other)
    other.exit("boom")
    await ended(other)
    (kind, message), *rest = pid.told
    assert (kind, rest) == ("sent", [])
    assert message == Down(watch, other, "boom")


async def test_an_answer_goes_to_the_other_side_while_its_return_address_is_active(pid: Elsewhere) -> None:
    watch = add_monitor(pid, spawn(idle))
    watch.reply(1)
    watch.active = False
    watch.reply(2)
    (_, answer), *rest = pid.told
    assert isinstance(answer, Answer)
    assert (answer.ref, answer.value, rest) == (watch, 1, [])


async def fails(server: Pid | tuple[str, object], *, timeout: float | None = 1) -> Reason:
    with pytest.raises(Exit) as caught:
        await call(server, "ask", timeout)
    assert isinstance(caught.value.reason, tuple)
    return caught.value.reason[0]


async def test_ND82_a_call_ends_when_the_line_is_lost_or_with_the_reason_of_the_server(pid: Elsewhere) -> None:
    for lost, reason, expected in (
        (True, NOCONNECTION, ("nodedown", "node b")),
        (False, "boom", "boom"),
        (False, NOCONNECTION, NOCONNECTION),  # the server has lost a line of its own
    ):
        pid.runtime.run_soon(partial(ended_elsewhere, pid, reason, lost=lost))
        assert await fails(pid, timeout=None) == expected
        assert not self_pid().monitors
    assert await fails(pid) == "timeout"
    assert pid.told[-1][0] == "demonitored"
    pid.there = False
    assert await fails(pid, timeout=0) == ("nodedown", "node b")
    with pytest.raises(TypeError, match="cannot travel"):
        await call(pid, trio)
    assert not self_pid().monitors


async def test_ND3_a_name_on_a_node_is_an_address(pid: Elsewhere) -> None:
    with pytest.raises(NoProcessError, match="no cluster"):
        send(("room", "node b"), 1)
    pid.runtime.remote = Table({("room", "node b"): pid, ("self", "node a"): self_pid()})
    address = ("room", "node b")
    send(address, 1)
    watch = monitor(address)
    assert [told[0] for told in pid.told] == ["sent", "monitored"]
    ended_elsewhere(pid, "boom")
    assert await receive(timeout=0) == Down(watch, address, "boom")
    assert self_pid().node == "node a"


async def test_ND4_ND86_a_name_on_the_own_node(pid: Elsewhere) -> None:
    pid.runtime.remote = Table({("self", "node a"): self_pid()})
    send(("nobody", "node a"), 1)
    cast(("nobody", "node a"), 1)
    assert await fails(("nobody", "node a")) == NOPROC
    assert await fails(("self", "node a")) == "calling_self"
    watch = monitor(("nobody", "node a"))
    assert await receive(timeout=0) == Down(watch, ("nobody", "node a"), NOPROC)
