"""The long-poll sessions of a running endpoint, by ids that only their clients know."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import attrs

from phxactor.runtime import Pid, own

if TYPE_CHECKING:
    from phxactor.endpoint._mount import Mount


@attrs.define(eq=False)
class Session:
    """A long-poll session, as the endpoint sees it."""

    pid: Pid
    mount: Mount
    """The mount that opened the session; requests at other mounts cannot use it."""
    waiting: int = 0
    """Bytes of the session's publish requests that are being read, or that wait for its channels."""


class Sessions:
    """The open sessions of an endpoint."""

    def __init__(self) -> None:
        self._known: dict[str, Session] = {}

    def __len__(self) -> int:
        """Count the sessions."""
        return len(self._known)

    def add(self, pid: Pid, mount: Mount) -> str:
        """Add a session and return its new id; the entry goes when the session's process ends."""
        name = secrets.token_urlsafe(16)
        self._known[name] = Session(pid, mount)
        own(pid, lambda _: self._forget(name))
        return name

    def find(self, name: object, mount: Mount) -> Session | None:
        """Return the session with this id; None if there is none, or if another mount opened it."""
        session = self._known.get(name) if isinstance(name, str) else None
        return session if session is not None and session.mount is mount else None

    def _forget(self, name: str) -> None:
        self._known.pop(name, None)
