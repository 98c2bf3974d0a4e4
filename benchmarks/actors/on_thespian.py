"""thespian: actors in one thread (its `simpleSystemBase`, the cheapest of its systems); no links."""

from __future__ import annotations

import os
from time import process_time_ns
from typing import Final

from thespian.actors import Actor, ActorAddress, ActorExitRequest, ActorSystem

from benchmarks.actors.systems import Work
from benchmarks.os_process import OsProcess

ROUND_TRIPS: Final = 10_000
SPAWNS: Final = 3000
IDLE: Final = 1000


class Server(Actor):  # type: ignore[misc]  # thespian has no types
    """Answers with what it was asked."""

    def receiveMessage(self, message: object, sender: ActorAddress) -> None:  # noqa: N802 - thespian's name
        """Answer."""
        if not isinstance(message, ActorExitRequest):
            self.send(sender, message)


class Player(Actor):  # type: ignore[misc]  # the same
    """Plays with the partner that it is told, and answers after so many round trips."""

    def receiveMessage(self, message: object, sender: ActorAddress) -> None:  # noqa: N802 - thespian's name
        """Take one."""
        if isinstance(message, ActorAddress):
            self.partner, self.asker, self.left = message, sender, ROUND_TRIPS
            self.send(self.partner, "ball")
        elif message == "ball":
            self.left -= 1
            self.send(self.partner if self.left else self.asker, message)


def _round_trip() -> float:
    system = ActorSystem("simpleSystemBase")
    one, other = system.createActor(Player), system.createActor(Server)
    began = process_time_ns()
    system.ask(one, other)
    taken = process_time_ns() - began
    system.shutdown()
    return taken / 1e3 / ROUND_TRIPS


def _spawn() -> float:
    system = ActorSystem("simpleSystemBase")
    began = process_time_ns()
    for _ in range(SPAWNS):
        system.tell(system.createActor(Server), ActorExitRequest())
    taken = process_time_ns() - began
    system.shutdown()
    return taken / 1e3 / SPAWNS


def _call() -> float:
    system = ActorSystem("simpleSystemBase")
    server = system.createActor(Server)
    began = process_time_ns()
    for _ in range(ROUND_TRIPS):
        system.ask(server, "question")
    taken = process_time_ns() - began
    system.shutdown()
    return taken / 1e3 / ROUND_TRIPS


def _idle() -> float:
    own = OsProcess(os.getpid())
    system = ActorSystem("simpleSystemBase")
    before = own.rss_kb()
    for _ in range(IDLE):
        system.createActor(Server)
    weight = (own.rss_kb() - before) / IDLE
    system.shutdown()
    return weight


WORK: Final[Work] = {"round_trip": _round_trip, "spawn": _spawn, "call": _call, "idle": _idle}
