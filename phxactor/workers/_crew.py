"""The workers of one parent: which there are, and what each has said. A value of the parent's process, without I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, final
from weakref import WeakKeyDictionary

from phxactor.cluster.carriers.workers import Beat, Hello, Wanted
from phxactor.workers._keeper import Worker
from phxactor.workers._state import WorkerState

BEAT: Final = 1.0
"""Seconds from one sign of life of a worker to the next."""


@final
class Member:
    """A worker and what the parent knows of it."""

    __slots__ = ("__weakref__", "asked_at", "beat", "heard", "hello", "lines", "ready_at", "wanted", "worker")

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.hello: Hello | None = None
        self.wanted: list[Wanted] = []
        """The places that it listens on."""
        self.beat: Beat | None = None
        """Its last sign of life."""
        self.heard: float | None = None
        """When that came, in seconds of the runtime's clock; None before the first."""
        self.ready_at: float | None = None
        """When it began to serve; None before that."""
        self.asked_at: float | None = None
        """When it was asked where it hangs; None if it was not."""
        self.lines: WeakKeyDictionary[Member, float] = WeakKeyDictionary()
        """When it was given its last line to another worker."""

    @property
    def number(self) -> int:
        """Which worker it is, from 1."""
        return self.worker.number

    @property
    def generation(self) -> int:
        """The reload that it came with, from 1."""
        return self.worker.configure.generation

    @property
    def serves(self) -> bool:
        """Whether it is ready, and has not been told to stop."""
        return self.ready_at is not None and not self.worker.told_to_stop

    @property
    def state(self) -> str:
        """What it does, in a word."""
        if self.worker.told_to_stop:
            return "draining"
        if self.ready_at is None:
            return "starting"
        said = "starting" if self.beat is None else self.beat.state
        return "ready" if said == "starting" else said  # it was starting a second ago

    def told(self, now: float, restarts: int) -> WorkerState:
        """Return what is known of it, as a value; it was started again so many times."""
        beat = self.beat or Beat(state="starting")
        silence = 0.0 if self.heard is None else now - self.heard
        return WorkerState(
            number=self.number,
            process=self.worker.process.pid,
            generation=self.generation,
            state=self.state,
            why=beat.why,
            age=now - self.worker.started,
            connections=beat.connections,
            channels=beat.channels,
            processes=beat.processes,
            nodes=beat.nodes,
            restarts=restarts,
            lag=max(beat.lag / 1000, silence - BEAT),
        )


@final
class Crew:
    """All workers that run, old and new."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._members: dict[Worker, Member] = {}

    def __iter__(self) -> Iterator[Member]:
        return iter(list(self._members.values()))

    def __len__(self) -> int:
        return len(self._members)

    def add(self, worker: Worker) -> Member:
        """Add a worker that has been started."""
        member = self._members[worker] = Member(worker)
        return member

    def get(self, worker: Worker) -> Member | None:
        """Return what is known of a worker; None if it has ended."""
        return self._members.get(worker)

    def remove(self, worker: Worker) -> Member | None:
        """Remove a worker that has ended."""
        return self._members.pop(worker, None)

    def free_slot(self) -> int | None:
        """Return a slot of the shared memory that no worker has; None if all are taken."""
        taken = {member.worker.configure.slot for member in self}
        return next((slot for slot in range(self._slots) if slot not in taken), None)

    def of(self, generation: int) -> list[Member]:
        """Return the workers of one generation."""
        return [member for member in self if member.generation == generation]

    def before(self, generation: int) -> list[Member]:
        """Return the workers of all generations before one."""
        return [member for member in self if member.generation < generation]

    def greeted(self) -> list[Member]:
        """Return the workers that have a node."""
        return [member for member in self if member.hello is not None]

    def by_node(self, node: bytes) -> Member | None:
        """Return the worker whose node has an id."""
        return next((member for member in self if member.hello is not None and member.hello.node == node), None)

    def told(self, now: float, restarts: Mapping[int, int]) -> list[WorkerState]:
        """Return what is known of all, as values; `restarts` is how often each number was started again."""
        members = sorted(self, key=lambda member: (member.number, member.generation))
        return [member.told(now, restarts.get(member.number, 0)) for member in members]
