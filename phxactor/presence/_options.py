"""The options of a Presence or Tracker: the keywords of its class."""

from __future__ import annotations

from functools import partial
from typing import Final

import attrs

from phxactor import _checks as check
from phxactor.pubsub import PubSub
from phxactor.runtime import check_name

META_BYTES: Final = 1024
"""Most bytes of a meta as JSON, by default (PR150)."""
LEAST_STATE_BYTES: Final = 1024
"""The smallest limit of the parts of a state, in bytes."""
CALLBACK_LIMIT: Final = 5.0
"""Seconds that one call of `fetch`, `handle_metas` and the like may take (PR27a)."""
AT_ONCE: Final = 200
"""Elements of a topic up to which each change is a diff of its own, at once."""
GROWTH: Final = 100_000
"""Elements of a topic for each second of the window in which changes become one diff."""
LONGEST: Final = 1.0
"""Seconds of the longest window."""


def window_of(count: int) -> float:
    """Return the seconds in which the changes of a topic with that many elements become one diff (PR45, PR146)."""
    return 0.0 if count <= AT_ONCE else min(LONGEST, count / GROWTH)


@attrs.frozen
class Options:
    """The options of one class."""

    name: str = attrs.field(validator=lambda _self, _field, name: check_name(name))
    """The registered name, by which trackers of several nodes find each other, too."""
    pubsub: PubSub | None
    """The PubSub whose subscribers get diffs; None for a Tracker."""
    state_event: str = "presence_state"
    diff_event: str = "presence_diff"
    max_meta_bytes: int = attrs.field(default=META_BYTES, validator=check.validator(check.whole))
    grace: float | None = attrs.field(default=None, validator=check.validator(check.optional(check.seconds)))
    """Seconds for which the leave of a key is held back, unless it is lost with its node."""
    max_state_bytes: int | None = attrs.field(
        default=None, validator=check.validator(check.optional(partial(check.whole, least=LEAST_STATE_BYTES)))
    )
    """Most bytes of a state, and of the diffs that follow it, for a client that joins; None for one state."""
    max_listed: int | None = attrs.field(default=None, validator=check.validator(check.optional(check.whole)))
    """Most keys of a topic that clients are shown; None for all."""
    count_event: str = "presence_count"
    max_updates_per_second: float | None = attrs.field(
        default=None, validator=check.validator(check.optional(check.per_second))
    )
