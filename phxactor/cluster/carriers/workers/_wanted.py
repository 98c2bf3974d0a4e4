"""Wanted: a place that an endpoint of a worker wants to listen on. The parent opens it once, for all workers."""

from __future__ import annotations

from typing import Self

import attrs
import cattrs
import orjson

from phxactor.cluster.carriers.workers._control import ControlError


@attrs.frozen(kw_only=True)
class Wanted:
    """A place to listen on. Two workers that want equal places get the same socket."""

    endpoint: str
    """The name of the endpoint."""
    number: int
    """Which of the endpoint's places it is, from 0."""
    host: str = ""
    """A host name or an IP address; empty for a Unix socket, and for a socket that the program has opened."""
    port: int = 0
    """A TCP port; 0 for any free one."""
    path: str | None = None
    """The path of a Unix socket."""
    mode: int = 0
    """The permissions of the Unix socket's file."""
    secure: bool = False
    """Whether connections are encrypted with TLS: for the line that says where the program listens."""
    offered: bool = False
    """Whether the program has a listening socket for it: the next one of the descriptors that came with `Hello`."""

    def encode(self) -> str:
        """Write it as JSON."""
        return orjson.dumps(attrs.asdict(self)).decode()

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read what `encode` has written. Raises ControlError."""
        try:
            return cattrs.structure(orjson.loads(text), cls)
        except Exception as error:
            raise ControlError(f"no place to listen on: {text!r:.200}") from error
