"""Processes that work in threads, killed at any point: what a thread did has arrived, in its order, and no more."""

from __future__ import annotations

from typing import Any

import trio
from hypothesis import settings
from hypothesis import strategies as st

from phxactor import GenServer, Reply, call, from_thread, spawn
from phxactor.otp import Called
from phxactor.runtime import KILL, Exit, Pid
from phxactor.testing import settle
from phxactor.testing.machine import ProcessMachine, invariant, rule


class Journal(GenServer):
    """Keeps the steps of each worker."""

    async def init(self) -> None:
        self.steps: dict[int, list[int]] = {}

    async def handle_cast(self, request: tuple[int, int]) -> None:
        worker, step = request
        self.steps.setdefault(worker, []).append(step)

    async def handle_call(self, request: Any, from_: object) -> Reply:  # noqa: ANN401
        if request == "steps":
            return Reply(self.steps)
        await self.handle_cast(request)
        return Reply(len(self.steps[request[0]]))


class Workers(ProcessMachine):
    """Each worker does its steps in a thread, by calls and by casts in turn."""

    async def start(self) -> None:
        await Journal.start_link(name="journal")
        self.workers: list[Pid] = []
        self.did: list[list[int]] = []
        self.ended: list[object] = []

    @rule(steps=st.integers(0, 4), abandoned=st.booleans())
    async def works(self, steps: int, abandoned: bool) -> None:
        number, did = len(self.did), list[int]()
        self.did.append(did)

        def work() -> None:
            try:
                for step in range(steps):
                    if step % 2:
                        from_thread.cast("journal", (number, step))
                    else:
                        assert from_thread.call("journal", (number, step)) == step + 1
                    did.append(step)
            except BaseException as error:
                self.ended.append(error)
                raise

        async def worker() -> None:
            await trio.to_thread.run_sync(work, abandon_on_cancel=abandoned)

        self.workers.append(spawn(worker))

    @rule(data=st.data())
    async def kills(self, data: st.DataObject) -> None:
        if self.workers:
            data.draw(st.sampled_from(self.workers)).exit(KILL)

    @rule()
    async def rests(self) -> None:
        await settle()

    @invariant()
    async def what_a_thread_has_done_has_arrived(self) -> None:
        before = [len(did) for did in self.did]
        steps = await call("journal", "steps")
        for number, did in enumerate(self.did):
            arrived = steps.get(number, [])
            assert arrived == list(range(len(arrived)))
            # The last may have arrived while its thread was cancelled.
            assert before[number] <= len(arrived) <= len(did) + 1

    async def stop(self) -> None:
        await settle()
        assert not any(pid.alive for pid in self.workers)
        assert self.runtime.statistics().processes == 2
        for error in self.ended:
            assert isinstance(error, trio.Cancelled | Exit), error
            if isinstance(error, Exit):
                assert not isinstance(error.reason, Called)


TestWorkers: Any = Workers.TestCase
TestWorkers.settings = settings(max_examples=40, stateful_step_count=10, deadline=None)
