"""pykka: actors on threads, each with a queue; no links."""

from __future__ import annotations

import os
from threading import Event
from time import process_time_ns
from typing import Final

import pykka

from benchmarks.actors.systems import Work
from benchmarks.os_process import OsProcess

ROUND_TRIPS: Final = 10_000
SPAWNS: Final = 3000
IDLE: Final = 1000


class Player(pykka.ThreadingActor):
    """Sends each message on to its partner, which is told first; and lets it be known after so many."""

    def __init__(self, done: Event) -> None:
        super().__init__()
        self._done = done
        self._left = ROUND_TRIPS
        self._partner: pykka.ActorRef[Player]

    def on_receive(self, message: object) -> None:
        """Take one."""
        if isinstance(message, pykka.ActorRef):
            self._partner = message
        elif self._left:
            self._left -= 1
            self._partner.tell(message)
        else:
            self._done.set()


class Server(pykka.ThreadingActor):
    """Answers with what it was asked."""

    def on_receive(self, message: object) -> object:
        """Answer."""
        return message


def _round_trip() -> float:
    done = Event()
    one, other = Player.start(done), Player.start(done)
    one.tell(other)
    other.tell(one)
    began = process_time_ns()
    one.tell("ball")
    done.wait()
    taken = process_time_ns() - began
    pykka.ActorRegistry.stop_all()
    return taken / 1e3 / ROUND_TRIPS


def _spawn() -> float:
    began = process_time_ns()
    for _ in range(SPAWNS):
        Server.start().stop()
    return (process_time_ns() - began) / 1e3 / SPAWNS


def _call() -> float:
    server = Server.start()
    began = process_time_ns()
    for _ in range(ROUND_TRIPS):
        server.ask(None)
    taken = process_time_ns() - began
    pykka.ActorRegistry.stop_all()
    return taken / 1e3 / ROUND_TRIPS


def _idle() -> float:
    own = OsProcess(os.getpid())
    before = own.rss_kb()
    for _ in range(IDLE):
        Server.start()
    weight = (own.rss_kb() - before) / IDLE
    pykka.ActorRegistry.stop_all()
    return weight


WORK: Final[Work] = {"round_trip": _round_trip, "spawn": _spawn, "call": _call, "idle": _idle}
