"""An actor: a process that runs commands, answers calls, and takes nothing else from its mailbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import attrs

from phxactor import call
from phxactor.cluster import monitor_nodes
from phxactor.distribution import start_monitor_on, start_on
from phxactor.otp import Call
from phxactor.runtime import (
    NOCONNECTION,
    Exit,
    Exited,
    From,
    Monitor,
    NameTakenError,
    NoProcessError,
    NotLocalError,
    Pid,
    demonitor,
    down_elsewhere,
    link,
    link_signal,
    monitor,
    new_monitor,
    receive,
    register,
    self_pid,
    send,
    trap_exit,
    unlink,
    unregister,
    whereis,
)
from tests.nodes.oracle.letters import from_reason, to_reason

if TYPE_CHECKING:
    from tests.nodes.oracle.player import Player

ARGUMENT_ERROR: Final = ["error", "ArgumentError"]
SECONDS: Final[dict[str, float | None]] = {"infinity": None, "soon": 0.06}


class UnbornError(LookupError):
    """A command about an actor that never came to be, or not before this burst."""


@attrs.frozen(eq=False)
class Order:
    """To an actor: run the commands, and append the result of each."""

    commands: list[list[object]]
    results: list[object]


@attrs.frozen(eq=False)
class Collect:
    """To an actor: put all that waits in the mailbox into a list."""

    messages: list[object]


class Actor:
    """One actor, of one life of a node."""

    def __init__(self, player: Player, number: int, node: int) -> None:
        """Make it; `act` is its body."""
        self.player = player
        self.number = number
        self.node = node
        self.is_calling = False
        self.held: dict[int, From] = {}
        self.ups = 0
        """How often it monitors nodes."""
        self.pid: Pid

    async def act(self, *, trap: bool = False) -> None:
        """Be the actor."""
        self.pid = self_pid()
        trap_exit(trap)
        while True:
            match await receive(lambda message: type(message) in {Order, Collect, Call}):
                case Order(commands=commands, results=results):
                    for command in commands:
                        await self.run(command, results)
                case Collect(messages=messages):
                    await self.drain(messages)
                case Call(request=(int(k), str(request)), from_=from_):
                    self.answer(k, request, from_)

    def answer(self, k: int, request: str, from_: From) -> None:
        """Take a call."""
        match request:
            case "answer":
                from_.reply(("hi", k))
            case "hold":
                self.held[k] = from_
            case "exit_boo":
                raise Exit("boo")
            case "exit_normal":
                raise Exit("normal")

    async def drain(self, messages: list[object]) -> None:
        """Take everything out of the mailbox."""
        while True:
            try:
                messages.append(await receive(lambda message: type(message) is not Order, timeout=0))
            except TimeoutError:
                return

    async def run(self, command: list[object], results: list[object]) -> None:
        """Run one command."""
        name, *arguments = command
        try:
            result = getattr(self, f"do_{name}")(*arguments)
            if name in {"call", "call_name", "recv_exit", "spawn", "spawn_link", "spawn_monitor"}:
                result = await result
        except UnbornError:
            result = "unborn"
        if result is not None:
            results.append(result)

    def of(self, t: int) -> Pid:
        """Return an actor's pid as this one's node knows it."""
        return self.player.pid(t, self.node)

    # -------------------------------------------------------------------------------- links and monitors

    def do_link(self, t: int) -> object:
        try:
            link(self.of(t))
        except NoProcessError:
            return ["error", "noproc"]
        return True

    def do_unlink(self, t: int) -> bool:
        unlink(self.of(t))
        return True

    def do_unlink_flush(self, t: int) -> bool:
        unlink(self.of(t), flush=True)
        return True

    def do_monitor(self, t: int, r: int) -> str:
        self.watch(r, monitor(self.of(t)))
        return "ok"

    def do_monitor_name(self, name: str, node: int, r: int) -> str:
        self.watch(r, monitor((name, self.player.identity(node))))
        return "ok"

    def watch(self, r: int, ref: Monitor) -> None:
        """Remember a monitor by its number."""
        self.player.monitors[r] = ref
        self.player.refs[ref] = r

    def do_demonitor(self, r: int, options: str) -> object:
        if r not in self.player.monitors:
            raise UnbornError
        was_active = demonitor(self.player.monitors[r], flush="flush" in options)
        return was_active if "info" in options else True

    def do_trap(self, flag: bool) -> bool:
        return trap_exit(flag)

    def do_signal(self, t: int, reason: object) -> bool:
        self.of(t).exit(to_reason(reason))
        return True

    def do_exit(self, reason: object) -> None:
        raise Exit(to_reason(reason))

    # ---------------------------------------------------------------------------------- messages, names

    def do_send(self, t: int, tag: str) -> str:
        send(self.of(t), ("msg", self.number, tag))
        return "ok"

    def do_send_pid(self, t: int, u: int) -> str:
        send(self.of(t), ("pid", self.number, self.of(u)))
        return "ok"

    def do_send_name(self, name: str, node: int, tag: str) -> str:
        send((name, self.player.identity(node)), ("msg", self.number, tag))
        return "ok"

    def do_alive(self, t: int) -> object:
        try:
            return self.of(t).alive
        except NotLocalError:
            return ARGUMENT_ERROR

    def do_register(self, name: str) -> object:
        try:
            register(name)
        except NameTakenError:
            return ARGUMENT_ERROR
        return True

    def do_unregister(self, name: str) -> object:
        if whereis(name) is not self.pid:
            return "other"
        unregister(name)
        return True

    async def do_recv_exit(self, t: int) -> object:
        pid = self.of(t)
        try:
            found = await receive(lambda message: type(message) is Exited and message.pid is pid, timeout=0)
        except TimeoutError:
            return "timeout"
        return from_reason(found.reason)

    # ---------------------------------------------------------------------------------------------- nodes

    def do_nodes(self) -> list[int]:
        return self.player.connected(self.node)

    def do_monitor_nodes(self, flag: bool) -> str:
        self.ups = self.ups + 1 if flag else 0
        self.player.tell_of_nodes(self)
        if flag:
            monitor_nodes(gaps=False)
        return "ok"

    def do_monitor_node(self, node: int, flag: bool) -> bool:
        self.player.monitor_node(self, node, flag=flag)
        return True

    # ---------------------------------------------------------------------------------------------- calls

    async def do_call(self, k: int, t: int, request: str, wait: str) -> None:
        await self.call(k, self.of(t), request, SECONDS[wait])

    async def do_call_name(self, k: int, name: str, node: int, request: str, wait: str) -> None:
        await self.call(k, (name, self.player.identity(node)), request, SECONDS[wait])

    async def call(self, k: int, server: Pid | tuple[str, object], request: str, timeout: float | None) -> None:
        self.is_calling = True
        try:
            answer = await call(server, (k, request), timeout)
            result: list[object] = ["ok", list(answer)]
        except Exit as end:
            if not (self.pid.alive and isinstance(end.reason, tuple)):
                raise
            result = ["exit", self.why(end.reason[0], server)]
        finally:
            self.is_calling = False
        self.player.calls[str(k)] = result

    def why(self, reason: object, server: Pid | tuple[str, object]) -> object:
        """Write why a call failed (ND80 to ND86, ND93)."""
        match reason:
            case ("nodedown", node):
                return ["nodedown", f"node {self.player.index(node)}"]
            case str() if reason == NOCONNECTION:
                node = server[1] if isinstance(server, tuple) else server.node
                return ["nodedown", f"node {self.player.index(node)}"]
            case _:
                return from_reason(reason)

    def do_reply(self, k: int) -> str:
        from_ = self.held.pop(k, None)
        if from_ is None:
            return "none"
        from_.reply(("held", k))
        return "ok"

    # ---------------------------------------------------------------------------------------------- groups

    def do_pg_join(self, group: str) -> str:
        self.player.group.join(group)
        return "ok"

    def do_pg_leave(self, group: str) -> str:
        return "ok" if self.player.group.leave(group) else "not_joined"

    def do_pg_members(self, group: str) -> list[int]:
        return sorted(map(self.player.actor, self.player.group.members(group)))

    def do_pg_monitor(self, group: str, w: int) -> list[int]:
        ref, members = self.player.group.monitor(group)
        self.player.group_monitors[w] = ref
        self.player.group_refs[ref] = w
        return sorted(map(self.player.actor, members))

    def do_pg_demonitor(self, w: int) -> object:
        if w not in self.player.group_monitors:
            raise UnbornError
        return "ok" if self.player.group.demonitor(self.player.group_monitors[w]) else False

    # ---------------------------------------------------------------------------------------------- starts

    async def do_spawn(self, n: int, node: int) -> str:
        with noting_nodedown() as failed:
            await start_on(self.player.identity(node), "actor", n, node)
        if failed:
            self.player.never_lived(n, self)
        return "ok"

    async def do_spawn_link(self, n: int, node: int) -> str:
        with noting_nodedown() as failed:
            await start_on(self.player.identity(node), "actor", n, node, link=True)
        if failed:
            link_signal(self.pid, self.player.never_lived(n, self), NOCONNECTION)
        return "ok"

    async def do_spawn_monitor(self, n: int, node: int, r: int) -> str:
        ref = new_monitor(self.pid)
        with noting_nodedown() as failed:
            demonitor(ref)
            _, ref = await start_monitor_on(self.player.identity(node), "actor", n, node)
        if failed:
            ref = new_monitor(self.pid)
            ref.target = self.player.never_lived(n, self)
        self.watch(r, ref)
        if failed:
            down_elsewhere(ref, NOCONNECTION)
        return "ok"


@contextmanager
def noting_nodedown() -> Iterator[list[Exit]]:
    """Note that a node was not there; any other exit goes on."""
    failed: list[Exit] = []
    try:
        yield failed
    except Exit as end:
        match end.reason:
            case (("nodedown", _), _):
                failed.append(end)
            case _:
                raise
