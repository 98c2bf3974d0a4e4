"""Messages on their way to the client of a long poll, and how it is known that they have arrived.

They have when the client's system has acknowledged the whole answer, and the client does not reset the connection
before it sends or polls again: a system does that for who closes and has not read everything. An answer that was cut,
or that its client did not live to read, has not arrived, and its messages go back to the session.
"""

from __future__ import annotations

from typing import Final, final

import attrs
import trio

from phxactor.http import Response

GRACE: Final = 1.0
"""Seconds that an answer which is written whole has to be acknowledged, once the client polls again without it."""


@final
@attrs.define(eq=False)
class Poll:
    """A call: answered by a list of messages, JSON as text and binary as base64; an empty one after the window."""

    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    """In which the answer is written."""
    written: bool = False
    """Whether the system has taken all of it."""
    arrived: bool = False
    """Whether the client's system has, and nothing shows that the client has not read it."""

    def hurry(self) -> None:
        """Wait no longer: the answer is given up, unless all that is missing is that the client's system says so."""
        if self.written and not self.arrived:
            self.scope.deadline = trio.current_time() + GRACE
        else:
            self.scope.cancel()


@final
@attrs.frozen(eq=False)
class Settled:
    """A message: what a poll was answered has arrived (`poll.arrived`), or never will."""

    poll: Poll


@final
@attrs.frozen
class Delivery(Response):
    """The answer to a poll that brings messages: whoever writes it sets `written` and `arrived` of the poll."""

    poll: Poll = attrs.field(kw_only=True, eq=False)
