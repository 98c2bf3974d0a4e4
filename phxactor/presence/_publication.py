"""What the clients of one topic know, and what they have yet to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from phxactor.presence._element import Changes
from phxactor.presence._held import Held
from phxactor.presence._listed import Listed
from phxactor.presence._pending import Pending

if TYPE_CHECKING:
    from phxactor.runtime import Timer


@final
class Publication:
    """What the clients of one topic know, and what they have yet to be told."""

    __slots__ = (
        "encoded",
        "ending",
        "fetched",
        "held",
        "last",
        "listed",
        "parts",
        "pending",
        "timer",
        "waits",
    )

    def __init__(self, max_listed: int | None) -> None:
        self.pending = Pending()
        self.listed = None if max_listed is None else Listed(max_listed)
        """Whom clients are shown; None for all."""
        self.waits = False
        """Whether the next diff waits: for the end of a window or of a fetch, for all clients to have the last one, or
        for the tracker's next step."""
        self.timer: Timer | None = None
        """Ends the window."""
        self.held = Held()
        self.ending: Timer | None = None
        """Ends the wait of the held leaves."""
        self.last = 0.0
        """When the last diff went out, in seconds of the runtime's clock."""
        self.fetched: tuple[Changes, Changes] | None = None
        """What has changed, and what of it is shown: the diff that is being fetched."""
        self.encoded: bytes | None = None
        """The state as JSON, as the diffs so far have made it."""
        self.parts: list[bytes] | None = None
        """The same in parts."""

    def rests(self) -> bool:
        """Say whether neither held leaves nor a count wait for their time."""
        return self.ending is None and (self.listed is None or self.listed.timer is None)

    def timers(self) -> list[Timer]:
        """Return the timers that run."""
        counting = None if self.listed is None else self.listed.timer
        return [timer for timer in (self.timer, self.ending, counting) if timer is not None]
