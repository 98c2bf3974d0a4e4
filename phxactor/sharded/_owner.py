"""Whose key it is: a pure function of the key and the nodes of a view, the same on every node.

Rendezvous hashing: each node has a weight for each key, and the largest one owns the key. So a node that comes or goes
moves only its own keys, one of N (NO32). The function is a part of the protocol (NO37): `FUNCTION` names it, nodes say
it to each other, and nodes that name another one are of no view together.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from phxactor.cluster import Node

FUNCTION: Final = "rendezvous-blake2b-8"
"""The name of the function and its parameters."""


def owner(key: str, nodes: Sequence[Node]) -> Node | None:
    """Return the node that owns a key; None if there are no nodes. Their order is without effect."""
    if not nodes:
        return None
    if len(nodes) == 1:
        return nodes[0]
    encoded = key.encode()
    return max(nodes, key=lambda node: (blake2b(encoded, digest_size=8, key=node.id).digest(), node.id))
