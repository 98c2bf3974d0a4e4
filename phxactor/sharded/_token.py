"""Fencing tokens: what a store compares, so that an owner that is no longer one changes nothing (NO25)."""

from __future__ import annotations

import attrs

from phxactor.distribution import message


@message("phxactor.sharded.token")
@attrs.frozen(order=True)
class Token:
    """The right to be a key's server, larger for each later start: a store refuses a write with a smaller one.

    Of two starts of one key in views that have a member in common, the later one has the larger token; so has a start
    after a node was frozen, and has lost its keys meanwhile. In a split with `on_split="both"` both sides start, and
    the tokens only tell them apart.
    """

    view: int
    node: bytes
    start: int
