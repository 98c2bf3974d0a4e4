"""A program that workers serve: a process in one worker watches, links and calls processes in the other one.

The tests copy it, and have it served. `watch` plays one story: everything that is told when the other worker is lost,
then what is told when one is reached again.
"""

from __future__ import annotations

import gc
import os
from collections import Counter

import trio

from phxactor import (
    Application,
    Channel,
    Down,
    Endpoint,
    Exit,
    Exited,
    From,
    GenServer,
    NoReply,
    Ok,
    Pid,
    Reply,
    Socket,
    WebSocketOptions,
    call,
    channel,
    link,
    monitor,
    mount,
    on,
    receive,
    self_pid,
    send,
    spawn,
    trap_exit,
)
from phxactor.channels import Payload
from phxactor.cluster import Gap, Node, NodeDown, NodeUp, monitor_nodes, nodes
from phxactor.distribution import Startable, start_on
from phxactor.runtime import format_reason

PROCESSES = 3
"""The processes in the other worker that are watched; all but the last are linked, too."""
LONG = 3600.0
"""Seconds that a call would wait."""


class Patient(GenServer):
    """Says in which worker it is, watches those who ask for it, and never answers `never`."""

    async def init(self) -> None:
        self.told: list[str] = []

    async def handle_call(self, request: object, from_: From) -> Reply | NoReply:
        match request:
            case "worker":
                return Reply(os.getpid())
            case "told":
                return Reply(self.told)
            case ("watch", Pid() as pid):
                monitor(pid)
                return Reply(None)
            case ("never", Pid() as pid):
                send(pid, "asked")
        return NoReply()

    async def handle_info(self, message: object) -> None:
        if isinstance(message, Down):
            self.told.append(format_reason(message.reason))


def text(message: object) -> str:
    """Write what a process was told."""
    match message:
        case Down() | Exited():
            return f"{type(message).__name__} {format_reason(message.reason)}"
        case NodeDown():
            return f"NodeDown {message.reason}"
        case NodeUp() | Gap():
            return type(message).__name__
    return str(message)


def cause(end: Exit) -> object:
    """Return why a call has ended."""
    return end.reason[0] if isinstance(end.reason, tuple) else end.reason


async def ask(watcher: Pid, server: Pid | tuple[str, Node], node: Node) -> None:
    """Ask what is never answered; say how that ends."""
    try:
        await call(server, ("never", watcher), LONG)
    except Exit as end:
        names_it = cause(end) == ("nodedown", node)
        send(watcher, "call ended with the node" if names_it else f"call ended: {end}")


async def ask_told(pid: Pid) -> list[str]:
    """Ask what a process was told; it may have ended."""
    try:
        answer: list[str] = await call(pid, "told")
    except Exit as end:
        return [f"ended: {cause(end)}"]
    return answer


async def stay_linked(to: Pid) -> None:
    """Live as long as another process."""
    link(to)
    await receive()


async def other_worker() -> Node:
    """Wait until another worker takes calls."""
    while True:
        try:
            node = nodes()[-1]
            await call(("patient", node), "worker")
        except (IndexError, Exit):
            await trio.sleep(0.05)
        else:
            return node


async def watch(channel_pid: Pid) -> None:
    """Watch the processes of the other worker until it is lost, and reach one again."""
    trap_exit()
    node = await other_worker()
    monitor_nodes()
    me = self_pid()
    there = [await start_on(node, "patient") for _ in range(PROCESSES)]
    for pid in there:
        monitor(pid)
        monitor(pid)
        await call(pid, ("watch", me))
    for pid in there[:-1]:
        link(pid)
    monitor(("patient", node))
    monitor(spawn(stay_linked, there[0]))
    spawn(ask, me, there[1], node)
    spawn(ask, me, ("patient", node), node)
    for _ in range(2):
        assert await receive() == "asked"
    send(channel_pid, ("ready", {"worker": await call(there[0], "worker")}))

    first: list[str] = []
    while not first or not first[-1].startswith("NodeDown"):
        first.append(text(await receive()))
    rest = [text(await receive()) for _ in range(3)]  # two calls, and the process that was linked
    send(channel_pid, ("lost", {"first": Counter(first), "rest": Counter(rest)}))

    again = await other_worker()
    worker = await call(("patient", again), "worker")
    they = [await ask_told(pid) for pid in there] if again == node else []
    later: list[str] = []
    while True:
        try:
            later.append(text(await receive(timeout=0)))
        except TimeoutError:
            break
    send(channel_pid, ("reached", {"worker": worker, "they": they, "later": Counter(later)}))


class Story(Channel):
    """Begins a story, and passes on what it tells."""

    async def join(self, topic: str, payload: Payload) -> Ok[Payload]:
        return Ok({"worker": os.getpid()})

    @on("watch")
    async def watch(self, payload: Payload) -> None:
        spawn(watch, self_pid())

    @on("left")
    async def left(self, payload: Payload) -> Ok[Payload]:
        """Count what this worker knows of others, once it has called one."""
        await other_worker()
        gc.collect()
        runtime = self_pid().runtime
        tables = runtime.remote._tables  # type: ignore[union-attr]  # noqa: SLF001 - from outside it is not seen
        peers = tables.peers.values()
        return Ok(
            {
                "processes": len(runtime.processes),
                "pids": sum(len(one._pids) for one in peers),  # noqa: SLF001 - the same
                "froms": sum(len(one._froms) for one in peers),  # noqa: SLF001 - the same
                "monitors": sum(len(one.watching) for one in peers),
                "held": sum(len(one.held) for one in peers),
                "unlinking": sum(len(one.unlinking) for one in peers),
                "numbers": len(tables._refs) + len(tables._numbers),  # noqa: SLF001 - the same
            }
        )

    async def handle_info(self, message: object) -> None:
        match message:
            case (str(event), payload):
                self.push(event, payload)


class UserSocket(Socket, log=False):
    channels = (channel("story", Story),)


endpoint = Endpoint(
    sockets=[mount("/socket", UserSocket, websocket=WebSocketOptions(check_origin=False))],
    health="/health",
    port=0,
)
application = Application(
    children=[Startable({"patient": Patient}), Patient.child_spec(name="patient")],
    endpoints=[endpoint],
)
