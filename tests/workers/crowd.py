"""A crowd that chats over several workers, and knows what each of its members has missed or heard twice.

A member connects, joins a room, and says a number to it again and again. When its connection ends it comes back, as
another *session*. Whatever one session has heard of another must be numbers without a gap, in order: a session that
began before heard the first ones, and what a dead worker had not sent is a tail that is missing, never a hole.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import attrs
import orjson
import trio

from tests.patience import PATIENCE

REQUEST: Final = (
    b"GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
)
AGAIN: Final = 0.05
"""Seconds until a member tries again to connect."""

Speaker: TypeAlias = tuple[int, int]
"""A session of another member: the member's number, and the number of its session."""


def frame(text: bytes, opcode: int = 1) -> bytes:
    """Return a frame of a client, with a mask of zeros."""
    size = len(text)
    head = bytes((0x80 | opcode, 0x80 | size)) if size < 126 else bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big")
    return head + bytes(4) + text


def frames(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take the whole frames of a server out of a buffer."""
    while len(buffer) >= 2:
        size, start = buffer[1], 2
        if size == 126:
            size, start = int.from_bytes(buffer[2:4], "big"), 4
        if len(buffer) < start + size:
            return
        yield buffer[0] & 15, bytes(buffer[start : start + size])
        del buffer[: start + size]


@attrs.define
class Heard:
    """What one session has heard of another: the first and the last number, and what was wrong in between."""

    first: int
    last: int
    holes: int = 0
    doubles: int = 0

    def take(self, number: int) -> None:
        """Note one number more."""
        if number <= self.last:
            self.doubles += 1
        else:
            self.holes += number - self.last - 1
            self.last = number


@attrs.define
class Session:
    """One connection of a member, from its join to its end."""

    worker: int
    """The process id of its worker."""
    said: int = 0
    """The last number that it has said."""
    heard: dict[Speaker, Heard] = attrs.field(factory=dict)
    ended: bool = False


@attrs.define
class Member:
    """One client."""

    number: int
    room: str
    sessions: list[Session] = attrs.field(factory=list)
    away_since: float = 0.0
    away: list[float] = attrs.field(factory=list)
    """How many seconds it was away, each time."""
    codes: list[int] = attrs.field(factory=list)
    """The close codes of its connections; 1006 for an end without one."""

    @property
    def is_there(self) -> bool:
        """Whether it has joined."""
        return bool(self.sessions) and not self.sessions[-1].ended


class Crowd:
    """All members."""

    def __init__(self, port: int, members: int, room_size: int, interval: float) -> None:
        """Prepare; `run` lets them come. Each says something every `interval` seconds."""
        self.port = port
        self.interval = interval
        self.members = [Member(number, f"room:{number // room_size}") for number in range(members)]
        self.quiet = False
        """Whether they only listen."""

    # ------------------------------------------------------------------------------------------- asked for

    def workers(self) -> dict[int, int]:
        """Return how many members each worker has."""
        found: dict[int, int] = {}
        for member in self.members:
            if member.is_there:
                found[member.sessions[-1].worker] = found.get(member.sessions[-1].worker, 0) + 1
        return found

    def all_there(self) -> bool:
        """Whether all have joined."""
        return all(member.is_there for member in self.members)

    def all_hear(self, after: Sequence[int]) -> bool:
        """Say whether each has heard a number of each other in its room that is above the one of this list."""
        for member in self.members:
            for other, number in zip(self.members, after, strict=True):
                if other.room == member.room:
                    heard = member.sessions[-1].heard.get((other.number, len(other.sessions)))
                    if heard is None or heard.last <= number:
                        return False
        return True

    def faults(self, *, but_on: AbstractSet[int] = frozenset()) -> dict[str, int]:
        """Count what must not be: holes and doubles. Sessions on the workers `but_on` may have holes."""
        found = {"holes": 0, "doubles": 0}
        for member in self.members:
            for session in member.sessions:
                for heard in session.heard.values():
                    found["holes"] += 0 if session.worker in but_on else heard.holes
                    found["doubles"] += heard.doubles
        return {what: number for what, number in found.items() if number}

    def missing(self, *, but_on: AbstractSet[int] = frozenset()) -> dict[tuple[int, int], int]:
        """Count last words that members have not heard, by the workers of the speaker and of the member.

        To be called once nobody speaks. What is missing may only be a matter of time.
        """
        missing: dict[tuple[int, int], int] = {}
        for member in self.members:
            session = member.sessions[-1]
            for other in self.members:
                if other.room == member.room and session.worker not in but_on:
                    spoke = other.sessions[-1]
                    heard = session.heard.get((other.number, len(other.sessions)))
                    way = spoke.worker, session.worker
                    missing[way] = missing.get(way, 0) + spoke.said - (0 if heard is None else heard.last)
        return {way: number for way, number in missing.items() if number}

    # ------------------------------------------------------------------------------------------------ run

    async def run(self) -> None:
        """Let them come, chat, and come back."""
        async with trio.open_nursery() as nursery:
            for member in self.members:
                nursery.start_soon(self._live, member)

    async def _live(self, member: Member) -> None:
        member.away_since = time.monotonic()
        await trio.sleep(member.number % 50 * 0.02)
        while True:
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", self.port)
            except OSError:
                await trio.sleep(AGAIN)
                continue
            async with stream:
                try:
                    await self._session(member, stream)
                except* (trio.BrokenResourceError, OSError):
                    member.codes.append(1006)
            if member.is_there:
                member.sessions[-1].ended = True
                member.away_since = time.monotonic()
            await trio.sleep(AGAIN)

    async def _session(self, member: Member, stream: trio.SocketStream) -> None:
        await stream.send_all(REQUEST + frame(orjson.dumps(["1", "1", member.room, "phx_join", {}])))
        buffer = bytearray()
        while b"\r\n\r\n" not in buffer:
            if not (data := await stream.receive_some()):
                return
            buffer += data
        head, _, rest = bytes(buffer).partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            return
        buffer[:] = rest
        async with trio.open_nursery() as nursery:
            await self._listen(member, stream, buffer, nursery)
            nursery.cancel_scope.cancel()

    async def _listen(
        self, member: Member, stream: trio.SocketStream, buffer: bytearray, nursery: trio.Nursery
    ) -> None:
        while True:
            for opcode, text in frames(buffer):
                if opcode == 8:
                    member.codes.append(int.from_bytes(text[:2], "big"))
                    return
                if opcode == 1:
                    self._take(member, stream, orjson.loads(text), nursery)
            if not (data := await stream.receive_some()):
                member.codes.append(1006)
                return
            buffer += data

    def _take(self, member: Member, stream: trio.SocketStream, message: list[object], nursery: trio.Nursery) -> None:
        match message:
            case [_, "1", _, "phx_reply", {"status": "ok", "response": {"pid": int(pid)}}]:
                member.away.append(time.monotonic() - member.away_since)
                member.sessions.append(Session(pid))
                nursery.start_soon(self._talk, member, member.sessions[-1], stream)
            case [_, _, _, "said", {"m": int(other), "s": int(session), "n": int(number)}]:
                heard = member.sessions[-1].heard.get((other, session))
                if heard is None:
                    member.sessions[-1].heard[other, session] = Heard(number, number)
                else:
                    heard.take(number)

    async def _talk(self, member: Member, session: Session, stream: trio.SocketStream) -> None:
        await trio.sleep(self.interval * (member.number % 29) / 29)
        while True:
            if not self.quiet:
                session.said += 1
                payload = {"m": member.number, "s": len(member.sessions), "n": session.said}
                await stream.send_all(frame(orjson.dumps(["1", None, member.room, "say", payload])))
            await trio.sleep(self.interval)


@asynccontextmanager
async def crowd(port: int, members: int, *, room_size: int = 10, interval: float = 1.0) -> AsyncIterator[Crowd]:
    """Let a crowd chat that is all there when the block begins; at its end it leaves."""
    found = Crowd(port, members, room_size, interval)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(found.run)
        await until(found.all_there, "all members are there")
        await trio.sleep(interval)
        yield found
        nursery.cancel_scope.cancel()


async def until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> float:
    """Wait until something holds; return how many seconds that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, what
        await trio.sleep(0.05)
    return time.monotonic() - began


def longest_away(members: Crowd) -> float:
    """Return the longest time that one was away after its first join."""
    return max((away for member in members.members for away in member.away[1:]), default=-math.inf)
