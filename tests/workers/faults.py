"""Faults of workers, as the processes that they are: killed, stopped and starved, while a crowd chats over all of them.

A fault is a coroutine that does it, waits until all is well again, and says on which workers members may have missed
something.
"""

from __future__ import annotations

import os
import re
import resource
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from tests.demos.program import Program, serving
from tests.patience import PATIENCE
from tests.workers.crowd import Crowd, crowd, until

CHAT = Path(__file__).with_name("chat.py").read_text()

READY = re.compile(r"\(pid (\d+)\) is ready")
"""What the log of a parent says of a worker that serves."""
NUMBERED = re.compile(r"worker (\d+) \(pid (\d+)\) is ready")
GAP = re.compile(r"^.*\[worker (\d+)\] messages of \S+/(\d+) by workers were lost, within .*$", re.MULTILINE)
"""What the log of a worker says of another one whose messages it has missed."""


def in_time(seconds: float) -> float:
    """Return a limit of time: `PATIENCE` on a machine that has other things to do."""
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    return seconds if load < 1.2 else PATIENCE


def children(pid: int) -> set[int]:
    """Return the process ids of the children of a process that live."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child) for child in listed if _lives(int(child))}


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@attrs.frozen
class Fair:
    """A program with workers, and the crowd on it."""

    program: Program
    crowd: Crowd

    def workers(self) -> set[int]:
        """Return the process ids of the workers that are ready."""
        ready = {int(pid) for pid in READY.findall("".join(self.program.lines))}
        return children(self.program.process.pid) & ready

    async def all_back(self, killed: set[int], workers: int) -> None:
        """Wait until all members are there, on workers that live, of which there are so many."""
        await until(
            lambda: (
                self.crowd.all_there()
                and not self.crowd.workers().keys() & killed
                and len(self.workers() - killed) >= workers
            ),
            "all are back",
        )

    async def settle(self, *, but_on: frozenset[int] = frozenset()) -> None:
        """Wait until each hears all others in its room again, then for the last words of all.

        Until a node that was stopped is heard again, the others drop what is for it, and tell it of a gap.
        """
        said = [one.sessions[-1].said for one in self.crowd.members]
        await until(lambda: self.crowd.all_hear(said), "all hear one another again")
        self.crowd.quiet = True
        try:
            await until(
                lambda: self.crowd.all_there() and not self.crowd.missing(but_on=but_on), "the last words are not heard"
            )
        except AssertionError:
            raise AssertionError(f"{self.crowd.missing(but_on=but_on)}\n{''.join(self.program.lines)}") from None

    def check(self, *, but_on: frozenset[int] = frozenset()) -> None:
        """Check that nobody has missed anything, nor heard it twice, and that no worker crashed by itself."""
        assert self.crowd.faults(but_on=but_on) == {}
        printed = "".join(self.program.lines)
        assert "Traceback" not in printed, printed


@asynccontextmanager
async def fair(folder: Path, workers: int, members: int, interval: float = 1.0) -> AsyncIterator[Fair]:
    """Serve the chat by workers to a crowd."""
    (folder / "chat.py").write_text(CHAT)
    with serving("serve", "chat:endpoint", "--workers", str(workers), cwd=folder) as program:
        async with crowd(int(program.port), members, interval=interval) as found:
            yield Fair(program, found)


async def kill_one(it: Fair) -> frozenset[int]:
    """Kill the worker that the most members are on."""
    before = it.workers()
    served = it.crowd.workers()
    victim = max(served, key=served.__getitem__)
    os.kill(victim, signal.SIGKILL)
    await it.all_back({victim}, len(before))
    return frozenset()


async def kill_in_a_row(it: Fair, times: int = 20) -> frozenset[int]:
    """Kill workers in a row, each as soon as all members are back."""
    workers = len(it.workers())
    for _ in range(times):
        victim = min(it.crowd.workers())
        os.kill(victim, signal.SIGKILL)
        await it.all_back({victim}, 2)
    await it.all_back(set(), workers)
    return frozenset()


async def kill_all(it: Fair) -> frozenset[int]:
    """Kill all workers at once."""
    before = it.workers()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    await it.all_back(before, len(before))
    return frozenset()


async def stop_one(it: Fair, seconds: int = 20) -> frozenset[int]:
    """Stop a worker for a while: the members of the others chat on, and its own are still there afterwards.

    What the others said meanwhile, its members may miss: that is told as a gap.
    """
    victim = min(it.crowd.workers())
    sessions = [len(one.sessions) for one in it.crowd.members]
    others = [one for one in it.crowd.members if one.sessions[-1].worker != victim]
    os.kill(victim, signal.SIGSTOP)
    try:
        for _ in range(seconds):
            said = [one.sessions[-1].said for one in others]
            await trio.sleep(1)
            assert all(one.sessions[-1].said > before for one, before in zip(others, said, strict=True))
    finally:
        os.kill(victim, signal.SIGCONT)
    assert [len(one.sessions) for one in it.crowd.members] == sessions
    return frozenset({victim})


async def cut_a_line(it: Fair) -> frozenset[int]:
    """Break the line between two workers that both live, and wait until their parent has made a new one.

    What each of the two said meanwhile, members on the other may miss: that is told as a gap.
    """
    printed = "".join(it.program.lines)
    pids = {number: int(pid) for number, pid in NUMBERED.findall(printed)}
    os.kill(min(it.crowd.workers()), signal.SIGUSR1)

    def gaps() -> list[tuple[str, str]]:
        return GAP.findall("".join(it.program.lines)[len(printed) :])

    await until(lambda: len(gaps()) >= 2, "both are told of a gap")
    await trio.sleep(1.5)  # a second line would have come by then
    (one, other), second = gaps()
    assert second == (other, one)
    return frozenset({pids[one], pids[other]})


async def starve_one(it: Fair) -> frozenset[int]:
    """Leave a worker no descriptors (EMFILE) while another one is killed: the line to its successor comes later."""
    before = it.workers()
    starved, victim = sorted(it.crowd.workers())[:2]
    soft, hard = resource.prlimit(starved, resource.RLIMIT_NOFILE)
    resource.prlimit(starved, resource.RLIMIT_NOFILE, (3, hard))
    os.kill(victim, signal.SIGKILL)
    await it.all_back({victim}, len(before))
    await trio.sleep(1)
    resource.prlimit(starved, resource.RLIMIT_NOFILE, (soft, hard))
    await trio.sleep(3)  # the worker asks for the line again each second
    return frozenset()
