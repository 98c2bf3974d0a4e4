"""A pool that loses workers: three workers do jobs, some jobs crash their worker, and yet all jobs get settled.

The supervisor restarts each crashed worker. The office, which hands out the jobs, monitors the workers. It gives a job
whose worker crashed to another worker, at most `ATTEMPTS` times in all.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs
import trio

from phxactor import ChildSpec, Down, GenServer, Pid, Supervisor, monitor, receive, self_pid
from phxactor.demos.story import Page, Story, called, perform
from phxactor.runtime import format_reason

WORKERS: Final = 3
ATTEMPTS: Final = 2
"""The number of times that a job is handed out before it is given up."""


@attrs.define(eq=False)
class Job:
    """A job. Each of its first `failures` attempts crashes its worker."""

    number: int
    seconds: float
    failures: int = 0
    attempts: int = 0


def jobs() -> deque[Job]:
    """Return the jobs: number 3 fails once, number 5 always."""
    seconds = (0.7, 1.1, 0.6, 1.0, 0.8, 1.3, 0.5)
    failures = {3: 1, 5: ATTEMPTS}
    return deque(Job(number, time, failures.get(number, 0)) for number, time in enumerate(seconds, 1))


class Worker(GenServer):
    """Reports to the office that it is ready, and does one job after the other."""

    async def init(self, office: Pid) -> None:
        self.office = office
        office.send(("ready", self_pid()))

    async def handle_info(self, message: object) -> None:
        match message:
            case Job() as job:
                await trio.sleep(job.seconds)
                if job.attempts <= job.failures:
                    raise RuntimeError(f"job {job.number} is too much for me")
                self.office.send(("done", self_pid(), job))


class Office:
    """Hands out the jobs; runs in the main process."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.waiting = jobs()
        self.idle: deque[Pid] = deque()
        self.doing: dict[Pid, Job] = {}
        self.hired = self.lost = 0

    async def work(self) -> None:
        """Hand out jobs until all are settled and all workers run again."""
        while self.waiting or self.doing or self.hired - self.lost < WORKERS:
            match await receive():
                case ("ready", Pid() as worker):
                    self.story.tell(f"+ {called(worker)} is ready")
                    self.hired += 1
                    monitor(worker)
                    self.idle.append(worker)
                case ("done", Pid() as worker, Job() as job):
                    self.story.tell(f"  {called(worker)} has done job {job.number}")
                    del self.doing[worker]
                    self.idle.append(worker)
                case Down(object=Pid() as worker, reason=reason):
                    self.story.tell(f"- {called(worker)} is lost: {format_reason(reason)}")
                    self.lost += 1
                    self.take_back(self.doing.pop(worker))
            while self.idle and self.waiting:
                self.hand_out(self.idle.popleft(), self.waiting.popleft())

    def hand_out(self, worker: Pid, job: Job) -> None:
        """Give a job to a worker."""
        job.attempts += 1
        self.doing[worker] = job
        worker.send(job)

    def take_back(self, job: Job) -> None:
        """Queue a job again whose worker has crashed, or give it up."""
        if job.attempts < ATTEMPTS:
            self.story.tell(f"  job {job.number} waits for another worker")
            self.waiting.append(job)
        else:
            self.story.tell(f"! job {job.number} has cost {job.attempts} workers and is given up")


async def main() -> None:
    """Settle all jobs."""
    with Story(processes=False) as story:
        office = Office(story)
        workers = [
            ChildSpec(id=number, start=(Worker.start_link, (self_pid(),), {"name": f"worker {number}"}))
            for number in range(1, WORKERS + 1)
        ]
        pool = (await Supervisor.start_link(workers, max_restarts=10, name="pool")).unwrap()
        await office.work()
        story.tell(f"all jobs are settled; the pool has lost {office.lost} workers, and is complete")
        await Supervisor.stop(pool)


def run(page: Page | None = None) -> None:
    """Run the demo."""
    perform(main, page)
