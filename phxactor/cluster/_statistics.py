"""The counts of a node, and its health."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs


@attrs.frozen
class Away:
    """A carrier that cannot carry now."""

    carrier: str
    """Its name."""
    why: str
    """In words; without credentials."""
    since: float
    """Seconds of the runtime's clock."""
    at: float
    """Seconds since 1970, for people."""


@attrs.frozen
class Health:
    """Whether a node hears and is heard."""

    state: Literal["ready", "degraded"]
    """degraded while a carrier is away: clients here are served, and miss what other nodes say."""
    away: tuple[Away, ...] = ()
    """The carriers that are away."""


@attrs.frozen
class CarrierStatistics:
    """The counts of one carrier, since the cluster started here."""

    nodes: int
    """Other nodes that it reaches now."""
    away: Away | None
    """Since when it cannot carry, and why; None while it can."""
    sent: int
    """Messages handed to it."""
    sent_bytes: int
    """Their bytes."""
    received: int
    """Messages that it has brought."""
    received_bytes: int
    """Their bytes."""
    dropped: int
    """Messages that could not go."""
    dropped_bytes: int
    """Their bytes."""
    refused: Mapping[str, int]
    """Messages that were dropped when they came, by fault, such as "forged" or "version"."""
    gaps: int
    """Gaps that it has told."""
    last_heard: float | None
    """When it last brought a message, in seconds of the runtime's clock; None if it has not yet."""


@attrs.frozen
class NodeStatistics:
    """The counts of this node."""

    nodes: int
    """Other nodes that are up."""
    lanes: int
    """Lanes that are watched, or were until some seconds ago."""
    unconfirmed: int
    """Lanes of them that some carrier has not confirmed."""
    carriers: Mapping[str, CarrierStatistics]
    """The counts of each carrier, by name."""
