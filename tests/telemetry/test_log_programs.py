"""Programs whose log nobody reads, or is slow, or fails: they serve, and they end."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import attrs
import pytest
import trio

from phxactor.telemetry._log_limits import FEW
from tests.conformance.client import Client
from tests.demos.program import LISTENING, ROOT, environment
from tests.patience import PATIENCE

pytestmark = [
    pytest.mark.socket,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the size of a pipe is set as Linux has it"),
]

PROGRAM: Final = Path(__file__).with_name("crashing.py")
SMALL: Final = 4096
"""Bytes that the pipe takes which nobody reads."""
CRASHES: Final = 100


@attrs.frozen
class Crashing:
    """The program, and a client that sees whether it serves."""

    process: subprocess.Popen[bytes]
    url: str
    bystander: Client

    async def crash(self, times: int = CRASHES) -> None:
        """Have a client's channel crash again and again, as phoenix.js joins again and again."""
        async with await Client.open(self.url) as client:
            for number in range(times):
                ref = str(number)
                await client.ask([ref, ref, "room:1", "phx_join", {}])
                await client.ask([ref, ref, "room:1", "crash", {}])

    async def warn(self, times: int) -> None:
        """Have warnings of many kinds."""
        for number in range(times):
            async with await Client.open(self.url) as client:
                await client.send(f"not json {number}")
                await client.until_closed()

    async def serves(self) -> None:
        """See that others are served."""
        assert await self.bystander.ask(["1", "2", "room:0", "echo", [1]]) == [
            "1", "2", "room:0", "phx_reply", {"status": "ok", "response": [1]}
        ]  # fmt: skip

    async def tell(self, *numbers: signal.Signals) -> int:
        """Send signals; returns the exit code."""
        for number in numbers:
            self.process.send_signal(number)
            await trio.sleep(0.1)
        with trio.fail_after(PATIENCE):
            return await trio.to_thread.run_sync(self.process.wait)

    def read(self) -> str:
        """Read all that it has written since."""
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()


@asynccontextmanager
async def crashing(*arguments: str, command: tuple[str, ...] = (str(PROGRAM),)) -> AsyncIterator[Crashing]:
    pipe = subprocess.PIPE
    process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
        [sys.executable, *command, *arguments], stdout=pipe, stderr=pipe, cwd=ROOT, env=environment()
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        fcntl.fcntl(process.stderr, fcntl.F_SETPIPE_SZ, SMALL)
        try:
            out = process.stderr if "serve" in arguments else process.stdout
            line = ""
            while LISTENING not in line:
                line = (await trio.to_thread.run_sync(out.readline)).decode()
                assert line
            url = line.partition(LISTENING)[2].strip().replace("http", "ws") + "/socket/websocket?vsn=2.0.0"
            async with await Client.open(url) as bystander:
                await bystander.ask(["1", "1", "room:0", "phx_join", {}])
                yield Crashing(process, url, bystander)
        finally:
            process.kill()


LOGS: Final[list[tuple[str, ...]]] = [
    ("stderr",),
    ("nothing",),
    ("non-blocking",),
    ("sleeps", "0.3"),
    ("sleeps", "999"),
]


@pytest.mark.parametrize("log", LOGS)
async def test_a_log_that_nobody_reads_stops_nothing(log: tuple[str, ...]) -> None:
    async with crashing(*log) as program:
        await program.crash()
        await program.warn(150)
        await program.serves()
        assert await program.tell(signal.SIGTERM) == 0
        assert program.process.stdout is not None
        assert program.process.stdout.read() == b"stopped\n"


async def test_the_command_line_blocks_for_no_log_not_even_for_the_programs_own() -> None:
    serve = ("-m", "phxactor.cli", "serve", "tests.telemetry.crashing:endpoint", "--port", "0")
    async with crashing(*serve, command=()) as program:
        await program.crash()
        await program.bystander.send(["1", "1", "room:0", "own", 2000])
        await program.serves()
        assert await program.tell(signal.SIGTERM) == 0


async def test_a_second_signal_ends_it_too() -> None:
    async with crashing("stderr") as program:
        await program.crash()
        await program.warn(150)
        assert await program.tell(signal.SIGTERM, signal.SIGTERM) in (1, -signal.SIGTERM)


async def test_what_waits_is_written_once_somebody_reads_and_crashes_are_counted() -> None:
    async with crashing("stderr") as program:
        await program.crash()
        await program.serves()
        async with trio.open_nursery() as nursery:
            read: list[str] = []

            async def read_all() -> None:
                read.append(await trio.to_thread.run_sync(program.read))

            nursery.start_soon(read_all)
            assert await program.tell(signal.SIGTERM) == 0
    lines = read[0].splitlines()
    crashes = [line for line in lines if line.startswith("ERROR:phxactor.channel.crashed:")]
    assert len(crashes) == FEW + 1
    assert crashes[-1].endswith(
        f"{CRASHES - FEW} more like this were left out, within 10 s: {crashes[0].split(':', 2)[2]}"
    )
    assert read[0].count(f"ValueError: {'x' * 100}\n") == FEW
    assert "INFO:phxactor.endpoint.draining:stopping; connections to drain: 1" in lines


async def test_a_forked_child_writes_no_log(tmp_path: Path) -> None:
    program = """
        import logging, os, sys, trio
        import phxactor
        from phxactor.runtime import events

        logging.basicConfig(level=logging.INFO)

        async def main():
            for number in range(3):
                events.timer_failed.emit(exception=ValueError(f"waits {number}"))
            pid = os.fork()
            if pid == 0:
                phxactor.spawn(main)
                os._exit(0 if not len(phxactor.telemetry._log_writer.WRITER.queue) else 1)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

        phxactor.run(main)
    """
    import textwrap  # noqa: PLC0415

    done = await trio.run_process(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)],
        capture_stdout=True,
        capture_stderr=True,
        env=environment(),
    )
    assert done.stdout == b"0\n"
    assert [done.stderr.count(f"waits {number}".encode()) for number in range(3)] == [1, 1, 1]


async def test_an_exit_waits_for_the_last_lines() -> None:
    program = """
        import logging, sys, time
        import phxactor
        from phxactor.runtime import events

        class Slow(logging.Handler):
            def emit(self, record):
                time.sleep(0.05)
                print(record.getMessage(), flush=True)

        logging.basicConfig(level=logging.INFO, handlers=[Slow()])
        events.timer_failed.emit(exception=ValueError("told"))
        sys.exit(3)
    """
    import textwrap  # noqa: PLC0415

    done = await trio.run_process(
        [sys.executable, "-c", textwrap.dedent(program)], capture_stdout=True, check=False, env=environment()
    )
    assert (done.returncode, done.stdout) == (3, b"the callback of a timer raised\n")
