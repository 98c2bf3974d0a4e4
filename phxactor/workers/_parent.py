"""The parent's process: it starts, watches, reloads and stops the workers. It runs no code of the program.

    start      one worker first: if it cannot start, the others cannot either, and there is one traceback; then all
    reload     the same with new workers, beside the old; once all are ready, the old ones let their clients go
    an end     that nobody asked for: the worker is started again
    silence    for `HUNG` seconds: the worker is asked where it is, and killed

The process never waits: what takes time is a message to itself. `Crew` holds what it knows, and `Phases` decides.
"""

from __future__ import annotations

import os
from typing import Final

from phxactor.cluster.carriers.workers import Beat, Gone, Hello, LineLost, Publish, Ready
from phxactor.endpoint import ALIVE, READY, ServiceManager, reloading
from phxactor.net import SharedCounts
from phxactor.otp import DynamicSupervisor, GenServer, NoReply, Ok, Reply
from phxactor.runtime import From, Pid, self_pid, send_after, trap_exit
from phxactor.workers import events
from phxactor.workers._crew import Crew, Member
from phxactor.workers._hung import HUNG, LATE, collect_orphans, excuse, kill_hung
from phxactor.workers._introduction import connect_again, introduce
from phxactor.workers._keeper import Ended, Said, keeper_spec, worker_of
from phxactor.workers._phases import Again, GiveUp, Phases
from phxactor.workers._plan import End, Failure, Plan, Reload, Start, tell_ended
from phxactor.workers._sockets import Sockets
from phxactor.workers._state import ParentState

NAME: Final = "workers"
"""The registered name of the process."""
TICK: Final = 1.0
"""Seconds from one look at the workers to the next."""


class Workers(GenServer):
    """Holds the workers. It answers the call `"state"` with a `ParentState`, and takes `Publish` for one of them."""

    async def init(self, plan: Plan, keepers: str, first: Pid) -> None:
        """Wait for "begin"; `keepers` is the name of the keepers' supervisor, `first` hears of a `Failure`."""
        trap_exit()
        self.plan, self.keepers, self.first = plan, keepers, first
        self.crew = Crew(plan.slots)
        self.counts = SharedCounts(plan.counts, plan.slots)
        self.sockets = Sockets()
        self.phases = Phases(plan.workers)
        self.ends: dict[int, int] = {}
        """How often each worker was started again."""
        self.began = 0.0
        """When the last start or reload began."""
        self.manager = ServiceManager.of(os.environ)
        self.since = self.looked = self_pid().runtime.now()
        send_after(self_pid(), "look", TICK)

    async def handle_call(self, request: object, from_: From) -> Reply | NoReply | None:
        """Answer the call `"state"`."""
        if request == "state":
            return Reply(self._state())
        if isinstance(request, Publish):
            serving = next((member for member in self.crew if member.serves), None)
            if serving is not None:
                serving.worker.send(request)
            return Reply(serving is not None)
        return NoReply()

    async def handle_info(self, message: object) -> None:
        """Handle what keepers say, timers, and reloads."""
        match message:
            case Said(worker, said):
                member = self.crew.get(worker)
                if member is not None:
                    await self._said(member, said)
            case Ended():
                await self._ended(message)
            case "look":
                self._look()
            case Reload(why):
                await self._reload(why)
            case Start(number, generation):
                await self._start_again(number, generation)
            case "begin":
                await self._begin()
            case "stop":
                self._stop()

    # ---------------------------------------------------------------------------------------------- starting

    async def _begin(self) -> None:
        """Start the first worker of a new generation."""
        self.phases.begin()
        self.began = self_pid().runtime.now()
        await self._start(1, self.phases.wanted)

    async def _start(self, number: int, generation: int) -> None:
        slot = self.crew.free_slot()
        if slot is None:  # very many old workers still drain
            send_after(self_pid(), Start(number, generation), TICK)
            return
        self.counts.clear(slot)
        plan = self.plan
        configure = plan.configure(number, slot, generation)
        started = await DynamicSupervisor.start_child(
            self.keepers, keeper_spec(plan.program, configure, plan.counts, self_pid())
        )
        if isinstance(started, Ok):
            self.crew.add(worker_of(started.value))
        else:
            await self._not_there(End(number, generation, why=str(getattr(started, "reason", started))))

    async def _start_again(self, number: int, generation: int) -> None:
        """Start a worker again after a pause, unless it has a successor by now."""
        if not self.phases.starts(generation):
            return
        if all(member.number != number for member in self.crew.of(generation)):
            await self._start(number, generation)

    async def _said(self, member: Member, message: object) -> None:
        match message:
            case Hello():
                introduce(member, message, self.crew, self.sockets, self_pid().runtime.now())
            case Ready():
                await self._ready(member)
            case Beat():
                member.beat, member.heard = message, self_pid().runtime.now()
            case LineLost(node=node):
                other = self.crew.by_node(node)
                if other is not None:
                    connect_again(member, other, self_pid().runtime.now())

    async def _ready(self, member: Member) -> None:
        now = self_pid().runtime.now()
        member.ready_at = now
        if events.ready.handlers:
            events.ready.emit(
                number=member.number,
                process=member.worker.process.pid,
                generation=member.generation,
                seconds=now - member.worker.started,
            )
        ready = {one.number: one.ready_at is not None for one in self.crew.of(member.generation)}
        was = self.phases.phase
        match self.phases.ready(member.generation, ready):
            case "others":
                for number in range(1, self.plan.workers + 1):
                    if number not in ready:
                        await self._start(number, member.generation)
            case "all":
                await self._all_ready(now, reloaded=was == "reloading")

    async def _all_ready(self, now: float, *, reloaded: bool) -> None:
        """Serve with the new workers only."""
        if reloaded:
            if events.reloaded.handlers:
                events.reloaded.emit(workers=self.plan.workers, seconds=now - self.began)
            for old in self.crew.before(self.phases.serving):
                old.worker.stop()
        self.sockets.announce(one for member in self.crew.of(self.phases.serving) for one in member.wanted)
        self._tell_ready(f"{self.plan.workers} workers")
        await self._next_reload()

    # --------------------------------------------------------------------------------------------- reloading

    async def _reload(self, why: str) -> None:
        if not self.phases.reload(why, runs=bool(len(self.crew))):
            return
        if events.reloading.handlers:
            events.reloading.emit(why=why)
        if self.phases.serving:
            self.manager.tell(reloading())
        await self._begin()

    async def _next_reload(self) -> None:
        why = self.phases.take_again()
        if why is not None:
            await self._reload(why)

    async def _reload_failed(self, end: End) -> None:
        if events.reload_failed.handlers:
            events.reload_failed.emit(number=end.number, status=end.status)
        for member in self.crew.of(end.generation):
            member.worker.stop()
        self._tell_ready("the reload failed, the old workers serve")
        await self._next_reload()

    def _tell_ready(self, status: str) -> None:
        self.manager.tell(READY + f"\nSTATUS={status}".encode())

    # ------------------------------------------------------------------------------------------------- ending

    async def _ended(self, message: Ended) -> None:
        member = self.crew.remove(message.worker)
        if member is None:
            return
        worker = member.worker
        self.counts.clear(worker.configure.slot)
        if member.hello is not None:
            for other in self.crew.greeted():
                other.worker.send(Gone(node=member.hello.node))
        if member.asked_at is not None and events.hung.handlers:
            events.hung.emit(number=member.number, process=worker.process.pid, seconds=HUNG, stack=message.stack)
        if worker.told_to_stop or self.phases.phase == "stopping":
            if events.left.handlers:
                events.left.emit(number=member.number, process=worker.process.pid)
            self._forget_sockets()
            if self.phases.phase == "starting" and not len(self.crew):
                await self._next_reload()
            return
        end = End(
            member.number,
            member.generation,
            process=worker.process.pid,
            status=message.status,
            stack="" if member.asked_at is not None else message.stack,
            was_ready=member.ready_at is not None,
        )
        await self._not_there(end)

    async def _not_there(self, end: End) -> None:
        """Start it again, or stop."""
        now = self_pid().runtime.now()
        match self.phases.ended(end, now, others=sum(one.serves for one in self.crew)):
            case "reload failed":
                await self._reload_failed(end)
            case "start failed":
                await self._start_failed(end)
            case Again(pause):
                tell_ended(end, pause)
                self.ends[end.number] = self.ends.get(end.number, 0) + 1
                send_after(self_pid(), Start(end.number, end.generation), pause)
            case GiveUp(why):
                tell_ended(end, None)
                self._give_up(why)

    async def _start_failed(self, end: End) -> None:
        """Stop, or wait for a change; a worker that ended with an exit code has said why."""
        if self.plan.watched:
            for member in self.crew:
                member.worker.stop()
            if self.phases.again is not None and not len(self.crew):
                await self._next_reload()
            elif self.phases.again is None and events.waiting.handlers:
                events.waiting.emit(number=end.number, status=end.status)
            return
        said_why = end.status is not None and end.status > 0
        words = end.why or f"worker {end.number} {events.words_of(end.status)} before it was ready"
        self._stop()
        self.first.send(Failure(end.status or 1, "" if said_why else words))

    def _give_up(self, why: str) -> None:
        if events.gave_up.handlers:
            events.gave_up.emit(why=why)
        self._stop()
        self.first.send(Failure(1))

    def _forget_sockets(self) -> None:
        """Close the sockets that no worker wants any more, once a reload is done."""
        if self.phases.phase == "serving" and not self.crew.before(self.phases.serving):
            self.sockets.keep(one for member in self.crew for one in member.wanted)

    def _stop(self) -> None:
        """Let no worker be started again; the supervisor of the keepers ends them."""
        if self.phases.phase != "stopping" and len(self.crew) and events.stopping.handlers:
            events.stopping.emit(workers=len(self.crew))
        self.phases.stop()

    async def terminate(self, reason: object) -> None:
        """Close the listening sockets: all workers have ended."""
        self.sockets.keep(())

    # ------------------------------------------------------------------------------------------------ watching

    def _look(self) -> None:
        """Look for workers that hang."""
        now = self_pid().runtime.now()
        if now > self.looked + TICK + LATE:
            excuse(self.crew, now)
        self.looked = now
        if not self.plan.watched:
            kill_hung(self.crew, now)
        if self.manager.interval is not None and self.phases.serving:  # before that, systemd does not watch
            self.manager.tell(ALIVE)
        collect_orphans(self.crew)
        send_after(self_pid(), "look", TICK)

    def _state(self) -> ParentState:
        now = self_pid().runtime.now()
        return ParentState(
            process=os.getpid(),
            program=self.plan.program.name,
            phase=self.phases.phase,
            age=now - self.since,
            generation=self.phases.serving,
            addresses=self.sockets.addresses(one for member in self.crew for one in member.wanted),
            workers=self.crew.told(now, self.ends),
        )
