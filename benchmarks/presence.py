"""What presence costs beside the same program without it: a storm of joins in one topic, over sockets.

    .venv/bin/python -m benchmarks.presence [ROUNDS] [--members N,...] [--at-once N]

Each member has a connection of its own. It joins, is tracked under a key of its own, and gets the state; the others get
a diff. "Plain" is the same program without presence: each join is a broadcast of the diff's size to those present, and
a push of the state's bytes, which it has ready. The figures are CPU time of the server for each join, from the first to
the last message, and their ratio; both programs have turns in each round.

    .venv/bin/python -m benchmarks.presence [ROUNDS] --again 10000

So many members of one topic join again at once, as after a blink of the network, while a client of another topic sends
echoes: how often the state was encoded, and how long an echo took at most, the median of the rounds. The members are a
process of their own, and the client of the other topic another one, so that neither holds up the other.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import ClassVar, Final

import attrs
import orjson
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks import os_process
from benchmarks.command_line import at_least_one
from benchmarks.crowd import connected, masked
from benchmarks.os_process import OsProcess, cores, raise_file_limit
from phxactor import Application, Channel, Endpoint, Ok, Presence, Socket, WebSocketOptions, channel, mount, on, run
from phxactor.presence._online import Topic
from phxactor.runtime import self_pid

WITH: Final = "presence"
PLAIN: Final = "plain"
TARGET: Final = 1.15
"""The ratio at most."""
WARM_UP: Final = 100
"""Members of the storm that comes first, and does not count."""
MEMBERS: Final = 400
"""Members of all storms of a round, each in a topic of its own: large topics have one storm, small ones many."""
_BEFORE: Final = 30.0
"""Seconds in which all members are quiet, before they join again."""
_TALK: Final = 100
"""Echoes of the client of another topic before."""
_MESSAGE: Final = 4096
"""Bytes of an answer to an echo at most."""
QUIET: Final = 0.2
"""Seconds without a message, after which all have come."""
META: Final = {"online_at": "t0"}
REF: Final = "x" * 16
"""As long as a `phx_ref`."""


def key(number: int) -> str:
    """Return the key of a member."""
    return f"user{number:05}"


class Here(Presence):
    """Who is in which room."""


class WithPresence(Channel):
    """Tracks each member."""

    presence = Here

    async def join(self, topic: str, payload: dict[str, int]) -> None:
        """Track it, and push the state."""
        self.track_after_join(key(payload["n"]), META)


class Plain(Channel):
    """Does with broadcasts and pushes of the same bytes what presence does."""

    entries: ClassVar[Sequence[bytes]] = [
        orjson.dumps(key(n)) + b":" + orjson.dumps({"metas": [{**META, "phx_ref": REF}]}) for n in range(10_000)
    ]
    states: ClassVar[dict[str, bytes]] = {}

    async def join(self, topic: str, payload: dict[str, int]) -> None:
        """Send itself a message."""
        self_pid().send(payload["n"])

    async def handle_info(self, message: object) -> None:
        """Broadcast a diff, and push a state."""
        assert isinstance(message, int)  # noqa: S101 - it has sent it itself
        state = Plain.states.get(self.topic, b"{")
        Plain.states[self.topic] = state = state + (b"" if state == b"{" else b",") + self.entries[message]
        entry = {"metas": [{**META, "phx_ref": REF}]}
        self.broadcast("presence_diff", {"joins": {key(message): entry}, "leaves": {}})
        self.push("presence_state", orjson.Fragment(state + b"}"))


class Aside(Channel):
    """Answers a client that is in no storm."""

    @on("echo")
    async def on_echo(self, payload: dict[str, int]) -> Ok[dict[str, int]]:
        """Say how often states were encoded."""
        return Ok({"encodings": Counted.encodings})


class Counted:
    """Counts how often states are encoded."""

    encodings = 0

    @classmethod
    def count(cls) -> None:
        """Count from now on."""
        encode = Topic.json

        def json(topic: Topic) -> bytes:
            cls.encodings += 1
            return encode(topic)

        Topic.json = json  # type: ignore[assignment, method-assign]


class MemberSocket(Socket, log=False):
    """Has both kinds."""

    channels = (channel(f"{WITH}:*", WithPresence), channel(f"{PLAIN}:*", Plain), channel("aside:*", Aside))


def serve(port: int) -> None:
    """Run the server."""
    Counted.count()
    websocket = WebSocketOptions(check_origin=False, compress=False, timeout=math.inf)
    endpoint = Endpoint(sockets=[mount("/socket", MemberSocket, websocket=websocket)], port=port)
    run(Application(children=[Here], endpoints=[endpoint]))


# ------------------------------------------------------------------------------------------------------ the load


class Member(WSListener):
    """One connection."""

    def __init__(self, storm: Storm) -> None:
        self.storm = storm
        self.has_state: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: WSTransport

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep what we send with."""
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a message."""
        if frame.msg_type != WSMsgType.TEXT:
            return
        head = frame.get_payload_as_memoryview()[:80].tobytes()
        storm = self.storm
        storm.last = time.monotonic()
        if b'"presence_diff"' in head:
            storm.diffs += 1
        elif b'"presence_state"' in head and not self.has_state.done():
            self.has_state.set_result(None)


class Storm:
    """So many members of one topic, who join some at a time."""

    def __init__(self, url: str, topic: str, members: int, at_once: int) -> None:
        self.url = url
        self.topic = topic
        self.members = members
        self.at_once = at_once
        self.diffs = 0
        """Messages with diffs that have come."""
        self.last = 0.0
        """When the last message came."""

    async def connect(self) -> Member:
        """Open a connection."""
        _, member = await ws_connect(partial(Member, self), self.url)
        assert isinstance(member, Member)  # noqa: S101 - it is what was made
        return member

    async def join(self, everybody: Sequence[Member], at_once: int) -> None:
        """Have all join, or join again."""
        todo = iter(enumerate(everybody))

        async def join_some() -> None:
            for number, member in todo:
                member.has_state = asyncio.get_running_loop().create_future()
                member.transport.send(WSMsgType.TEXT, orjson.dumps(["1", "1", self.topic, "phx_join", {"n": number}]))
                await member.has_state

        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(join_some())

    async def run(self, server: OsProcess) -> float:
        """Return the CPU time of the server for each join, in microseconds."""
        everybody = [await self.connect() for _ in range(self.members)]
        await asyncio.sleep(QUIET)
        before = server.cpu_ns()
        await self.join(everybody, self.at_once)
        while time.monotonic() - self.last < QUIET:  # noqa: ASYNC110 - each message would have to set an event
            await asyncio.sleep(0.02)
        taken = server.cpu_ns() - before
        for member in everybody:
            member.transport.disconnect()
        return taken / 1000 / self.members


@contextmanager
def serving(*, realtime: bool = True) -> Iterator[tuple[OsProcess, int]]:
    """Run the server on a core of its own, before others if that is allowed, and wait until it listens.

    Linux takes 50 ms of each second from what runs before others (sched_rt_runtime_us). CPU time does not see that, but
    the time that an echo takes does: then the server runs as others do.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    where = cores() if realtime else attrs.evolve(cores(), realtime=False)
    with where.children_on(where.server):
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.presence", "--serve", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    try:
        deadline = time.monotonic() + 15
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=15).close()
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                break
        yield OsProcess(process.pid), port
    finally:
        process.kill()
        process.wait()


def measured(mode: str, members: int, at_once: int) -> tuple[float, int]:
    """Return the CPU time of a join in microseconds, and how many messages with diffs came in a storm."""
    storms = max(1, MEMBERS // members)
    with serving() as (server, port):
        url = f"ws://127.0.0.1:{port}/socket/websocket?vsn=2.0.0"

        async def run_all() -> tuple[float, int]:
            await Storm(url, f"{mode}:warm-up", WARM_UP, at_once).run(server)
            taken, diffs = 0.0, 0
            for number in range(storms):
                storm = Storm(url, f"{mode}:{number}", members, at_once)
                taken += await storm.run(server)
                diffs += storm.diffs
            return taken / storms, diffs // storms

        return asyncio.run(run_all())


def main(rounds: int, sizes: Sequence[int], at_once: int) -> None:
    """Measure, and print the table."""
    raise_file_limit()
    print("| members | presence | plain | ratio | diffs that members got | plain |")
    print("|---|---|---|---|---|---|")
    for members in sizes:
        found: dict[str, list[float]] = {WITH: [], PLAIN: []}
        diffs = dict.fromkeys(found, 0)
        for number in range(rounds):
            for mode in (WITH, PLAIN)[:: 1 if number % 2 else -1]:
                figure, diffs[mode] = measured(mode, members, at_once)
                found[mode].append(figure)
        own, other = (statistics.median(found[mode]) / 1000 for mode in (WITH, PLAIN))
        print(
            f"| {members:,} | {own:.2f} ms | {other:.2f} ms | {own / other:.2f} | {diffs[WITH]:,} | {diffs[PLAIN]:,} |",
            flush=True,
        )


def main_again(rounds: int, members: int, at_once: int) -> None:
    """Have all join again, and tell what that did to another topic."""
    found = []
    for _ in range(rounds):
        with serving(realtime=False) as (_, port):
            found.append(again(port, members, at_once))
            print(
                "longest echo {:.3f} s, {} encodings, {} states, {} diffs, {:.0f} MB in {:.1f} s".format(*found[-1]),
                flush=True,
            )
    print(f"{members:,} join again: the longest echo takes {statistics.median(one[0] for one in found) * 1000:.0f} ms")


def again(port: int, members: int, at_once: int) -> tuple[float, int, int, int, float, float]:
    """Have all join again: longest echo of another topic, seconds; encodings, states, diffs, megabytes; seconds."""
    command = [sys.executable, "-m", "benchmarks.crowd", str(port), f"{WITH}:1", str(members), str(at_once)]
    crowd = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert crowd.stdin is not None  # noqa: S101 - a pipe
    assert crowd.stdout is not None  # noqa: S101 - a pipe
    try:
        crowd.stdout.readline()
        with connected(port) as aside, os_process.realtime():
            aside.sendall(masked(b'["1","1","aside:1","phx_join",{}]'))
            aside.recv(_MESSAGE)
            time.sleep(_BEFORE)
            before = max(_echo(aside) for _ in range(_TALK))
            print("again", file=crowd.stdin, flush=True)
            longest, encodings = 0.0, before
            while not select.select([crowd.stdout], [], [], 0.005)[0]:
                sent = time.monotonic()
                encodings = _echo(aside)
                longest = max(longest, time.monotonic() - sent)
        seconds, states, diffs, megabytes = map(float, crowd.stdout.readline().split())
    finally:
        crowd.kill()
        crowd.wait()
    return longest, encodings - before, int(states), int(diffs), megabytes, seconds


def _echo(aside: socket.socket) -> int:
    aside.sendall(masked(b'["1","2","aside:1","echo",{}]'))
    return int(aside.recv(_MESSAGE).partition(b'"encodings":')[2].split(b"}")[0])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.presence", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("rounds", nargs="?", type=at_least_one, default=5)
    parser.add_argument("--members", default="50,200,1000", help="members of the topic (50,200,1000)")
    parser.add_argument("--at-once", type=at_least_one, default=10, help="who join at a time (10)")
    parser.add_argument("--again", type=at_least_one, metavar="N", help="so many join again at once")
    parser.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        serve(chosen.serve)
    elif chosen.again:
        main_again(chosen.rounds, chosen.again, chosen.at_once)
    else:
        main(chosen.rounds, [int(one) for one in chosen.members.split(",")], chosen.at_once)
