"""The protocol object of `websockets`: made when a frame needs it, and taken apart when none does any more.

It and its parser, a generator, refer to each other, and so do it and the error that has stopped the parser. Only the
collector would free them, and with them the last frame, which the parser keeps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from websockets.extensions import Extension
from websockets.protocol import Protocol, Side

LARGE: Final = 4096
"""Bytes of a message after which the object is not kept for the next one: to make another is little beside these."""


def make_protocol(extensions: Iterable[Extension], max_size: int) -> Protocol:
    """Make one for the server's side of an open connection."""
    protocol = Protocol(Side.SERVER, max_size=max_size)
    protocol.extensions = list(extensions)
    return protocol


def take_apart(protocol: Protocol) -> None:
    """End it: what it holds is free at once. It cannot be used any more."""
    protocol.parser.close()
    protocol.parser_exc = None
