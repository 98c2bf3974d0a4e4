"""The names of the Redis channels of a cluster. All begin with its prefix and a colon, so that an ACL can name them."""

from __future__ import annotations

import re
from typing import Final

from phxactor.envelope._error import EnvelopeError

_PREFIX: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


def check_prefix(prefix: str) -> str:
    """Check the prefix of a cluster: without a colon, no channel of one cluster is also one of another."""
    if not isinstance(prefix, str):
        raise TypeError(f"a prefix is text, not {prefix!r}")
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"a prefix has 1 to 64 ASCII letters, digits, '_', '-' or '.', unlike {prefix!r}")
    return prefix


def channel_of_all(prefix: str) -> bytes:
    """Return the channel that all nodes read: PREFIX:all."""
    return f"{prefix}:all".encode()


def channel_of_node(prefix: str, node: bytes) -> bytes:
    """Return the channel that only the node with this id reads: PREFIX:n:ID, the id in 32 hexadecimal digits."""
    return f"{prefix}:n:{node.hex()}".encode()


def channel_of_lane(prefix: str, lane: str) -> bytes:
    """Return the channel of a lane: PREFIX:t:LANE, and the lane of a topic is SCOPE:TOPIC."""
    try:
        return f"{prefix}:t:{lane}".encode()
    except UnicodeEncodeError:
        raise EnvelopeError("text", "half of a surrogate pair cannot become UTF-8") from None
