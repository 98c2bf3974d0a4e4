"""Beats: a node says each second that it lives, and hears who no longer does. Pure: the caller passes the time.

A beat is a message of kind BEAT with the payload {"name": "shop@web1/2", "lost": 0, "version": 1}. `lost` counts the
messages that its sender could not send by this carrier; a rise of it is a gap.
"""

from __future__ import annotations

from math import inf
from typing import Final, final

import attrs
import orjson

from phxactor.cluster._node import MAX_NAME
from phxactor.envelope import EnvelopeError

INTERVAL: Final = 1.0
"""Seconds between two beats."""
SILENT: Final = 5.0
"""Seconds without a sign of life after which a node is down."""
LATE: Final = 1.0
"""Seconds by which one's own beat may be late; beyond that one was stopped oneself, and judges nobody for it."""
VERSION: Final = 1
"""The version of a beat's payload."""
_MOST: Final = 2**63 - 1


@attrs.frozen
class Beat:
    """The payload of a beat."""

    name: str
    """The name of the node that sends it."""
    lost: int
    """Messages that it could not send so far."""

    def encode(self) -> bytes:
        """Return it as JSON."""
        return orjson.dumps({"name": self.name, "lost": self.lost, "version": VERSION})

    @classmethod
    def decode(cls, payload: bytes) -> Beat:
        """Read a payload. Raises EnvelopeError for whatever is none; further fields are ignored (CL64)."""
        try:
            match orjson.loads(payload):
                case {"name": str(name), "lost": int(lost)} if (
                    0 < len(name) <= MAX_NAME and name.isprintable() and lost is not True and 0 <= lost <= _MOST
                ):
                    return cls(name, lost)
        except orjson.JSONDecodeError:
            pass
        raise EnvelopeError("json", "the payload of a beat has a name and a number of lost messages")


@final
class Beats:
    """Whom a carrier has heard, and when."""

    __slots__ = ("_gone_on", "_judged", "_lost", "_stopped", "heard")

    def __init__(self, now: float) -> None:
        self.heard: dict[bytes, float] = {}
        """When each known sender was last heard, in the caller's seconds."""
        self._lost: dict[bytes, int] = {}
        self._judged = now
        self._stopped = self._gone_on = -inf
        """When this node itself was stopped last, and when it went on."""

    def beat(self, sender: bytes, lost: int, now: float) -> bool:
        """Note a beat. Returns whether its sender has lost messages since the beat before."""
        before = self._lost.get(sender)
        self._lost[sender] = lost
        self.heard[sender] = now
        return before is not None and lost > before

    def forget(self, sender: bytes) -> int | None:
        """Forget a sender that is down; return how much it had lost, if it has said so."""
        self.heard.pop(sender, None)
        return self._lost.pop(sender, None)

    def forget_lost(self, sender: bytes) -> None:
        """Take the number of the sender's next beat as the first: what it lost until then is told otherwise."""
        self._lost.pop(sender, None)

    def silent(self, now: float) -> list[bytes]:
        """List who has been silent for too long; to be called every `INTERVAL`, after all that has come was read.

        A call that is late tells that this node itself did not run (SIGSTOP, a paused virtual machine). Nobody is
        judged by time in which this node could not hear.
        """
        late = now - self._judged - INTERVAL
        before, self._judged = self._judged, now
        if late > LATE:
            self._stopped, self._gone_on = before, now
            for sender, heard in self.heard.items():
                self.heard[sender] = min(now, heard + late)
            return []
        return [sender for sender, heard in self.heard.items() if now - heard >= SILENT]

    def missed_since(self, heard: float, now: float) -> float:
        """Return since when something may be missed of a sender that was `heard` then, before what comes now.

        A node that was stopped itself first reads what was sent at that time: so what it misses may be as old.
        """
        if now - self._judged > INTERVAL + LATE:  # it goes on, and has not judged yet
            return min(heard, self._judged)
        if now - self._gone_on <= SILENT:
            return min(heard, self._stopped)
        return heard
