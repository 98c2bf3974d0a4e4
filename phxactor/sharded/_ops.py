"""What one does to a key: sends, calls, watches. Each goes to the owner, whoever that is when it gets there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs

from phxactor.cluster import Node
from phxactor.runtime import Monitor, Pid, Reason, down_elsewhere, link_ended_elsewhere

if TYPE_CHECKING:
    from phxactor.sharded._key import KeyPid

Kind: TypeAlias = Literal["send", "cast", "call", "watch", "unwatch", "exit", "link_ended"]
"""
send            a message
cast, call      a request
watch           a monitor or a link of a server that runs; it starts none
unwatch         the end of that
exit            (source, reason): an exit signal
link_ended      (source, reason): a linked process has ended
"""


@attrs.frozen
class Far:
    """Who watches, on another node: its number there."""

    node: Node
    number: int


@attrs.frozen(eq=False)
class Link:
    """Who watches by a link, here."""

    owner: Pid
    target: KeyPid


Watcher: TypeAlias = "Monitor | Link | Far"


@attrs.frozen
class Op:
    """One thing that is done to a key."""

    kind: Kind
    body: object = None
    watcher: Watcher | None = None
    """Who is told of the end of the server; of a call, who waits for the answer."""


def fire(watcher: Monitor | Link, reason: Reason, *, lost: Node | None = None) -> None:
    """Tell a watcher here of an end; with `lost` it is not known to have ended, but that node is gone."""
    if isinstance(watcher, Link):
        link_ended_elsewhere(watcher.target, watcher.owner, reason)
    else:
        if lost is not None and (target := watcher.target) is not None:
            target.lost_with(watcher, lost)  # type: ignore[attr-defined]
        down_elsewhere(watcher, reason, lost=lost is not None)
