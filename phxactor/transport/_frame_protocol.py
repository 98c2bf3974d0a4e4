"""The protocol object of `websockets`: made for the first frame that needs it, and taken apart afterwards.

The object and its parser, a generator, refer to each other; so do the object and the exception that stopped the parser.
Without `take_apart`, only the garbage collector would free them, and the last frame, which the parser holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from websockets.extensions import Extension
from websockets.protocol import Protocol, Side

LARGE: Final = 4096
"""After a message of more bytes than this, the object is not kept: making a new one costs little in comparison."""


def make_protocol(extensions: Iterable[Extension], max_size: int) -> Protocol:
    """Return a protocol object for the server's side of an open connection."""
    protocol = Protocol(Side.SERVER, max_size=max_size)
    protocol.extensions = list(extensions)
    return protocol


def take_apart(protocol: Protocol) -> None:
    """Break the reference cycles of a protocol object, so that its memory is freed at once. It is unusable then."""
    protocol.parser.close()
    protocol.parser_exc = None
