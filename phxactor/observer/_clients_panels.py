"""The panels of connections, topics and nodes."""

from __future__ import annotations

import os
import signal
from typing import ClassVar, Final

from phxactor.channels import Channel, HandleResult, Payload, on
from phxactor.cluster.carriers.workers import this_worker
from phxactor.observer import _sockets, _topics
from phxactor.observer._acting import ActingPanel
from phxactor.observer._process_view import server_of
from phxactor.observer._viewer import Members
from phxactor.otp import Error, NoReply, Ok
from phxactor.runtime import Pid, Shutdown, self_pid, task_of
from phxactor.socket import SocketClose
from phxactor.transport import transport_of
from phxactor.workers import FolderError, ask_state

KICKED: Final = Shutdown("kicked")


class SocketsPanel(ActingPanel):
    """`observer:sockets`: the connections."""

    sorts: ClassVar[frozenset[str]] = _sockets.SORTS

    @on("disconnect")
    async def disconnect(self, payload: Payload) -> HandleResult:
        """End a connection; phoenix.js connects again."""
        pid = process_of(payload)
        if pid is None or transport_of(pid) is None:
            return Error({"reason": "there is no such connection any more"})
        refused = self.act("disconnect", pid)
        if refused is None:
            pid.exit(Shutdown("disconnected"))
        return refused or Ok()


class TopicsPanel(ActingPanel):
    """`observer:topics`: the topics, and who is in one."""

    sorts: ClassVar[frozenset[str]] = _topics.SORTS

    @on("members")
    async def members(self, payload: Payload) -> HandleResult:
        """Return the members of a topic, and who is present; the collector knows them."""
        topic = payload.get("topic") if isinstance(payload, dict) else None
        if not isinstance(topic, str):
            return Error({"reason": "members takes a topic"})
        self.heard_of()
        if self.collector is None or self.socket.ref is None:
            return Ok({"members": [], "presence": []})
        self.collector.send(Members(self.socket_ref(), topic))
        return NoReply()

    @on("kick")
    async def kick(self, payload: Payload) -> HandleResult:
        """End a channel: its client gets `phx_close`, and stays connected."""
        pid = process_of(payload)
        server = None if pid is None else server_of(await task_of(pid))
        if pid is None or server is None or not isinstance(server.server, Channel):
            return Error({"reason": "there is no such channel any more"})
        refused = self.act("kick", pid)
        if refused is None:
            socket = server.server.socket
            socket.transport_pid.send(SocketClose(pid, KICKED, socket))
            pid.exit(KICKED)
        return refused or Ok()


class NodesPanel(ActingPanel):
    """`observer:nodes`: the cluster as this node sees it."""

    @on("drain_worker")
    async def drain_worker(self, payload: Payload) -> HandleResult:
        """Tell a worker to let its clients go, and to end; its parent starts another."""
        return self._signal("drain", payload, signal.SIGTERM)

    @on("restart_worker")
    async def restart_worker(self, payload: Payload) -> HandleResult:
        """End a worker at once; its parent starts another."""
        return self._signal("restart", payload, signal.SIGKILL)

    def _signal(self, action: str, payload: Payload, number: signal.Signals) -> HandleResult:
        # One that starts is left alone: a parent whose workers cannot start gives up.
        index = payload.get("index") if isinstance(payload, dict) else None
        if this_worker() is None:
            return Error({"reason": "this program has no workers"})
        try:
            workers = ask_state(os.getppid()).workers
            known = {one.number: one.process for one in workers if one.state in ("ready", "degraded")}
        except (OSError, ValueError, FolderError):
            known = {}
        if not isinstance(index, int) or index not in known:
            return Error({"reason": "there is no such worker that serves"})
        refused = self.act(f"{action} of worker", index)
        if refused is None:
            os.kill(known[index], number)
        return refused or Ok()


def process_of(payload: Payload) -> Pid | None:
    """Return the process whose number a payload has; None if there is none."""
    number = payload.get("number") if isinstance(payload, dict) else None
    return self_pid().runtime.processes.get(number) if isinstance(number, int) else None
