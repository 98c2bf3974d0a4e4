"""Stopping a server, and its child specification: the second half of section 5.4 of the specification."""

from __future__ import annotations

import attrs
import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import Called, GenServer, Reply, call, stop, system
from phxactor.runtime import NOPROC, NORMAL, Exit, Reason, open_runtime, self_pid
from tests.otp import Kit, end, mail, raises


async def test_G70_stop_waits_for_the_end_with_the_reason_asked_for(autojump_clock: MockClock) -> None:
    async with open_runtime():

        async def slow(_: Kit, __: Reason) -> None:
            await trio.sleep(100)

        for reason in (None, "enough"):
            pid = (await Kit.start(terminate=slow)).unwrap()
            await (stop(pid) if reason is None else stop(pid, reason))
            assert pid.exit_reason == (reason or NORMAL)
        assert trio.current_time() == pytest.approx(200)


async def test_G71_stop_exits_when_the_server_ended_otherwise(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = (await Kit.start(terminate=raises(Exit("other")))).unwrap()
        with pytest.raises(Exit) as caught:
            await stop(pid)
        assert caught.value.reason == ("other", Called("GenServer.stop", pid, NORMAL, None))
        assert mail() == []


async def test_G72_stop_of_nobody_and_of_oneself(autojump_clock: MockClock) -> None:
    async with open_runtime():
        dead = (await Kit.start()).unwrap()
        await stop(dead)
        for server, why in ((dead, NOPROC), ("nobody", NOPROC), (self_pid(), "calling_self")):
            with pytest.raises(Exit) as caught:
                await stop(server)
            assert caught.value.reason == (why, Called("GenServer.stop", server, NORMAL, None))


async def test_G73_a_stop_that_takes_too_long_goes_on(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:

        async def slow(_: Kit, __: Reason) -> None:
            await trio.sleep(10)

        pid = (await Kit.start(terminate=slow)).unwrap()
        with pytest.raises(Exit) as caught:
            await stop(pid, NORMAL, 1)
        assert caught.value.reason == ("timeout", Called("GenServer.stop", pid, NORMAL, 1))
        assert pid.alive
        assert await end(pid) == NORMAL
        assert trio.current_time() == pytest.approx(10)
        assert mail() == []
        assert len(runtime.timers) == 0


async def test_G74_stop_waits_its_turn_and_works_on_a_suspended_server(autojump_clock: MockClock) -> None:
    async with open_runtime():
        heard: list[object] = []
        pid = (await Kit.start(info=lambda _, message: heard.append(message))).unwrap()
        pid.send(1)
        pid.send(2)
        await stop(pid)
        assert heard == [1, 2]
        pid = (await Kit.start(info=lambda _, message: heard.append(message))).unwrap()
        await system.suspend(pid)
        pid.send(3)
        await stop(pid, "enough")
        assert heard == [1, 2]


async def test_G75_the_default_child_specification(autojump_clock: MockClock) -> None:
    class Named(GenServer):
        async def init(self, argument: object, *, option: object) -> None:
            self.got = argument, option

        async def handle_call(self, request: object, from_: object) -> Reply:
            return Reply(self.got)

    spec = Named.child_spec("argument", option="option")
    assert (spec.id, spec.restart, spec.shutdown, spec.type, spec.significant) == (
        "Named",
        "permanent",
        None,
        "worker",
        False,
    )
    assert attrs.evolve(spec, restart="transient").restart == "transient"
    async with open_runtime():
        start, args, kwargs = spec.start
        started = await start(*args, **kwargs)  # type: ignore[misc]
        assert await call(started.unwrap(), "what") == ("argument", "option")
