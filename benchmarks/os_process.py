"""A process as the kernel accounts for it: CPU time, time spent waiting for a core, memory. Linux only."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs


@attrs.frozen
class OsProcess:
    """Any process of this machine that is there."""

    pid: int

    def cpu_ns(self) -> int:
        """Return the CPU time so far, user and system, of all its threads, also those that have ended.

        From its own clock, to the nanosecond; the number of that clock is as clock_getcpuclockid(3) makes it.
        """
        return time.clock_gettime_ns((~self.pid << 3) | 2)

    def waited_ns(self) -> int:
        """Return for how long its main thread could have run, while others had the core."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[1])

    def rss_kb(self) -> float:
        """Return its resident memory."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * resource.getpagesize() / 1024

    def children(self) -> tuple[OsProcess, ...]:
        """Return its children, such as the workers of a parent."""
        found = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return tuple(OsProcess(int(each)) for each in found)


@attrs.frozen
class OsProcesses:
    """Several processes as one, such as the workers of one parent."""

    of: tuple[OsProcess, ...]

    def cpu_ns(self) -> int:
        """Return the CPU time of all together."""
        return sum(one.cpu_ns() for one in self.of)

    def waited_ns(self) -> int:
        """Return for how long their main threads could have run, while others had the cores."""
        return sum(one.waited_ns() for one in self.of)

    def rss_kb(self) -> float:
        """Return the resident memory of all; what they share counts for each."""
        return sum(one.rss_kb() for one in self.of)


@attrs.frozen
class Cores:
    """Where what is measured runs, and where what drives it does."""

    server: int
    load: int
    realtime: bool = False
    """Whether we may keep others off them while something is measured: as root."""

    @property
    def apart(self) -> bool:
        """Whether each has its own."""
        return self.server != self.load

    @contextmanager
    def children_on(self, core: int) -> Iterator[None]:
        """Have what is started in the block run on a core, all its threads, and before others if that is allowed.

        They inherit it from us; for that moment we run there too.
        """
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {core})
        if self.realtime:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        try:
            yield
        finally:
            if self.realtime:
                os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
            os.sched_setaffinity(0, before)


def cores() -> Cores:
    """Choose from the cores that we may use; the first one has most of the machine's interrupts, so it drives."""
    allowed = sorted(os.sched_getaffinity(0))
    return Cores(server=allowed[-1], load=allowed[0], realtime=len(allowed) > 1 and _realtime_allowed())


@contextmanager
def realtime() -> Iterator[None]:
    """Run before others for a while, if that is allowed."""
    allowed = _realtime_allowed()
    if allowed:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    try:
        yield
    finally:
        if allowed:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _realtime_allowed() -> bool:
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        return False
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


def raise_file_limit() -> None:
    """Allow as many open files as the system lets us, here and in what is started from here."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
