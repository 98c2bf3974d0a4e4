"""The panel of one process, `observer:process:7`: what it is, its state, and what a viewer may do to it."""

from __future__ import annotations

import gc
import time
from typing import Final

from phxactor.channels import HandleResult, Payload, on
from phxactor.observer._acting import ActingPanel
from phxactor.observer._process_view import is_supervisor, memory_of, server_of
from phxactor.observer._values import message_text, shown, state
from phxactor.otp import DONE, DebugEvent, Error, In, NoReply, Ok, Out, Stop, system
from phxactor.runtime import KILL, SHUTDOWN, Exit, Pid, self_pid, spawn, task_of

PATIENCE: Final = 1.0
"""Seconds to wait for the state of a server."""
TRACED: Final = 10.0
"""Seconds of a trace."""
EVENTS: Final = 200
"""Maximum events of a trace."""


class ProcessPanel(ActingPanel):
    """The panel of one process."""

    subject: Pid

    async def first(self) -> dict[str, object] | Error:
        """Find the process; its first frame follows soon."""
        number = self.viewer.subject
        pid = self_pid().runtime.processes.get(int(number)) if number.isdecimal() and len(number) < 20 else None  # noqa: PLR2004
        if pid is None:
            return Error({"reason": f"there is no process {number[:20]} any more"})
        self.subject = self.viewer.process = pid
        self_pid().send("state")
        return {"number": pid.number, "name": None, "call": pid.initial_call, "mailbox": len(pid.mailbox)}

    async def handle_info(self, message: object) -> NoReply | Stop | None:
        """Take the state that was asked for, and lines of a trace."""
        match message:
            case "state":
                spawn(ask, self.subject, self_pid(), self.settings.redact)
            case ("state", str() | None as text, str() | None as why):
                self.viewer.state = text, why
                self.ask_soon()
            case ("traced", str() as line):
                self.push("traced", {"at": time.time(), "text": line})
            case _:
                return await super().handle_info(message)
        return None

    @on("state")
    async def state(self, _: Payload) -> HandleResult:
        """Ask for the state again."""
        self.heard_of()
        self_pid().send("state")
        return Ok()

    @on("memory")
    async def memory(self, _: Payload) -> HandleResult:
        """Return the bytes that are at least its own."""
        self.heard_of()
        return Ok({"bytes": await memory_of(self.subject), "at_least": True})

    # -------------------------------------------------------------------------------------------- actions

    @on("exit")
    async def exit(self, _: Payload) -> HandleResult:
        """Send the exit signal `shutdown`."""
        return self.act("exit", self.subject) or self._exit(SHUTDOWN)

    @on("kill")
    async def kill(self, _: Payload) -> HandleResult:
        """Kill the process."""
        return self.act("kill", self.subject) or self._exit(KILL)

    @on("suspend")
    async def suspend(self, _: Payload) -> HandleResult:
        """Let a server take no messages until `resume`."""
        return self.act("suspend", self.subject) or await self._ask_system(system.suspend)

    @on("resume")
    async def resume(self, _: Payload) -> HandleResult:
        """Let a suspended server go on."""
        return self.act("resume", self.subject) or await self._ask_system(system.resume)

    @on("collect")
    async def collect(self, _: Payload) -> HandleResult:
        """Collect the young garbage of the program: Python knows none of a process."""
        return self.act("collect", self.subject) or Ok({"collected": gc.collect(1)})

    @on("trace")
    async def trace(self, _: Payload) -> HandleResult:
        """Push what a server does for ten seconds."""
        me, redact = self_pid(), self.settings.redact
        until, left = me.runtime.now() + TRACED, EVENTS

        def told(event: DebugEvent) -> object:
            nonlocal left
            left -= 1
            if left < 0 or not me.alive or me.runtime.now() > until:
                return DONE
            match event:
                case In():
                    line = f"takes {message_text(event.message, redact)}"
                case Out():
                    line = f"answers {shown(event.value, redact)} to {event.to!r:.100}"
                case _:
                    return None
            me.send(("traced", line))
            return None

        async def install(server: Pid, timeout: float) -> None:
            await system.install(server, told, "observer", timeout)

        return self.act("trace", self.subject) or await self._ask_system(install)

    def _exit(self, reason: str) -> Ok[None]:
        self.subject.exit(reason)
        return Ok()

    async def _ask_system(self, request: object) -> HandleResult:
        """Send a system request, unless the process is no server or is busy: it is never waited for long."""
        if server_of(await task_of(self.subject)) is None:
            return Error({"reason": "it is no server"})
        try:
            await request(self.subject, PATIENCE)  # type: ignore[operator]
        except Exit:
            return Error({"reason": f"it does not answer within {PATIENCE:g} s"})
        self.ask_soon()
        return Ok()


async def ask(pid: Pid, to: Pid, redact: object) -> None:
    """Ask a server for its state, and send it as text: a process of its own, since a server may not answer."""
    task = await task_of(pid)
    server = server_of(task)
    if not pid.alive:
        answer: tuple[str | None, str | None] = None, "it has ended"
    elif is_supervisor(pid):
        answer = None, "it is a supervisor: its children are in the tree"
    elif server is None:
        answer = None, "it is no server"
    elif pid.mailbox or pid.waiter is None:
        answer = None, "it is busy"
    else:
        try:
            known = await system.get_status(pid, PATIENCE)
            answer = state(known.status.state, redact), None  # type: ignore[arg-type]
        except Exit:
            answer = None, "it did not answer"
    to.send(("state", *answer))
