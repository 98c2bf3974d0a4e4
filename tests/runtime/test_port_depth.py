"""How deep ports run in one another is counted down by every way out of a port: a later message runs at once again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

from phxactor.runtime import Pid, Runtime, receive, self_pid, set_port, spawn
from phxactor.runtime._pid import PORT_DEPTH
from phxactor.testing import settle

TIMES = 2 * PORT_DEPTH


async def ported(port: Callable[[object], None]) -> None:
    set_port(port)
    await trio.sleep_forever()


async def queued_while_busy() -> None:
    """A port that sends to itself has a queue each time."""
    taken: list[object] = []

    def port(message: object) -> None:
        if message == "again":
            pid.send("queued")
        taken.append(message)

    pid = spawn(ported, port)
    await settle()
    for _ in range(TIMES):
        pid.send("again")
    assert taken == ["again", "queued"] * TIMES


async def ended_by_what_was_queued() -> None:
    """A port raises, with a message from its queue."""

    def port(message: object) -> None:
        if message == "again":
            self_pid().send("queued")
        else:
            raise ValueError(message)

    for _ in range(TIMES):
        pid = spawn(ported, port)
        await settle()
        pid.send("again")
        assert not pid.alive


async def ended_at_once() -> None:
    """A port raises."""

    def port(message: object) -> None:
        raise ValueError(message)

    for _ in range(TIMES):
        pid = spawn(ported, port)
        await settle()
        pid.send("boom")
        assert not pid.alive


async def set_behind_waiting_messages() -> None:
    """A port that is set takes what waits, as a queue."""
    for _ in range(TIMES):
        pid = spawn(ported, lambda _: None)
        pid.send("early")
        await settle()
        assert pid.statistics().length == 0


@pytest.mark.allow_leaks("servers of ports that failed on purpose")
@pytest.mark.parametrize(
    "before", [queued_while_busy, ended_by_what_was_queued, ended_at_once, set_behind_waiting_messages]
)
async def test_a_port_runs_at_once_however_many_queues_there_were(
    before: Callable[[], object], phx_runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    await before()  # type: ignore[misc]
    me = self_pid()
    last: Pid = spawn(ported, me.send)
    await settle()
    last.send("at once")
    assert me.statistics().length == 1
    assert await receive() == "at once"
    caplog.clear()
