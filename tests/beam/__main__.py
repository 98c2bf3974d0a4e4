"""Play random programs on this runtime and on the BEAM, and tell where the two differ."""

from __future__ import annotations

import itertools
import json
import logging
import sys
from argparse import ArgumentParser
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Final, TypeAlias

from tests.beam.machines import Verdict, available, beam
from tests.beam.programs import program
from tests.beam.shrink import shrink
from tests.oracle.programs import SAMPLE, Program, Source, load

BATCH: Final = 200
ATTEMPTS: Final = 3
"""So often the record and what disagrees are tried: a busy machine may make something look quiet that is not."""
AHEAD: Final = 2
"""So many batches are with the BEAM, or wait for it."""
SHRUNK: Final = 5
"""So many disagreements are made short: those that follow mostly have the same cause."""

Observe: TypeAlias = Callable[[Sequence[Source]], list[Verdict]]


def main(seed: int, count: int, path: Path | None) -> int:
    """Play so many programs; returns the exit code."""
    if not available():
        print("test-beam: skipped, as there is no elixir, and only root on Debian can have it installed here")
        return 0
    start = monotonic()
    verdicts: list[Verdict] = []
    wrong: list[Program] = []
    compared = 0
    with beam() as observe:
        recorded = load(SAMPLE)
        unlike = unlike_record(recorded, observe)
        print(f"the record: {len(recorded) - len(unlike)} of {len(recorded)} programs play as recorded", flush=True)
        for batch in batches(observe, seed, count):
            verdicts += batch
            wrong += [verdict.program for verdict in batch if differences(verdict.program)]
            compared = sum(bool(verdict.observed) for verdict in verdicts)
            print(f"{compared} of {count} compared, {len(wrong)} disagree, {monotonic() - start:.0f} s", flush=True)
        wrong = each_time(wrong, observe)
        for program in wrong[:SHRUNK]:
            tell(program, observe)
    print(what_is_determined(verdicts))
    if path is not None:
        path.write_text(json.dumps([record(verdict.program) for verdict in verdicts if verdict.observed]))
    print(f"{compared - len(wrong)} of {compared} agree")
    return 1 if wrong or unlike else 0


def unlike_record(programs: Sequence[Program], observe: Observe) -> list[Program]:
    """Play what is on record, and return what goes otherwise: who plays all that right may be believed about more."""
    unlike = list(programs)
    for _ in range(ATTEMPTS):
        verdicts = observe([program.source for program in unlike])
        unlike = [
            program for program, verdict in zip(unlike, verdicts, strict=True) if verdict.observed != program.observed
        ]
        if not unlike:
            break
    return unlike


def each_time(wrong: Sequence[Program], observe: Observe) -> list[Program]:
    """Have the BEAM play them again; return those about which it disagrees each time, and not by a schedule only."""
    left = list(wrong)
    for _ in range(ATTEMPTS):
        if not left:
            break
        left = [verdict.program for verdict in observe([program.source for program in left])]
        left = [program for program in left if differences(program)]
    return left


def batches(observe: Observe, seed: int, count: int) -> Iterator[list[Verdict]]:
    """Play batch after batch, until so many programs can be compared: of a few not even the first step is determined.

    The BEAM plays the next batch while the caller is busy with the last.
    """
    numbers, wanted = itertools.count(), count
    with ThreadPoolExecutor(1) as pool:
        playing: deque[tuple[int, Future[list[Verdict]]]] = deque()
        while wanted > 0 or playing:
            while wanted > 0 and len(playing) < AHEAD:
                batch = [program(seed, next(numbers)) for _ in range(min(wanted, BATCH))]
                playing.append((len(batch), pool.submit(observe, batch)))
                wanted -= len(batch)
            size, played = playing.popleft()
            verdicts = played.result()
            wanted += size - sum(bool(verdict.observed) for verdict in verdicts)
            yield verdicts


def differences(program: Program) -> list[str]:
    """Play a program here, by both orders of tasks."""
    return program.differences() or program.differences(backwards=True)


def tell(wrong: Program, observe: Observe) -> None:
    """Show a disagreement, made as short as it gets."""

    def disagree(sources: Sequence[Source]) -> list[bool]:
        return [bool(differences(verdict.program)) for verdict in observe(sources)]

    (verdict,) = observe([shrink(wrong.source, disagree)])
    print(json.dumps(record(verdict.program)))
    for line in differences(verdict.program) or ["(not every time)"]:
        print(f"  {line}")


def record(program: Program) -> Source:
    """Write a program with what was observed, as files of programs have it."""
    return {**program.source, "observed": program.observed}


def what_is_determined(verdicts: Sequence[Verdict]) -> str:
    """Say how much of the programs the BEAM determines."""
    whole = sum(verdict.whole for verdict in verdicts)
    restless = sum(not verdict.quiet for verdict in verdicts)
    steps = sum(len(verdict.source["steps"]) for verdict in verdicts)
    compared = sum(len(verdict.observed) for verdict in verdicts)
    return (
        f"compared: {compared} of {steps} steps; {whole} programs to the end, {len(verdicts) - whole} up to a step "
        f"that the BEAM does in more than one way, {restless} of them never quiet"
    )


if __name__ == "__main__":
    parser = ArgumentParser(prog="python -m tests.beam", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another seed, other programs (default: 1)")
    parser.add_argument("--count", type=int, default=2000, help="how many programs (default: 2000)")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="keep them, to be played by `python -m tests.oracle FILE`"
    )
    arguments = parser.parse_args()
    logging.disable()  # that processes crash is what they are for
    sys.exit(main(arguments.seed, arguments.count, arguments.write))
