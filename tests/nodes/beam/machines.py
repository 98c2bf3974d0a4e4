"""Three Elixir nodes, which are cut, killed and started, and what is seen of them."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from pathlib import Path
from typing import IO, Any, Final, TypeAlias, cast

Json: TypeAlias = Any

SOURCE: Final = Path(__file__).with_name("nodes.ex")
NODES: Final = 3
QUIET: Final = 0.02
"""Seconds after which nothing moves any more, on a machine with little other work."""
PATIENT: Final = 15.0
"""How many times longer one waits when a program is played again, as it was not quiet or has differed."""
SCHEDULES: Final = ((1, False), (2, True), (4, True))
"""How often a program is played, each time with so many schedulers, and with random yields between commands or without:
steps in which the BEAM itself does now this and now that are not to be compared."""
SOON: Final = 0.1
"""Seconds after which a call that waits a little has given up."""
TYPES: Final = {
    "link": "t", "unlink": "t", "unlink_flush": "t", "alive": "t", "recv_exit": "t",
    "monitor": "ti", "monitor_name": "adi", "demonitor": "ia", "trap": "b", "signal": "ta", "exit": "a",
    "send": "ta", "send_pid": "tt", "send_name": "ada", "register": "a", "unregister": "a", "nodes": "",
    "monitor_nodes": "b", "monitor_node": "db", "pg_join": "a", "pg_leave": "a", "pg_members": "a",
    "pg_monitor": "ai", "pg_demonitor": "i", "call": "itaa", "call_name": "iadaa", "reply": "i",
    "spawn": "id", "spawn_link": "id", "spawn_monitor": "idi",
}  # fmt: skip


class NotQuietError(Exception):
    """Something came later than in its own step: the machine has other work."""


class Machine:
    """One node: a process of the operating system."""

    def __init__(self, name: str, beams: Path, env: dict[str, str]) -> None:
        self.name = name
        command = ["elixir", "--sname", name, "--cookie", env["NODES_COOKIE"], "-pa", str(beams), "--erl"]
        flags = "+S 4:4 -kernel dist_auto_connect never -connect_all false -kernel prevent_overlapping_partitions false"
        flags += " -kernel inet_dist_use_interface {127,0,0,1} -kernel logger_level none"
        self.process = subprocess.Popen(
            [*command, flags, "-e", "Nodes.Agent.main()"],
            env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def ready(self) -> None:
        """Wait until it has started."""
        assert self.read() == ["up"]

    def ask(self, line: str) -> Json:
        """Give it a line of Elixir; returns what it answers."""
        stdin = cast("IO[str]", self.process.stdin)
        stdin.write(f"{line}\n")
        stdin.flush()
        return self.read()

    def read(self) -> Json:
        line = cast("IO[str]", self.process.stdout).readline()
        if not line:
            raise EOFError(f"{self.name} has ended")
        return json.loads(line)

    def kill(self) -> None:
        """Kill it, as kill -9 does."""
        self.process.kill()
        self.process.communicate()


class Cluster:
    """Three of them; plays programs one after the other."""

    def __init__(self, beams: Path, env: dict[str, str]) -> None:
        self.beams, self.env = beams, env
        prefix = f"n{secrets.token_hex(4)}"
        self.names = [f"{prefix}_{number}@localhost" for number in range(NODES)]
        self.nodes: list[Machine | None] = [None] * NODES
        self.pids: dict[int, str] = {}
        self.numbers: dict[str, int] = {}
        self.homes: dict[int, int] = {}
        """The nodes of actors of present lives."""
        self.birth: dict[int, int] = {}
        """The nodes of all actors."""
        self.calling: set[int] = set()
        self.servers: dict[int, int] = {}
        """The node of the server of each call."""
        self.seen: dict[str, dict[str, object]] = {}
        self.schedule = SCHEDULES[0]
        self.patience = 1.0
        """How many times longer than `QUIET` and `SOON` one waits."""

    def wait(self, seconds: float) -> None:
        """Wait until nothing moves."""
        time.sleep(seconds * self.patience)

    def start_all(self) -> None:
        """Start those that do not run."""
        fresh = [number for number in range(NODES) if self.nodes[number] is None]
        for number in fresh:
            self.nodes[number] = Machine(self.names[number], self.beams, self.env)
        for number in fresh:
            self.node(number).ready()

    def node(self, number: int) -> Machine:
        node = self.nodes[number]
        assert node is not None
        return node

    def stop_all(self) -> None:
        """Kill all."""
        for node in self.nodes:
            if node is not None:
                node.kill()

    def play(self, steps: list[list[Any]], schedule: tuple[int, bool] = SCHEDULES[0]) -> list[dict[str, object]]:
        """Play a program on empty nodes that are all connected; the schedule is one of SCHEDULES."""
        self.schedule = schedule
        self.start_all()
        for number in range(NODES):
            self.reset(number)
        for one, other in ((0, 1), (0, 2), (1, 2)):
            assert self.node(one).ask(f"{{:connect, :'{self.names[other]}'}}")
        self.wait(QUIET)
        for number in range(NODES):
            self.node(number).ask(":take")
        self.pids, self.numbers, self.homes, self.birth, self.calling, self.servers = {}, {}, {}, {}, set(), {}
        others = {str(n): [m for m in range(NODES) if m != n] for n in range(NODES)}
        self.seen = {"nodes": dict(others), "names": {}, "groups": {}}
        return [self.step(by, commands, collect=collect) for by, commands, collect in steps]

    def step(self, by: int, commands: list[Any], *, collect: bool) -> dict[str, object]:
        """Do a step, and say what was seen."""
        results: list[object] | str = []
        if by == -1:
            results = []
            for command in commands:
                results.append(self.direct(command))
                self.wait(QUIET)
        elif self.is_idle(by):
            text = ", ".join(self.command(command) for command in commands)
            if self.node(self.homes[by]).ask(f"{{:burst, {by}, [{text}]}}"):
                self.wait(SOON if any("soon" in command for command in commands) else QUIET)
            else:
                results = "skip"
        else:
            results = "skip"
        seen = self.look(results)
        mail = self.collect() if collect else {}
        return {part: value for part, value in {**seen, "mail": mail}.items() if value}

    def is_idle(self, by: int) -> bool:
        """Say whether an actor of a present life runs, as far as is known, and waits in no call."""
        return by in self.homes and self.nodes[self.homes[by]] is not None and by not in self.calling

    def direct(self, command: list[Any]) -> object:
        """Do what acts from outside."""
        match command:
            case ["spawn", number, node, trap]:
                if self.nodes[node] is None:
                    return "skip"
                self.born(number, node, self.node(node).ask(f"{{:spawn, {number}, {json.dumps(trap)}}}"))
                return "ok"
            case ["cut" | "connect" as verb, one, other]:
                if self.nodes[one] is None:
                    return "skip"
                return self.node(one).ask(f"{{:{verb}, :'{self.names[other]}'}}")
            case ["stop", one]:
                if self.nodes[one] is None:
                    return "skip"
                self.node(one).kill()
                self.nodes[one] = None
                for number in [number for number, home in self.homes.items() if home == one]:
                    del self.homes[number]
                    self.calling.discard(number)
                return "ok"
            case ["start", one]:
                if self.nodes[one] is not None:
                    return "skip"
                self.start_one(one)
                return "ok"
        raise ValueError(f"the director cannot {command!r}")

    def start_one(self, number: int) -> None:
        self.nodes[number] = Machine(self.names[number], self.beams, self.env)
        self.node(number).ready()
        self.reset(number)

    def reset(self, number: int) -> None:
        """Empty a node, and say how it is scheduled."""
        schedulers, yields = self.schedule
        self.node(number).ask(f"{{:reset, {schedulers}, {json.dumps(yields)}}}")

    def born(self, number: int, node: int, pid: str) -> None:
        self.pids[number], self.homes[number], self.birth[number] = pid, node, node
        self.numbers[pid] = number

    def command(self, command: list[Any]) -> str:
        """Write a command as Elixir."""
        name, *arguments = command
        types = TYPES[name]
        if any(type_ == "t" and value not in self.pids for type_, value in zip(types, arguments, strict=True)):
            return "[:unborn]"
        if name in {"call", "call_name"}:
            self.servers[arguments[0]] = self.birth[arguments[1]] if name == "call" else arguments[2]
        parts = [self.write(type_, value) for type_, value in zip(types, arguments, strict=True)]
        return f"[{', '.join([f':{name}', *parts])}]"

    def write(self, type_: str, value: Json) -> str:
        match type_:
            case "t":
                return f':erlang.binary_to_term(Base.decode64!("{self.pids[value].removeprefix("pid:")}"))'
            case "d":
                return f":'{self.names[value]}'"
            case "a":
                return f":{value}"
            case _:
                return json.dumps(value)

    # --------------------------------------------------------------------------------- what is seen

    def look(self, results: list[object] | str) -> dict[str, object]:
        """Ask all nodes what has happened."""
        calls: dict[str, object] = {}
        ended: dict[str, object] = {}
        now: dict[str, dict[str, object]] = {"nodes": {}, "names": {}, "groups": {}}
        answers = {str(number): node.ask(":take") for number, node in enumerate(self.nodes) if node is not None}
        for out, *_ in answers.values():
            self.note(out)
        for number, (out, nodes, groups, names) in answers.items():
            for kind, *what in out:
                if kind == "res":
                    if isinstance(results, str):
                        raise NotQuietError("a result came in a step without commands")
                    results.append(self.result(what[0]))
                elif kind == "called":
                    self.calling.discard(what[1])
                    calls[str(what[0])] = self.outcome(what[0], what[2])
                elif kind == "ended":
                    ended[str(what[0])] = what[1]
                    self.calling.discard(what[0])
            now["nodes"][number] = sorted(map(self.names.index, nodes))
            now["names"][number] = {name: self.numbers[pid] for name, pid in names}
            now["groups"][number] = {g: sorted(self.numbers[pid] for pid in pids) for g, pids in groups if pids}
        found: dict[str, object] = {"res": results, "calls": calls, "ended": ended}
        for part, before in self.seen.items():
            default: object = [] if part == "nodes" else {}
            found[part] = {key: value for key, value in now[part].items() if before.get(key, default) != value}
        self.seen = now
        return found

    def note(self, out: list[Json]) -> None:
        """Note who was born, and who waits in a call."""
        for kind, *what in out:
            if kind == "started":
                home = self.index(what[2])
                self.pids[what[0]], self.numbers[what[1]] = what[1], what[0]
                if home is not None:
                    self.homes[what[0]] = self.birth[what[0]] = home
            elif kind == "calling":
                self.calling.add(what[0])

    def index(self, name: str) -> int | None:
        return self.names.index(name) if name in self.names else None

    def result(self, value: Json) -> object:
        match value:
            case ["members", *pids]:
                return sorted(self.numbers[pid] for pid in pids)
            case [*names] if names and all(name in self.names for name in names):
                return sorted(map(self.names.index, names))
            case _:
                return value

    def outcome(self, call: int, value: Json) -> object:
        """Write how a call has ended (ND93: of a server that died of it, noconnection is nodedown)."""
        match value:
            case ["exit", ["nodedown", node]]:
                return ["exit", ["nodedown", f"node {self.names.index(node)}"]]
            case ["exit", "noconnection"]:
                return ["exit", ["nodedown", f"node {self.servers[call]}"]]
            case _:
                return value

    def collect(self) -> dict[str, dict[str, list[list[object]]]]:
        """Empty all mailboxes."""
        mail: dict[str, dict[str, list[list[object]]]] = {}
        for home, node in enumerate(self.nodes):
            mine = [n for n, at in self.homes.items() if at == home and n not in self.calling]
            if node is not None and mine:
                for number, letters in node.ask(f"{{:collect, {mine}}}"):
                    for sender, *letter in letters:
                        read = [self.numbers.get(part, part) if isinstance(part, str) else part for part in letter]
                        for one in [[read[0], pid] for pid in read[1:]] if read[0] in {"join", "leave"} else [read]:
                            mail.setdefault(str(number), {}).setdefault(self.sender(sender), []).append(one)
        return mail

    def sender(self, sender: Json) -> str:
        match sender:
            case ["name", name, node]:
                return f"name {name} {self.names.index(node)}"
            case ["monitor", node]:
                return f"monitor node {self.names.index(node)}"
            case ["group", number]:
                return f"group {number}"
            case str() if sender in self.names:
                return f"node {self.names.index(sender)}"
            case _:
                return str(self.numbers.get(sender, sender))


def environment(port: int) -> dict[str, str]:
    """Return what the nodes need: a name server of their own, on loopback."""
    return {
        **os.environ,
        "ERL_EPMD_PORT": str(port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "NODES_COOKIE": secrets.token_hex(8),
    }
