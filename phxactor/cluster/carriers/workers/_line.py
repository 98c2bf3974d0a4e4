"""A line: the stream socket between two workers, what came on it and what waits for it.

The line knows no process. Its owner (`_workers`) calls `receive` when the socket is readable, then `handle` for the
frames, and `flush` at the end of a pass; the line calls its owner with what the frames say.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Final, Protocol, final

from phxactor.cluster import Node
from phxactor.cluster.carriers.workers._frames import FrameKind, FrameReader, LineError, decode_lanes, frame
from phxactor.cluster.carriers.workers._outbox import Outbox
from phxactor.cluster.carriers.workers._told_lanes import ToldLanes

READ_SIZE: Final = 64 * 1024
"""Bytes of one read."""
READS: Final = 4
"""Reads of one line in a turn, at most: together they take what the socket's buffer holds."""

_MESSAGE: Final = int(FrameKind.MESSAGE)
_BEAT: Final = int(FrameKind.BEAT)


class LineOwner(Protocol):
    """What a line calls while it handles frames."""

    def message(self, line: Line, message: bytes) -> None:
        """Take a message of the other node."""

    def missed(self, line: Line) -> None:
        """Note that messages of the other node were lost: those before the next one that comes."""

    def too_large(self, line: Line) -> None:
        """Note that a message above this node's limit was skipped."""

    def mark(self, line: Line) -> None:
        """Have the line written: it confirms lanes of the other node."""

    def listed(self, line: Line) -> None:
        """Note that all lanes of the other node are known."""

    def confirmed(self, line: Line) -> None:
        """Note that `line.confirmed` has grown."""

    def left(self, line: Line) -> None:
        """Note that the other node has said goodbye."""


@final
class Line:
    """One end of the line to another node."""

    __slots__ = (
        "_incoming",
        "_reader",
        "_received",
        "_rest",
        "_sock",
        "broken",
        "confirmed",
        "dirty",
        "ended",
        "fileno",
        "has_left",
        "heard",
        "is_listed",
        "is_silent",
        "is_up",
        "lanes",
        "node",
        "outbox",
        "since",
        "told",
        "was_up",
        "writable",
    )

    def __init__(self, node: Node, sock: socket.socket) -> None:
        """Take a connected stream socket, which the line closes."""
        sock.settimeout(0)
        self._sock = sock
        self.fileno: Final = sock.fileno()
        self.node: Final = node
        """The node at the other end."""
        self._reader = FrameReader()
        self._received = 0
        """The number of the last message that came."""
        self._rest: memoryview | None = None
        """What the socket did not take of the last chunk."""
        self._incoming: set[str] | None = None
        """A list of lanes that is not whole yet."""
        self.lanes: set[str] = set()
        """The lanes that the other node watches."""
        self.outbox = Outbox()
        self.told = ToldLanes()
        self.confirmed = -1
        """The last batch of watches that the other node has confirmed; -1: not even the first list."""
        self.heard = 0.0
        """When something came last, or when the line was opened, in seconds of the runtime's clock."""
        self.since = 0.0
        """When something came before that: what is missed now was sent since then."""
        self.is_up = False
        """Whether the node counts as up."""
        self.was_up = False
        """Whether it has been up on this line: if it is heard again, something may be missing."""
        self.is_listed = False
        """Whether the first list of lanes of the other node is in."""
        self.is_silent = False
        """Whether nothing was heard for too long."""
        self.has_left = False
        """Whether the other node has said goodbye."""
        self.ended = False
        """Whether the other end is closed: no more will come than what is read already."""
        self.broken = False
        """Whether writing has failed: the other process is gone, but what it has sent may wait to be read."""
        self.dirty = False
        """Whether the owner has it on the list of lines to be flushed."""
        self.writable = True
        """Whether the socket took all it was given; if not, the owner waits until it can take more."""

    def limit(self, max_message_bytes: int) -> None:
        """Skip messages that are longer."""
        self._reader.limit(max_message_bytes)

    # ------------------------------------------------------------------------------------------- reading

    def receive(self) -> bool:
        """Read what has come. Returns whether it was anything; sets `ended` at the end of the input."""
        reads = 0
        while reads < READS:
            try:
                data = self._sock.recv(READ_SIZE)
            except BlockingIOError:
                break
            except OSError:  # reset: the other process ended with something unread
                data = b""
            if not data:
                self.ended = True
                break
            self._reader.feed(data)
            reads += 1
            if len(data) < READ_SIZE:
                break
        return reads > 0

    def handle(self, owner: LineOwner, until: float) -> bool:
        """Handle the frames that have come, until a time of `perf_counter`. Returns whether some are left.

        Raises LineError if what came is no frame, or one that may not come there.
        """
        take = self._reader.next
        while (got := take()) is not None:
            kind, number, body = got
            if kind == _MESSAGE:
                if number != self._received + 1:
                    self._jump(owner, number, number - 1)
                self._received = number
                if body is None:
                    owner.too_large(self)
                elif not self.has_left:
                    owner.message(self, body)
            elif kind == _BEAT:
                if number != self._received:
                    self._jump(owner, number, number)
            else:
                self._control(owner, kind, number, body or b"")
            if perf_counter() > until:
                return True
        return False

    def _jump(self, owner: LineOwner, number: int, received: int) -> None:
        if received < self._received:
            raise LineError(f"the number {number} after {self._received}")
        self._received = received
        owner.missed(self)

    def _control(self, owner: LineOwner, kind: int, number: int, body: bytes) -> None:
        if kind == FrameKind.WATCH:
            (self.lanes if self._incoming is None else self._incoming).update(decode_lanes(body))
            if number:
                self.outbox.add_ahead(frame(FrameKind.CONFIRM, number))
                owner.mark(self)
        elif kind == FrameKind.UNWATCH:
            if self._incoming is not None:
                raise LineError("lanes that are not watched, in the middle of a list")
            self.lanes.difference_update(decode_lanes(body))
        elif kind == FrameKind.LIST:
            self._incoming = set()
        elif kind == FrameKind.LIST_END:
            if self._incoming is None:
                raise LineError("the end of a list that did not begin")
            self.lanes, self._incoming = self._incoming, None
            self.outbox.add_ahead(frame(FrameKind.CONFIRM, number))
            self.is_listed = True
            owner.mark(self)
            owner.listed(self)
        elif kind == FrameKind.CONFIRM:
            if not self.confirmed <= number <= self.told.told:
                raise LineError(f"the confirmation of {number}, of {self.told.told} that were told")
            self.confirmed = number
            owner.confirmed(self)
        else:  # GOODBYE: the reader knows no other kind
            self.has_left = True
            owner.left(self)

    # ------------------------------------------------------------------------------------------- writing

    def flush(self, all_lanes: Callable[[], Iterable[str]]) -> bool:
        """Write what waits, until all is written or the socket takes no more. Returns whether all is written."""
        while not self.broken:
            data = self._rest
            if data is None:
                if self.told.waits:
                    self.outbox.add_ahead(self.told.frames(all_lanes))
                chunk = self.outbox.chunk()
                if not chunk:
                    return True
                data = memoryview(chunk)
            try:
                sent = self._sock.send(data)
            except BlockingIOError:
                self._rest = data
                return False
            except OSError:
                self.broken = True
                break
            self._rest = data[sent:] if sent < len(data) else None
        self._rest = None
        return True

    def close(self) -> None:
        """Close the socket; the other node sees the end at once. A second call does nothing."""
        self._sock.close()
