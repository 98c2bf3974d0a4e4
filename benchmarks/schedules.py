"""How well schedules find bugs, and what a play costs: the tables of docs/benchmarks.md.

python -m benchmarks.schedules            all tables: two minutes
python -m benchmarks.schedules --quick    fewer plays

Three processes of 26 steps mark each of their steps. A bug of depth d shows itself if d pairs of steps come in one
order. "PCT by hand" is a model of PCT alone (Burckhardt et al., ASPLOS 2010), of three depths, that knows the length of
the program; the portfolio of `Schedule(n)` does not.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final

import trio
from hypothesis import HealthCheck, Phase, given, seed, settings
from trio.lowlevel import checkpoint
from trio.testing import MockClock

from phxactor.otp import GenServer, Reply, call
from phxactor.runtime import From, monitor, open_runtime, receive, spawn
from phxactor.testing.exploration import Guide, Played, Playground, portfolio
from phxactor.testing.exploration._guides import Pct
from phxactor.testing.explore import explore
from phxactor.testing.schedule import Schedule
from phxactor.testing.strategies import schedule

Program = Callable[[], Awaitable[object]]
Step = tuple[int, int]

PROCESSES: Final = 3
STEPS: Final = 26
BUGS: Final[dict[int, list[tuple[Step, Step]]]] = {
    1: [((1, 20), (0, 6))],
    2: [((0, 8), (1, 14)), ((1, 15), (0, 10))],
    3: [((0, 6), (1, 10)), ((1, 11), (2, 12)), ((2, 13), (0, 9))],
}
"""By depth: pairs of steps (process, number), of which the first has to come before the second."""


def program(depth: int) -> Program:
    """Make the program with a bug of this depth."""

    async def main() -> None:
        log: dict[Step, int] = {}

        async def work(number: int) -> None:
            for step in range(STEPS):
                log[number, step] = len(log)
                await checkpoint()

        for number in range(PROCESSES):
            monitor(spawn(work, number))
        for _ in range(PROCESSES):
            await receive()
        assert not all(log[before] < log[after] for before, after in BUGS[depth]), f"a bug of depth {depth}"  # noqa: S101

    return main


def fails(play: Callable[[], object]) -> bool:
    """Return whether a play shows the bug."""
    try:
        play()
    except AssertionError:
        return True
    return False


def played_by(ground: Playground, guide: Guide) -> Played:
    """Play once, as a guide wants."""
    return ground.play(lambda _, options: guide.pick(options))


def shares(plays: int) -> list[list[str]]:
    """Count the plays that show each bug."""
    rows = []
    guides: list[tuple[str, Callable[[int], Guide]]] = [
        ("`Schedule(n)`", lambda number: portfolio(number, Random(number))),  # noqa: S311
        ("PCT by hand, d = 1", lambda number: Pct(Random(number), 1, PROCESSES * STEPS)),  # noqa: S311
        ("PCT by hand, d = 2", lambda number: Pct(Random(number), 2, PROCESSES * STEPS)),  # noqa: S311
        ("PCT by hand, d = 3", lambda number: Pct(Random(number), 3, PROCESSES * STEPS)),  # noqa: S311
        ("first come, first served", lambda number: portfolio(0, Random(number))),  # noqa: S311
    ]
    for name, pick in guides:
        row = [name]
        for depth in BUGS:
            ground = Playground(program(depth), timeouts=0)
            found = 0
            with ground.open():
                for number in range(plays):
                    found += played_by(ground, pick(number)).error is not None
            row.append(f"{100 * found / plays:.1f} %")
        rows.append(row)
    return rows


def first_finds(starts: int) -> list[str]:
    """Count the plays of Hypothesis to the first find, for each bug."""
    row = [f"Hypothesis `schedule()`, plays to the first find, {starts} starts"]
    for depth in BUGS:
        finds = [_first_find(depth, start) for start in range(starts)]
        found = sorted(find for find in finds if find is not None)
        middle, worst = (found[len(found) // 2], found[-1]) if found else ("-", "-")
        row.append(f"{middle} (worst {worst}; {len(found)} of {starts})")
    return row


def _first_find(depth: int, start: int) -> int | None:
    plays = 0
    first: int | None = None

    @seed(start)
    @settings(
        max_examples=300, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(schedule())
    def look(order: Schedule) -> None:
        nonlocal plays, first
        plays += 1
        if fails(lambda: order.run_once(program(depth))) and first is None:
            first = plays

    look()
    return first


def bounded() -> list[str]:
    """Count the plays of `explore` with a bound, to the first find."""
    row = ["`explore(main, preemptions=3)`, plays to the first find"]
    for depth in BUGS:
        lines = ""
        try:
            explore(program(depth), preemptions=3, timeouts=0)
        except AssertionError as error:
            lines = error.__notes__[-1]
        passed = lines.split()[1]
        row.append(str(int(passed) + 1) if passed.isdigit() else "1")
    return row


class Counter(GenServer):
    """Counts."""

    async def init(self) -> None:
        """Start at 0."""
        self.count = 0

    async def handle_call(self, request: object, from_: From) -> Reply:
        """Count one more."""
        self.count += 1
        return Reply(self.count)


async def two_callers() -> None:
    """Two processes call a server: a small program."""
    counter = (await Counter.start_link()).unwrap()

    async def caller() -> None:
        await call(counter, "next")

    for _ in range(2):
        monitor(spawn(caller))
    for _ in range(2):
        await receive()


def speeds(plays: int) -> list[list[str]]:
    """Measure the plays per second of CPU time, in several ways."""

    async def plain() -> None:
        async with open_runtime():
            await two_callers()

    def by_trio() -> None:
        for _ in range(plays):
            trio.run(plain, clock=MockClock(autojump_threshold=0))

    def by_numbers() -> None:
        for number in range(plays):
            Schedule(number).run(two_callers)

    def exploring() -> None:
        ground = Playground(two_callers, timeouts=0)
        with ground.open():
            for number in range(plays):
                played_by(ground, portfolio(number, Random(number)))  # noqa: S311

    rows, base = [], 0.0
    for name, work in (
        ("trio alone, with its mock clock", by_trio),
        ("`Schedule(n).run(main)`, with its trace", by_numbers),
        ("plays of `explore`", exploring),
    ):
        work()
        began = time.process_time()
        work()
        each = (time.process_time() - began) / plays
        base = base or each
        rows.append([name, f"{1 / each:,.0f}", f"{each / base:.1f}"])
    return rows


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.schedules", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--quick", action="store_true", help="fewer plays, to see that it works")
    quick = parser.parse_args().quick
    print(table(["share of plays that show a bug of depth", "1", "2", "3"], shares(100 if quick else 2000)))
    print()
    print(table(["", "1", "2", "3"], [first_finds(2 if quick else 10), bounded()]))
    print()
    print(table(["a small program", "plays per second of CPU", "times the first"], speeds(50 if quick else 500)))


if __name__ == "__main__":
    main()
