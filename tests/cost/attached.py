"""What an echo costs while something is attached: instructions, and processor time beside that without, in one run.

It is a program: python -m tests.cost.attached
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from statistics import median
from time import process_time
from typing import Final

import trio
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from phxactor.metrics import install, uninstall
from phxactor.opentelemetry import start_tracing, stop_tracing
from tests.cost.operations import OWN, counted, crowd

TURNS: Final = 300
ROUNDS: Final = 15
Attaching = Callable[[], AbstractContextManager[None]]


@contextmanager
def metrics() -> Iterator[None]:
    """Attach all metrics for the length of the block."""
    install()
    try:
        yield
    finally:
        uninstall()


async def instructions(attaching: Attaching = nullcontext) -> int:
    """Count the instructions of an echo."""
    async with crowd(*OWN) as there:
        with attaching():
            return await counted(there.echo)


async def ratio(attaching: Attaching) -> float:
    """Return how much more processor time an echo takes, its client included: 0.1 for a tenth; the median of rounds."""
    found = []
    async with crowd(*OWN) as there:
        for number in range(2 * ROUNDS + 1):
            with nullcontext() if number % 2 else attaching():
                began = process_time()
                for _ in range(TURNS):
                    await there.echo()
                found.append(process_time() - began)
    return median(found[2 * n] / ((found[2 * n - 1] + found[2 * n + 1]) / 2) - 1 for n in range(1, ROUNDS))


async def main() -> None:
    """Print both for all that can be attached."""
    without = await instructions()
    for name, attaching in ATTACHED.items():
        count, more = await instructions(attaching), await ratio(attaching)
        print(f"{name}: {count} instructions, {count / without - 1:.1%} more; {more:.1%} more processor time")


@contextmanager
def traces() -> Iterator[None]:
    """Trace one message in a hundred for the length of the block, into the memory."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
    start_tracing(sample=0.01, tracer_provider=provider)
    try:
        yield
    finally:
        stop_tracing()
        provider.shutdown()


ATTACHED: Final[dict[str, Attaching]] = {"metrics": metrics, "traces": traces}

if __name__ == "__main__":
    trio.run(main)
