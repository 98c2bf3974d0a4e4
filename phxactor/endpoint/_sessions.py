"""The long-poll sessions of one start of an endpoint, by the ids that only their clients know."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import attrs

from phxactor.runtime import Pid, own

if TYPE_CHECKING:
    from phxactor.endpoint._mount import Mount


@attrs.define(eq=False)
class Session:
    """What the endpoint knows of a session."""

    pid: Pid
    mount: Mount
    """Where it was opened: it is known nowhere else."""
    waiting: int = 0
    """Bytes of its requests that are being read, or wait for its channels."""


class Sessions:
    """The sessions that there are."""

    def __init__(self) -> None:
        self._known: dict[str, Session] = {}

    def __len__(self) -> int:
        """Count the sessions."""
        return len(self._known)

    def add(self, pid: Pid, mount: Mount) -> str:
        """Give a session an id; it is forgotten when the session ends."""
        name = secrets.token_urlsafe(16)
        self._known[name] = Session(pid, mount)
        own(pid, lambda _: self._forget(name))
        return name

    def find(self, name: object, mount: Mount) -> Session | None:
        """Return the session with an id that was opened there."""
        session = self._known.get(name) if isinstance(name, str) else None
        return session if session is not None and session.mount is mount else None

    def _forget(self, name: str) -> None:
        self._known.pop(name, None)
