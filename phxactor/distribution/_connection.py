"""A line of signals between two nodes: all that is sent over it arrives, in order, once; or both nodes see it cut.

The node with the smaller name (and of two with one name, that with the smaller id) gives each line an epoch, which no
other line of the two has, and opens it; the other one accepts. Frames of signals are numbered. One that is missing, a
queue that is full, or another epoch is a cut: what belongs to the old epoch ends (links, monitors, calls), and what
comes of it later is dropped (NO2, NO3).

    opener     OPEN e ──▶ ... every second until accepted           up by ACCEPT e
    acceptor   RESET old ──▶ ... every second until opened          up by OPEN e, which it answers by ACCEPT e

Within a second after its last frame, a side says how many it has sent (MARK) until the other has all of them (ACK): so
a loss of the last frame shows too.

What is sent before the line is up waits for it: a program may send as soon as it hears that a node is up. After
`PATIENCE` seconds the other node counts as one that takes no signals, and nothing waits any more.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import error
from typing import Final, Literal, TypeAlias, final

from phxactor.distribution._frames import FRAME, VERSION, Frame
from phxactor.envelope import EnvelopeError

Why: TypeAlias = Literal["gap", "full", "other side", "unanswered"]
"""Why a line is cut: a frame is missing; more waits than may; the other node has cut it; it does not answer."""

MAX_WAITING: Final = 16 * 1024 * 1024
"""Bytes of signals that wait for one node, at most (NO4)."""
PATIENCE: Final = 5.0
"""Seconds after which a node that does not open or accept a line counts as one that takes no signals."""
_NOTHING: Final = b""


@final
class Connection:
    """This node's side of the line to one other node that is up."""

    __slots__ = (
        "_acked",
        "_epochs",
        "_max_bytes",
        "_on_cut",
        "_opens",
        "_post",
        "_received",
        "_since",
        "_wake",
        "broken",
        "epoch",
        "is_silent",
        "is_up",
        "sent",
        "waiting",
        "waiting_bytes",
    )

    def __init__(
        self,
        *,
        opens: bool,
        epochs: Callable[[], int],
        post: Callable[[bytes], bool],
        on_cut: Callable[[Why], object],
        wake: Callable[[], object],
        max_bytes: int,
        now: float,
    ) -> None:
        """Make a line that is not up, and ask for it.

        Args:
            opens: whether this node has the smaller name, or id.
            epochs: returns a new epoch.
            post: sends a frame; returns False if it is lost.
            on_cut: is called at each cut, when signals of the next epoch may be put already.
            wake: is called when there is something to flush, or to break: `flush` is to be called soon.
            max_bytes: the size of a frame at most, in bytes.
            now: the time, in seconds.

        """
        self._opens = opens
        self._epochs = epochs
        self._post = post
        self._on_cut = on_cut
        self._wake = wake
        self._max_bytes = max_bytes
        self._since = now
        self.is_up = False
        self.is_silent = False
        """Whether the other node takes no signals, as far as is known."""
        self.broken: Why | None = None
        """Why it will be cut by the next `flush`: a cut in the middle of a signal would meet half-made tables."""
        self.epoch = epochs() if opens else 0
        self.waiting: list[bytes] = []
        self.waiting_bytes = 0
        self.sent = self._acked = self._received = 0
        self._ask()

    # ----------------------------------------------------------------------------------------- to send

    def put(self, signal: bytes) -> None:
        """Send a signal with the next flush. Never waits; one signal too many cuts the line."""
        if self.is_silent or self.broken:
            return
        if not self.waiting:
            self._wake()
        self.waiting.append(signal)
        self.waiting_bytes += len(signal)
        if self.waiting_bytes > MAX_WAITING:
            self._break("full")

    def take_back(self, signal: bytes) -> bool:
        """Remove the signal that was put last, if this is it and it still waits. Returns whether it was."""
        if not self.waiting or self.waiting[-1] is not signal:
            return False
        self.waiting.pop()
        self.waiting_bytes -= len(signal)
        return True

    def flush(self) -> None:
        """Send what waits, if the line is up."""
        if not self.waiting or not self.is_up or self.broken:
            return
        signals, self.waiting, self.waiting_bytes = self.waiting, [], 0
        size, frame = FRAME.size, [_NOTHING]
        for signal in signals:
            if size + len(signal) > self._max_bytes and len(frame) > 1:
                self._send_frame(frame)
                size, frame = FRAME.size, [_NOTHING]
            frame.append(signal)
            size += len(signal)
        self._send_frame(frame)

    def _send_frame(self, frame: list[bytes]) -> None:
        self.sent += 1
        frame[0] = FRAME.pack(VERSION, Frame.SIGNALS, self.epoch, self.sent)
        if not self._post(b"".join(frame)):
            self._break("full")

    def _break(self, why: Why) -> None:
        if not self.broken:
            self.broken = why
            self.waiting, self.waiting_bytes = [], 0
            self._wake()

    def settle(self, now: float) -> None:
        """Cut the line if it is broken: to be called soon after each wake, never in the middle of a signal."""
        if self.broken:
            self.cut(self.broken, now)

    # ---------------------------------------------------------------------------------------- what comes

    def take(self, payload: bytes, now: float) -> bool:
        """Take a frame. Returns whether it holds signals to take. Raises EnvelopeError for what is no frame."""
        try:
            version, kind, epoch, number = FRAME.unpack_from(payload)
        except error:
            raise EnvelopeError("length", f"a frame has {FRAME.size} bytes at least") from None
        if version != VERSION:
            raise EnvelopeError("version", f"a frame of version {version}; known is {VERSION}")
        if kind == Frame.SIGNALS:
            if not self.is_up or epoch != self.epoch:
                return False
            if number != self._received + 1:
                self.cut("gap", now)
                return False
            self._received = number
            return True
        if kind in (Frame.MARK, Frame.ACK):
            self._check(kind, epoch, number, now)
        else:
            self._shake_hands(kind, epoch, now)
        return False

    def _check(self, kind: int, epoch: int, number: int, now: float) -> None:
        if not self.is_up or epoch != self.epoch:
            return
        if kind == Frame.ACK:
            self._acked = max(self._acked, min(number, self.sent))
        elif number != self._received:
            self.cut("gap", now)
        else:
            self._say(Frame.ACK, number)

    def _shake_hands(self, kind: int, epoch: int, now: float) -> None:
        if self._opens:
            if kind == Frame.ACCEPT and epoch == self.epoch:
                self._came_up()
            elif kind == Frame.RESET and self.is_up and epoch in {0, self.epoch}:
                self.cut("other side", now)
            elif kind == Frame.RESET and not self.is_up:
                if epoch == self.epoch:  # it was accepted, which did not come here, and cut
                    self.epoch = self._epochs()
                self._ask()
        elif kind == Frame.OPEN and epoch and epoch == self.epoch and not self.is_up:
            self._ask()  # this epoch was cut
        elif kind == Frame.OPEN and epoch:
            if epoch != self.epoch:
                if self.is_up:
                    self._lose("other side", now)
                self.epoch = epoch
                self.sent = self._acked = self._received = 0
            self._say(Frame.ACCEPT)
            self._came_up()

    def _came_up(self) -> None:
        if not self.is_up:
            self.is_up, self.is_silent = True, False
            if self.waiting:
                self._wake()

    # -------------------------------------------------------------------------------------- its life

    def cut(self, why: Why, now: float) -> None:
        """End this epoch, and ask for another one."""
        self._lose(why, now)
        if self._opens:
            self.epoch = self._epochs()
        self._ask()

    def _lose(self, why: Why, now: float) -> None:
        self.is_up = False
        self.broken = None
        self.waiting, self.waiting_bytes = [], 0
        self.sent = self._acked = self._received = 0
        self._since = now
        self._on_cut(why)

    def tick(self, now: float) -> None:
        """Ask again, or say how much was sent: to be called each second while `is_restless`."""
        if not self.is_up:
            if not self.is_silent and now - self._since >= PATIENCE:
                self.is_silent = True
                self._lose("unanswered", now)
            self._ask()
        elif self._acked < self.sent:
            self._say(Frame.MARK, self.sent)

    @property
    def is_restless(self) -> bool:
        """Whether it needs ticks."""
        return not self.is_up or self._acked < self.sent

    def _ask(self) -> None:
        self._say(Frame.OPEN if self._opens else Frame.RESET)

    def _say(self, kind: Frame, number: int = 0) -> None:
        self._post(FRAME.pack(VERSION, kind, self.epoch, number))
