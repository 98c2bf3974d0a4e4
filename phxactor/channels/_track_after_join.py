"""The message by which a channel that joins is tracked once the join has been answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs

if TYPE_CHECKING:
    from phxactor.presence import Presence


@final
@attrs.frozen
class TrackAfterJoin:
    """What `Channel.track_after_join` sends to the channel's own process."""

    presence: type[Presence]
    key: object
    """None: nobody is tracked, and the state is pushed."""
    meta: object
    whole: bool
    """Whether the state must not go in parts."""
