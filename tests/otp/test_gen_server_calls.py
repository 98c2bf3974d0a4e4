"""Calls: section 5.2 of the specification."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import CALL_TIMEOUT, Called, NoReply, Reply, Stop, call, reply
from phxactor.runtime import (
    KILL,
    KILLED,
    NOPROC,
    NORMAL,
    SHUTDOWN,
    Answer,
    Crash,
    Exit,
    From,
    NameTakenError,
    Pid,
    Runtime,
    Shutdown,
    open_runtime,
    self_pid,
    spawn,
    trap_exit,
)
from phxactor.testing import settle
from tests.otp import Kit, end, end_of, mail


class Nowhere:
    """A name that nobody has."""

    def register(self, pid: Pid) -> None:
        raise NameTakenError

    def unregister(self, pid: Pid) -> None:
        """Do nothing."""

    def whereis(self) -> Pid | None:
        return None


def echo(_: Kit, request: object, __: From) -> Reply:
    return Reply(request)


def silent(_: Kit, __: object, ___: From) -> NoReply:
    return NoReply()


def assert_clean(runtime: Runtime) -> None:
    """See that a call left nothing behind."""
    assert mail() == []
    assert not self_pid().monitors
    assert len(runtime.timers) == 0


async def test_G20_a_server_that_is_not_there_is_a_noproc_exit_that_can_be_caught(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        dead = (await Kit.start()).unwrap()
        dead.exit(KILL)
        await end(dead)
        nowhere = Nowhere()
        for server in (dead, "nobody", nowhere):
            with pytest.raises(Exit) as caught:
                await call(server, "hello", 3)
            assert caught.value.reason == (NOPROC, Called("GenServer.call", server, "hello", 3))
        assert_clean(runtime)
        assert trio.current_time() == 0


@pytest.mark.parametrize("reason", [NORMAL, SHUTDOWN, Shutdown("closed"), KILLED, "boom"])
async def test_G21_a_server_that_ends_gives_its_reason_to_the_caller(autojump_clock: MockClock, reason: object) -> None:
    async with open_runtime() as runtime:

        async def end_later(*_: object) -> None:
            await trio.sleep(1)
            if reason == KILLED:
                self_pid().exit(KILL)
            raise Exit(reason)

        pid = (await Kit.start(call=end_later)).unwrap()
        with pytest.raises(Exit) as caught:
            await call(pid, "hello")
        assert caught.value.reason == (reason, Called("GenServer.call", pid, "hello", CALL_TIMEOUT))
        assert_clean(runtime)


async def test_G22_calling_oneself_exits_at_once(autojump_clock: MockClock) -> None:
    async with open_runtime():
        with pytest.raises(Exit) as caught:
            await call(self_pid(), "hello", None)
        assert caught.value.reason == ("calling_self", Called("GenServer.call", self_pid(), "hello", None))


async def test_G23_no_reply_in_time_exits_the_caller_only(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = (await Kit.start_link(call=silent)).unwrap()
        for timeout in (CALL_TIMEOUT, 2.0):
            began = trio.current_time()
            with pytest.raises(Exit) as caught:
                await (call(pid, "hello") if timeout == CALL_TIMEOUT else call(pid, "hello", timeout))
            assert trio.current_time() - began == pytest.approx(timeout)
            assert caught.value.reason == ("timeout", Called("GenServer.call", pid, "hello", timeout))
        assert CALL_TIMEOUT == 5
        assert pid.alive


async def test_G24_a_late_reply_is_dropped(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:

        async def slow(_: Kit, request: object, __: From) -> Reply:
            await trio.sleep(3)
            return Reply(request)

        pid = (await Kit.start_link(call=slow)).unwrap()
        with pytest.raises(Exit):
            await call(pid, "hello", 1)
        await trio.sleep(5)
        assert_clean(runtime)


async def test_G25_a_second_reply_before_the_client_looked_is_left_in_its_mailbox(autojump_clock: MockClock) -> None:
    async with open_runtime():

        def twice(_: Kit, request: object, from_: From) -> Reply:
            from_.reply("first")
            return Reply("second")

        pid = (await Kit.start_link(call=twice)).unwrap()
        assert await call(pid, "hello") == "first"
        (left,) = mail()
        assert isinstance(left, Answer)
        assert left.value == "second"


async def test_G26_what_is_no_timeout_raises_in_the_caller(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = (await Kit.start_link(call=echo)).unwrap()
        for wrong in (-1, float("nan")):
            with pytest.raises(ValueError, match="a timeout must be"):
                await call(pid, "hello", wrong)
        with pytest.raises(TypeError):
            await call(pid, "hello", "soon")  # type: ignore[call-overload]
        assert await call(pid, "hello", float("inf")) == "hello"
        assert mail() == []


async def test_G27_anybody_may_reply_at_any_time(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        asked: list[From] = []

        def keep(_: Kit, __: object, from_: From) -> NoReply:
            asked.append(from_)
            return NoReply()

        pid = (await Kit.start(call=keep)).unwrap()

        async def other() -> None:
            await trio.sleep(1)
            reply(asked[0], "from another")

        spawn(other)
        assert await call(pid, "hello") == "from another"
        reply(asked[0], "once more")

        async def client() -> None:
            await call(pid, "hello")

        gone = spawn(client)
        await settle()
        gone.exit(KILL)
        await end(gone)
        pid.exit(KILL)
        await end(pid)
        reply(asked[1], "to nobody")
        assert_clean(runtime)


async def test_G28_a_call_that_nobody_answers_takes_its_whole_timeout(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = (await Kit.start_link(call=silent)).unwrap()
        with pytest.raises(Exit, match="timeout"):
            await call(pid, "hello", 60)
        assert trio.current_time() == pytest.approx(60)


@pytest.mark.parametrize("failing", [False, True])
async def test_G29_stop_with_reply_runs_terminate_first(autojump_clock: MockClock, failing: bool) -> None:
    async with open_runtime():
        heard: list[object] = []

        async def terminate(_: Kit, reason: object) -> None:
            await trio.sleep(2)
            heard.append(reason)
            if failing:
                raise ValueError

        pid = (await Kit.start(call=lambda *_: Stop("enough", reply="bye"), terminate=terminate)).unwrap()
        assert await call(pid, "hello") == "bye"
        assert heard == ["enough"]
        reason = await end(pid)
        assert isinstance(reason, Crash) if failing else reason == "enough"
        assert mail() == []


async def test_G29_a_server_that_is_killed_in_terminate_answers_nobody(autojump_clock: MockClock) -> None:
    async with open_runtime():

        async def terminate(_: Kit, __: object) -> None:
            self_pid().exit(KILL)

        pid = (await Kit.start(call=lambda *_: Stop(NORMAL, reply="bye"), terminate=terminate)).unwrap()
        with pytest.raises(Exit) as caught:
            await call(pid, "hello")
        assert caught.value.reason == (KILLED, Called("GenServer.call", pid, "hello", CALL_TIMEOUT))


async def test_G30_stop_without_reply_exits_the_caller_with_the_reason(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = (await Kit.start(call=lambda *_: Stop("enough"))).unwrap()
        with pytest.raises(Exit) as caught:
            await call(pid, "hello")
        assert caught.value.reason == ("enough", Called("GenServer.call", pid, "hello", CALL_TIMEOUT))


async def test_G31_the_call_of_a_caller_who_died_is_handled(autojump_clock: MockClock) -> None:
    async with open_runtime():
        heard: list[object] = []

        async def slow(_: Kit, request: object, __: From) -> Reply:
            await trio.sleep(1)
            heard.append(request)
            return Reply("nobody hears")

        pid = (await Kit.start_link(call=slow)).unwrap()

        async def client(request: object) -> None:
            await call(pid, request)

        first = spawn(client, "first")
        await settle()
        second = spawn(client, "second")
        await settle()
        second.exit(KILL)
        await end(first)
        await trio.sleep(2)
        assert heard == ["first", "second"]
        assert pid.alive


async def test_G32_a_call_makes_one_monitor_and_leaves_none(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        watchers: list[int] = []

        def look(_: Kit, __: object, from_: From) -> Reply:
            watchers.append(len(self_pid().watchers or ()))
            return Reply(from_)

        def stop(_: Kit, __: object, from_: From) -> Stop:
            return Stop(NORMAL, reply=from_)

        pid = (await Kit.start(call=look)).unwrap()
        refs = {await call(pid, "hello") for _ in range(3)}
        assert watchers == [1, 1, 1]
        assert len(refs) == 3
        assert not pid.watchers
        assert_clean(runtime)
        ending = (await Kit.start(call=stop)).unwrap()
        await call(ending, "hello")
        await end(ending)
        assert_clean(runtime)


async def test_a_call_in_a_cancel_scope_leaves_nothing_behind(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        asked: list[From] = []

        def keep(_: Kit, __: object, from_: From) -> NoReply:
            asked.append(from_)
            return NoReply()

        pid = (await Kit.start_link(call=keep)).unwrap()
        with trio.move_on_after(1):
            await call(pid, "hello")
        reply(asked[0], "late")
        assert_clean(runtime)
        assert not pid.watchers


async def test_a_caller_who_is_killed_while_it_waits_ends_with_the_reason_of_the_signal(
    autojump_clock: MockClock,
) -> None:
    async with open_runtime():
        trap_exit()
        pid = (await Kit.start(call=silent)).unwrap()

        async def client() -> None:
            await call(pid, "hello")

        waiting = spawn(client)
        await settle()
        waiting.exit("enough")
        assert await end(waiting) == "enough"
        assert not pid.watchers
        assert await end_of(client) == ("timeout", Called("GenServer.call", pid, "hello", CALL_TIMEOUT))
