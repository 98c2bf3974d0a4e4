"""What it costs others when a client's channel crashes again and again: by its log, read or not."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from functools import partial
from typing import Any

import attrs
import pytest
import trio

from phxactor.telemetry._log_limits import FEW, WHILE
from tests.attacks.target import MARKS, MEGABYTE, Target, running
from tests.attacks.test_work import MOST_WORK, work_of_an_echo
from tests.patience import PATIENCE

pytestmark = MARKS

CRASHES = 200
KINDS = 2
"""Messages that a crash logs: the channel's, and its supervisor's."""
SMALL = 4096
"""Bytes that the pipe takes which nobody reads."""
LITTLE = 8 * MEGABYTE
"""What the program grows by in any case."""


@attrs.frozen
class Harm:
    """What the crashes have cost."""

    crashes: int
    """Of one channel; each was answered."""
    echo: float
    """Seconds of work between a message of another client and its answer, at the most."""
    grown: int
    """Bytes of memory."""
    lines: int
    """Lines in the log that begin a message."""
    seconds: float
    """Seconds that the crashes took."""
    code: int
    """What the program ended with, told by SIGTERM."""
    end: float
    """Seconds that its end took."""


async def harm_of(crashes: int, *, read: bool) -> Harm:
    """Have the channel of one client crash so often, then end the program; its log is read meanwhile, or not."""
    with running(stderr=subprocess.PIPE) as target:
        log = target.process.stderr
        assert log is not None
        written: list[bytes] = []
        async with trio.open_nursery() as nursery:
            if read:
                nursery.start_soon(_read_all, log.fileno(), written)
            else:
                fcntl.fcntl(log, fcntl.F_SETPIPE_SZ, SMALL)
            before, began, works = await target.at_rest(), trio.current_time(), []
            bystander = await target.connect("/close")
            await bystander.ask(["1", "1", "room:1", "phx_join", {}])
            await work_of_an_echo(target, bystander)
            client = await target.connect("/close")
            for number in range(crashes):
                await _crash(client, str(number))
                if number % 10 == 0:
                    works.append(await work_of_an_echo(target, bystander))
            seconds = trio.current_time() - began
            grown = await target.at_rest() - before
            for one in (client, bystander):
                await trio.aclose_forcefully(one.stream)
            code, end = await _end(target)
            if not read:
                await _read_all(log.fileno(), written)
        log.close()
    lines = sum(line.startswith((b"ERROR:", b"CRITICAL:")) for line in b"".join(written).splitlines())
    return Harm(crashes, max(works), grown, lines, seconds, code, end)


async def _crash(client: Any, ref: str) -> None:  # noqa: ANN401
    assert (await client.ask([ref, ref, "room:1", "phx_join", {}]))[4]["status"] == "ok"
    assert (await client.ask([ref, ref, "room:1", "crash", {}]))[3] == "phx_error"


async def _read_all(descriptor: int, written: list[bytes]) -> None:
    while some := await trio.to_thread.run_sync(os.read, descriptor, 65536):
        written.append(some)


async def _end(target: Target) -> tuple[int, float]:
    began = trio.current_time()
    target.process.send_signal(signal.SIGTERM)
    with trio.fail_after(PATIENCE):
        code = await trio.to_thread.run_sync(target.process.wait)
    return code, trio.current_time() - began


@pytest.mark.parametrize("read", [False, True], ids=["that nobody reads", "that is read"])
async def test_crashes_cost_others_little_by_a_log(read: bool) -> None:
    harm = await harm_of(CRASHES, read=read)
    assert harm.code == 0
    assert harm.echo < MOST_WORK
    assert harm.grown < LITTLE
    assert harm.lines <= KINDS * (FEW + 1) * (harm.seconds // WHILE + 1)


async def print_figures(count: str = str(10 * CRASHES)) -> None:
    """Print what so many crashes cost."""
    for read in (False, True):
        harm = await harm_of(int(count), read=read)
        print(  # noqa: T201 - its purpose
            f"{harm.crashes} crashes in {harm.seconds:.1f} s, log {'read' if read else 'unread'}: "
            f"echo {1000 * harm.echo:.1f} ms, {harm.grown / MEGABYTE:.1f} MB, {harm.lines} lines, "
            f"code {harm.code} {harm.end:.1f} s after SIGTERM"
        )


if __name__ == "__main__":
    trio.run(partial(print_figures, *sys.argv[1:]))
