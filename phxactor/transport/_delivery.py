"""The delivery of messages to a long-poll client, and how the server knows that they have arrived.

Messages have arrived when the client's system has acknowledged the whole answer, and the client sends or closes without
a reset: its system sends a reset if the client closes without reading everything. The messages of an answer that was
cut off, or that the client did not read, go back to the session.
"""

from __future__ import annotations

from typing import Final, final

import attrs
import trio

from phxactor.http import Response

GRACE: Final = 1.0
"""Once the client polls again, seconds that an answer written whole still has to be acknowledged."""


@attrs.define(eq=False)
class Poll:
    """A call to a session. The reply is a list of messages, JSON as text, binary as base64; empty after the window.

    Where the client's connection and the session are on two nodes, each has a poll of a subclass, which tells the
    other.
    """

    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    """The scope in which the answer is written."""
    written: bool = False
    """Whether this machine's system has taken the whole answer."""
    arrived: bool = False
    """Whether the client's system has acknowledged the whole answer, and no reset says that it was not read."""

    def hurry(self) -> None:
        """Give the answer up at once; or after `GRACE` seconds, if only the acknowledgement is missing."""
        if self.written and not self.arrived:
            self.scope.deadline = trio.current_time() + GRACE
        else:
            self.scope.cancel()

    def acknowledge(self) -> None:
        """Note that the client's system has acknowledged the whole answer."""
        self.arrived = True


@final
@attrs.frozen(eq=False)
class Settled:
    """A message to a session: the answer to a poll has arrived, or never will; `poll.arrived` says which."""

    poll: Poll


@final
@attrs.frozen
class Delivery(Response):
    """The answer to a poll, with messages; the writer of the answer sets `written` and `arrived` of the poll."""

    poll: Poll = attrs.field(kw_only=True, eq=False)
