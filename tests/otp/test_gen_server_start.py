"""Starting a server: section 5.1 of the specification."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import IGNORE, Continue, Error, GenServer, NoReply, Ok, Reply, StartError, Stop, call, system
from phxactor.runtime import (
    KILLED,
    NORMAL,
    SHUTDOWN,
    Crash,
    Exit,
    Exited,
    Pid,
    open_runtime,
    self_pid,
    send,
    spawn,
    trap_exit,
    whereis,
)
from phxactor.testing import settle
from tests.otp import Kit, end, end_of, mail, raises


async def test_G1_start_waits_until_init_has_returned_in_the_new_process(autojump_clock: MockClock) -> None:
    async with open_runtime():
        ran_in: list[Pid] = []

        async def slow(_: Kit) -> None:
            await trio.sleep(3)
            ran_in.append(self_pid())

        for start in (Kit.start_link, Kit.start):
            began = trio.current_time()
            pid = (await start(init=slow)).unwrap()
            assert trio.current_time() - began == pytest.approx(3)
            assert ran_in.pop() is pid is not self_pid()


async def test_G2_started_servers_answer(autojump_clock: MockClock) -> None:
    async with open_runtime():
        started = await Kit.start_link(call=lambda _, request, __: Reply(request))
        assert isinstance(started, Ok)
        assert await call(started.value, "hello") == "hello"


async def test_G3_ignore_ends_normally_without_terminate(autojump_clock: MockClock) -> None:
    async with open_runtime():
        trap_exit()
        pids: list[Pid] = []

        def ignore(server: Kit) -> object:
            pids.append(self_pid())
            return IGNORE

        assert await Kit.start_link(init=ignore, terminate=raises(AssertionError())) is IGNORE
        assert pids[0].exit_reason == NORMAL
        assert mail() == []
        with pytest.raises(StartError):
            (await Kit.start_link(init=ignore)).unwrap()


async def test_G4_stop_in_init_kills_a_linked_caller_that_does_not_trap(autojump_clock: MockClock) -> None:
    async with open_runtime():

        async def linked(reason: object) -> None:
            raise Exit(("alive with", await Kit.start_link(init=lambda _: Stop(reason))))

        async def unlinked(reason: object) -> None:
            raise Exit(("alive with", await Kit.start(init=lambda _: Stop(reason))))

        assert await end_of(linked, "broken") == "broken"
        assert await end_of(linked, NORMAL) == ("alive with", Error(NORMAL))
        assert await end_of(unlinked, "broken") == ("alive with", Error("broken"))


async def test_G5_a_trapping_caller_gets_the_error_and_no_exit_of_a_process_that_is_gone(
    autojump_clock: MockClock,
) -> None:
    async with open_runtime() as runtime:
        trap_exit()
        before = len(runtime.processes)
        assert await Kit.start_link(init=lambda _: Stop("broken")) == Error("broken")
        assert len(runtime.processes) == before
        assert mail() == []


async def test_G6_init_that_raises_exits_or_returns_junk(autojump_clock: MockClock) -> None:
    async with open_runtime():
        failure = ValueError("no")
        raised = await Kit.start(init=raises(failure))
        assert isinstance(raised, Error)
        assert isinstance(raised.reason, Crash)
        assert raised.reason.exception is failure
        assert await Kit.start(init=raises(Exit("enough"))) == Error("enough")
        assert await Kit.start(init=lambda _: "junk") == Error(("bad_return_value", "junk"))


async def test_G8_what_init_must_not_return_is_the_reason_of_the_exit(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pids: list[Pid] = []

        def junk(_: Kit) -> object:
            pids.append(self_pid())
            return NoReply()

        assert await Kit.start(init=junk) == Error(("bad_return_value", NoReply()))
        assert pids[0].exit_reason == ("bad_return_value", NoReply())


async def test_G9_error_from_init_is_a_quiet_end(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pids: list[Pid] = []

        def error(_: Kit) -> object:
            pids.append(self_pid())
            return Error("not today")

        assert await Kit.start_link(init=error) == Error("not today")
        assert pids[0].exit_reason == NORMAL


async def test_G10_a_slow_init_is_killed(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        pids: list[Pid] = []

        async def slow(_: Kit) -> None:
            pids.append(self_pid())
            await trio.sleep_forever()

        assert await Kit.start_link(init=slow, timeout=2, name="slow") == Error("timeout")
        assert trio.current_time() == pytest.approx(2)
        assert pids[0].exit_reason == KILLED
        assert whereis("slow") is None
        assert mail() == []
        assert len(runtime.timers) == 0


async def test_G10_an_init_that_ends_behind_a_shield_after_the_kill_has_not_started(autojump_clock: MockClock) -> None:
    async with open_runtime():

        async def shielded(_: Kit) -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep(5)

        assert await Kit.start_link(init=shielded, timeout=2) == Error("timeout")
        await settle()
        assert mail() == []


async def test_G11_the_name_is_free_when_the_starter_hears_of_the_failure(autojump_clock: MockClock) -> None:
    async with open_runtime():
        for init in (raises(ValueError()), lambda _: Stop("no"), lambda _: IGNORE, lambda _: Error("no")):
            await Kit.start(init=init, name="server")
            assert whereis("server") is None


async def test_G12_a_taken_name_is_an_error_and_init_does_not_run(autojump_clock: MockClock) -> None:
    async with open_runtime():
        trap_exit()
        first = (await Kit.start_link(name="server")).unwrap()
        second = await Kit.start_link(name="server", init=raises(AssertionError()))
        assert second == Error(("already_started", first))
        await settle()
        assert mail() == []


async def test_G13_init_finds_its_own_name(autojump_clock: MockClock) -> None:
    async with open_runtime():
        found: list[bool] = []
        await Kit.start_link(name="server", init=lambda _: found.append(whereis("server") is self_pid()))
        assert found == [True]


async def test_G14_a_name_of_a_wrong_type_raises_in_the_caller(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        before = len(runtime.processes)
        with pytest.raises(TypeError, match="a name must be"):
            await Kit.start_link(name=7)  # type: ignore[arg-type]
        assert len(runtime.processes) == before


async def test_G15_continue_runs_after_start_returned_and_before_any_message(autojump_clock: MockClock) -> None:
    async with open_runtime():
        heard: list[object] = []

        def init(_: Kit) -> object:
            self_pid().send("queued during init")
            return Continue("go on")

        async def then(_: Kit, argument: object) -> None:
            await trio.sleep(3)
            heard.append(argument)

        await Kit.start_link(init=init, then=then, info=lambda _, message: heard.append(message))
        heard.append("started")
        await trio.sleep(4)
        assert heard == ["started", "go on", "queued during init"]


async def test_G16_chained_continues_run_before_the_mailbox_is_read(autojump_clock: MockClock) -> None:
    async with open_runtime():
        heard: list[object] = []

        def then(_: Kit, left: int) -> object:
            heard.append(left)
            self_pid().send("message")
            return NoReply(Continue(left - 1)) if left else None

        pid = (await Kit.start_link(init=lambda _: Continue(3), then=then, info=lambda _, m: heard.append(m))).unwrap()
        await settle()
        assert heard == [3, 2, 1, 0, *["message"] * 4]
        assert pid.alive


async def test_G17_a_caller_that_dies_during_init_takes_a_child_along_that_does_not_trap(
    autojump_clock: MockClock,
) -> None:
    async with open_runtime():
        children: list[Pid] = []
        ended: list[object] = []

        async def slow(_: Kit) -> None:
            children.append(self_pid())
            await trio.sleep(5)

        async def starter(trap: bool) -> None:
            await Kit.start_link(init=slow, trap=trap, terminate=lambda _, reason: ended.append(reason))

        for trap in (False, True):
            pid = spawn(starter, trap)
            await settle()
            pid.exit("enough")
        plain, trapping = children
        await settle()
        assert plain.exit_reason == "enough"
        assert trapping.alive
        assert ended == []
        assert await end(trapping) == "enough"
        assert ended == ["enough"]
        assert trio.current_time() == pytest.approx(5)


@pytest.mark.allow_leaks("nobody is the parent")
async def test_G18_without_a_link_nobody_is_the_parent(autojump_clock: MockClock) -> None:
    async with open_runtime():
        heard: list[object] = []
        own = (await Kit.start(trap=True, info=lambda _, message: heard.append(message))).unwrap()
        linked = (await Kit.start_link(trap=True, info=lambda _, message: heard.append(message))).unwrap()
        send(own, Exited(self_pid(), SHUTDOWN))
        send(linked, Exited(self_pid(), NORMAL))
        await settle()
        assert heard == [Exited(self_pid(), SHUTDOWN)]
        assert own.alive
        assert linked.exit_reason == NORMAL


@pytest.mark.parametrize("suspended", [False, True])
@pytest.mark.parametrize("reason", [SHUTDOWN, NORMAL, "odd"])
async def test_G18_a_server_without_a_link_is_its_own_parent(
    reason: str, suspended: bool, autojump_clock: MockClock
) -> None:
    heard: list[object] = []
    terminated: list[object] = []

    async with open_runtime():
        server = (
            await Kit.start(
                trap=True,
                cast=lambda *_: self_pid().exit(reason),
                info=lambda _, message: heard.append(message),
                terminate=lambda _, why: terminated.append(why),
            )
        ).unwrap()
        if suspended:
            await system.suspend(server)
            server.send(Exited(server, reason))
        else:
            Kit.cast(server, "end")
        assert await end(server) == reason
        assert (heard, terminated) == ([], [reason])


async def test_G18_G55_a_server_with_a_parent_takes_a_signal_of_its_own_as_a_message(autojump_clock: MockClock) -> None:
    heard: list[object] = []

    async with open_runtime():
        server = (
            await Kit.start_link(
                trap=True, cast=lambda *_: self_pid().exit("odd"), info=lambda _, message: heard.append(message)
            )
        ).unwrap()
        Kit.cast(server, "end")
        await settle()
        assert heard == [Exited(server, "odd")]
        assert server.alive


async def test_a_start_that_is_cancelled_leaves_no_process(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:

        async def slow(_: Kit) -> None:
            await trio.sleep_forever()

        with trio.move_on_after(1):
            await Kit.start_link(init=slow)
        await settle()
        assert len(runtime.processes) == 1
        assert mail() == []
        assert not self_pid().monitors


async def test_a_group_with_one_failure_is_that_failure(autojump_clock: MockClock) -> None:
    class Nested(GenServer):
        async def init(self) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.fail)

        async def fail(self) -> None:
            raise Exit("inside")

    async with open_runtime():
        assert await Nested.start() == Error("inside")
