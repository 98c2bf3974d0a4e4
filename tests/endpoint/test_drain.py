"""Draining: who is waited for, for how long, and what is said meanwhile."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor import (
    SHUTDOWN,
    Channel,
    Down,
    DrainOptions,
    Endpoint,
    Exit,
    Exited,
    From,
    LongPollOptions,
    Ok,
    Pid,
    Socket,
    WebSocketOptions,
    call,
    channel,
    monitor,
    mount,
    on,
    open_runtime,
    receive,
    run,
    self_pid,
    spawn,
    trap_exit,
)
from phxactor.channels import Payload
from phxactor.endpoint import serve
from phxactor.endpoint._drainer import GRACE, SILENCE
from phxactor.otp import Call
from phxactor.runtime import STOP_TIMEOUT, register, set_port
from phxactor.socket import Multiplexer
from phxactor.testing import connect, settle
from tests.longpoll.polling import House, house
from tests.patience import PATIENCE
from tests.sockets.serving import Server, complaints, eventually

PATIENT = LongPollOptions(check_origin=False, window=100_000)
"""For sessions that do not end by themselves meanwhile."""


async def busy(it: House, seconds: float) -> None:
    """Have a client join a channel, and keep that busy."""
    client = await it.opened()
    await client.join("room:1")
    await client.publish(["1", "2", "room:1", "sleep", seconds])


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    return [(line.levelno, line.getMessage()) for line in complaints(caplog, logging.INFO)]


async def test_who_waits_is_told_what_for(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with house(PATIENT) as it:
        for seconds in (0.5, 3, 4):
            await busy(it, seconds)
        caplog.clear()
        caplog.set_level(logging.INFO)
        assert await it.stop() == pytest.approx(4, abs=0.1)
    assert said(caplog) == [
        (logging.INFO, "stopping; connections to drain: 3"),
        (logging.INFO, "draining; connections with busy channels: 2; waiting at most 30 s; a second Ctrl-C kills them"),
    ]


async def test_nothing_is_said_of_a_short_wait(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with house(PATIENT) as it:
        await busy(it, SILENCE / 2)
        caplog.clear()
        caplog.set_level(logging.INFO)
        await it.stop()
        await trio.sleep(SILENCE)
    assert said(caplog) == [(logging.INFO, "stopping; connections to drain: 1")]


@pytest.mark.parametrize("limit", [0.5, 5.0, 70.0])
async def test_it_ends_by_itself_at_its_limit(
    limit: float, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody has to kill the drainer, and its limit may be longer than a program has to stop by default."""
    async with house(PATIENT, drain=DrainOptions(limit=limit)) as it:
        await busy(it, 1000)
        assert await it.stop() == pytest.approx(limit, abs=0.1)
    assert said(caplog)[-1] == (
        logging.WARNING,
        f"drained for {limit:g} s; connections closed with busy channels: 1",
    )
    assert len(complaints(caplog)) == 1


async def test_without_a_limit_it_waits_for_ever(autojump_clock: MockClock) -> None:
    async with house(PATIENT, drain=DrainOptions(limit=math.inf)) as it:
        await busy(it, 200)
        assert await it.stop() == pytest.approx(200, abs=1)


@pytest.mark.parametrize("batch_size", [1, 2])
async def test_the_limit_is_that_of_all_batches(batch_size: int, autojump_clock: MockClock) -> None:
    async with house(PATIENT, drain=DrainOptions(batch_size=batch_size, interval=2, limit=3)) as it:
        for _ in range(6):
            await busy(it, 1000)
        assert await it.stop() == pytest.approx(3, abs=0.1)
        assert it.sessions() == []


@pytest.mark.parametrize("stop_timeout", [None, 7.0])
def test_a_program_has_the_time_that_its_endpoint_needs(
    stop_timeout: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[object, object]] = []
    monkeypatch.setattr("phxactor.runtime.run", lambda main, *_, **options: given.append((main, options)))
    run(Endpoint(drain=DrainOptions(limit=300)), stop_timeout=stop_timeout)
    run(trio.sleep_forever, stop_timeout=stop_timeout, collector="python")
    default = stop_timeout is None
    common = {"stuck_after": 1, "parent": False}
    assert given == [
        (serve, {"stop_timeout": STOP_TIMEOUT + 300 if default else 7, "collector": "processes", **common}),
        (trio.sleep_forever, {"stop_timeout": STOP_TIMEOUT if default else 7, "collector": "python", **common}),
    ]
    assert STOP_TIMEOUT > GRACE


# ------------------------------------------------------------------------------------------------------ events


async def late() -> None:
    """Answer a call after three seconds."""
    while True:
        asked = await receive()
        if type(asked) is Call:
            await trio.sleep(3)
            asked.from_.reply("late")


class Asking(Channel):
    """Waits for its own work, or for another process."""

    @on("work")
    async def work(self, seconds: float) -> Ok[str]:
        await trio.sleep(seconds)
        return Ok("done")

    @on("ask")
    async def ask(self, payload: Payload) -> Ok[object]:
        return Ok(await call("late", "question", timeout=None))


class Ported:
    """A custom channel that takes its messages by a port, and has nothing to do."""

    @classmethod
    def start_link(cls, arguments: tuple[Any, From, Socket]) -> Ok[Pid]:
        return Ok(self_pid().runtime.spawn(cls.run, *arguments, link=True))

    @staticmethod
    async def run(_: object, from_: From, socket: Socket) -> None:
        def port(message: object) -> None:
            if type(message) is Down:
                raise Exit(SHUTDOWN)

        monitor(socket.transport_pid)
        set_port(port)
        from_.reply(Ok())
        await trio.sleep_forever()


class AskingSocket(Socket, log=False):
    """Joins what asks, and what takes its messages by a port."""

    channels = (channel("asking:*", Asking), channel("ported:*", Ported))


@pytest.mark.parametrize("event", ["work", "ask"])
async def test_a_client_has_its_answer_before_it_is_closed(event: str, autojump_clock: MockClock) -> None:
    """A channel that waits for an answer itself is not done, though it waits for a message."""
    endpoint = Endpoint(sockets=[mount("/socket", AskingSocket)])
    async with open_runtime():
        trap_exit()
        register("late", spawn(late))
        tree = (await endpoint.start_link(server=False)).unwrap()
        client = await connect(AskingSocket, endpoint=endpoint)
        room = await client.join("asking:1")
        await client.join("ported:1")
        ref = room.push(event, 3)
        await settle()
        began = trio.current_time()
        tree.exit(SHUTDOWN)
        await room.assert_reply(ref, "ok", within=4)
        await receive(lambda message: type(message) is Exited)
        assert trio.current_time() - began == pytest.approx(3, abs=0.1)


async def test_nobody_looks_at_channels_that_are_busy(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are looked at when something has happened, however long it takes."""
    looks: list[None] = []
    drained = Multiplexer.drained

    def counted(self: Multiplexer) -> bool:
        looks.append(None)
        return drained(self)

    monkeypatch.setattr(Multiplexer, "drained", counted)
    async with house(PATIENT, drain=DrainOptions(limit=1000)) as it:
        for _ in range(5):
            await busy(it, 500)
        assert await it.stop() == pytest.approx(500, abs=1)
        assert it.sessions() == []
    assert len(looks) <= 3 * 5


@pytest.mark.socket
@pytest.mark.parametrize("compress", [False, True])
async def test_a_client_that_sends_and_leaves_is_waited_for_no_longer(compress: bool) -> None:
    """Nothing that it sends is taken any more; that it leaves is noticed behind it."""
    options = WebSocketOptions(compress=compress)
    endpoint = Endpoint(sockets=[mount("/socket", AskingSocket, websocket=options)], drain=DrainOptions(limit=600))
    async with open_runtime() as runtime:
        trap_exit()
        tree = (await endpoint.start_link(port=0)).unwrap()
        serving = endpoint.serving
        client = await Server(endpoint, runtime).connect(compress=compress)
        assert await client.ask(["1", "1", "asking:1", "phx_join", {}])
        await client.send('["1","2","asking:1","work",3600]')
        await eventually(lambda: any(pid.initial_call.startswith("Asking") for pid in runtime.processes.values()))
        await wait_all_tasks_blocked(0.05)
        tree.exit(SHUTDOWN)
        await eventually(lambda: serving.draining)
        await wait_all_tasks_blocked(0.05)
        await client.send('["1","3","asking:1","work",3600]')
        await wait_all_tasks_blocked(0.05)
        await client.abort()
        with trio.fail_after(PATIENCE):
            await runtime.ended(tree)
