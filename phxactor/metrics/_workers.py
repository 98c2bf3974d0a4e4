"""The metrics of all workers of a parent: a scrape reaches any one of them, which asks the others.

    scraper ──▶ worker 2 ── a Unix socket of each other worker ──▶ its metrics as JSON
                  └── all samples, each with the label `worker`; nothing is summed

The sockets stand in the folder of the parents' admin sockets, which only the same user may enter. A worker that does
not answer in a second has only `phxactor_worker_up` with the value 0.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs
import orjson
import trio
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from phxactor.cluster.carriers.workers import this_worker
from phxactor.metrics._collector import prepare
from phxactor.net import identify, open_unix, remove_unix
from phxactor.net.events import listening
from phxactor.runtime import current_runtime
from phxactor.telemetry import Event
from phxactor.workers import FolderError, folder

SECONDS: Final = 1.0
"""Seconds that a worker has to answer another."""
MOST: Final = 32 * 1024 * 1024
"""Bytes of a worker's answer at most."""


@attrs.frozen
class Answer:
    """What a worker says."""

    number: int
    generation: int
    families: list[Metric]


@attrs.frozen
class Families(Collector):
    """Metrics that are there already."""

    families: list[Metric]

    def collect(self) -> Iterator[Metric]:
        """Return them."""
        return iter(self.families)


_announced: Final[list[CollectorRegistry]] = []
"""The registry that this worker shows to the others: the first that is mounted."""


def announce(registry: CollectorRegistry) -> None:
    """Have a worker answer the others from when it listens on; in any other process do nothing."""
    if this_worker() is None or _announced:
        return
    _announced.append(registry)

    def start(_: Event, __: Mapping[str, object]) -> None:
        listening.detach(start)
        current_runtime().start_task(_serve, registry, name="phxactor metrics")

    listening.attach(start)


def _path(pid: int) -> Path:
    return folder() / f"{os.getppid()}-{pid}.metrics"


async def _serve(registry: CollectorRegistry) -> None:
    """Answer the other workers: the body of a task, which ends with the runtime."""
    try:
        path = str(_path(os.getpid()))
        sock = open_unix(path, 0o600, 16)
        identity = identify(path)
    except (OSError, FolderError):
        return  # then the others show this worker as down, and it is scraped only when it is reached itself
    try:
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
        while True:
            stream = await listener.accept()
            with trio.move_on_after(SECONDS):
                async with stream:
                    try:
                        await prepare(registry)
                        await stream.send_all(_encoded(registry))
                    except (trio.BrokenResourceError, trio.ClosedResourceError):
                        continue
    finally:
        sock.close()
        remove_unix(path, identity)


def _encoded(registry: CollectorRegistry) -> bytes:
    worker = this_worker()
    assert worker is not None  # noqa: S101 - only workers serve
    families = [
        [one.name, one.documentation, one.type, [[s.name, s.labels, s.value] for s in one.samples]]
        for one in registry.collect()
    ]
    return orjson.dumps([worker.configure.number, worker.configure.generation, families])


def _decoded(data: bytes) -> Answer:
    """Read an answer. Raises ValueError, TypeError or LookupError if it is none."""
    number, generation, families = orjson.loads(data)
    made = []
    for name, text, kind, samples in families:
        family = Metric(name, text, kind)
        family.samples = [
            Sample(one, labels, float("nan") if value is None else value) for one, labels, value in samples
        ]
        made.append(family)
    return Answer(number, generation, made)


async def merged(registry: CollectorRegistry) -> Collector:
    """Return what a scrape shows: the registry, or in a worker those of all workers of the same parent."""
    worker = this_worker()
    if worker is None:
        return registry
    answers = [Answer(worker.configure.number, worker.configure.generation, list(registry.collect()))]
    async with trio.open_nursery() as nursery:

        async def ask(path: Path) -> None:
            answer = await _asked(path)
            if answer is not None:
                answers.append(answer)

        for path in sorted(folder().glob(f"{os.getppid()}-*.metrics")):
            if path != _path(os.getpid()):
                nursery.start_soon(ask, path)
    return Families(_labelled(answers, worker.configure.workers))


async def _asked(path: Path) -> Answer | None:
    """Ask a worker; None if it does not answer. The socket of one that was killed is removed."""
    data = bytearray()
    with trio.move_on_after(SECONDS):
        try:
            async with await trio.open_unix_socket(path) as stream:
                async for piece in stream:
                    data += piece
                    if len(data) > MOST:
                        return None
            return _decoded(bytes(data))
        except ConnectionRefusedError:
            os.unlink(path)  # noqa: PTH108 - the file of a socket: it takes no time
        except (OSError, trio.BrokenResourceError, ValueError, TypeError, LookupError):
            return None
    return None


def _labelled(answers: list[Answer], workers: int) -> list[Metric]:
    """Give each sample the label `worker`: its number, or that and `draining` if another has taken its place."""
    families: dict[str, Metric] = {}
    up = GaugeMetricFamily("phxactor_worker_up", "Whether the worker has answered", labels=["worker"])
    newest: dict[int, int] = {}
    for answer in answers:
        newest[answer.number] = max(newest.get(answer.number, 0), answer.generation)
    for answer in sorted(answers, key=lambda one: (one.number, -one.generation)):
        current = answer.generation == newest[answer.number]
        name = str(answer.number) if current else f"{answer.number} of generation {answer.generation}"
        up.add_metric([name], 1)
        for family in answer.families:
            known = families.get(family.name)
            if known is None:
                known = families[family.name] = Metric(family.name, family.documentation, family.type)
            known.samples += [one._replace(labels={**one.labels, "worker": name}) for one in family.samples]
    for number in range(1, workers + 1):
        if number not in newest:
            up.add_metric([str(number)], 0)
    return [*families.values(), up]
