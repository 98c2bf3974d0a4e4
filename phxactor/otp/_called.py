"""Which call failed: what stands beside the reason in the exit of a caller."""

from __future__ import annotations

from typing import TypeAlias
from weakref import ref

import attrs

from phxactor.runtime import Pid


@attrs.frozen
class _Mention:
    """A process that an exit reason speaks of without keeping it: the process may end for that very reason."""

    pid: ref[Pid]
    text: str = attrs.field(eq=False)

    def resolve(self) -> object:
        pid = self.pid()
        return self.text if pid is None else pid


_Kept: TypeAlias = "object | _Mention | list[object | _Mention]"


def _mentioned(server: object) -> _Kept:
    if isinstance(server, Pid):
        return _Mention(ref(server), repr(server))
    return [_mentioned(one) for one in server] if isinstance(server, list) else server


@attrs.frozen(match_args=False, repr=False)
class Called:
    """Which call failed: stands beside the reason in the exit of the caller (G20 to G23)."""

    function: str
    _server: _Kept = attrs.field(converter=_mentioned)
    request: object = None
    timeout: float | None = None

    __match_args__ = ("function", "server", "request", "timeout")

    @property
    def server(self) -> object:
        """Whom it was for: an address, or of tasks their pids.

        It does not keep a process: when nobody else has the pid any more, it is the text that it was shown as.
        """
        kept = self._server
        if isinstance(kept, list):
            return [one.resolve() if isinstance(one, _Mention) else one for one in kept]
        return kept.resolve() if isinstance(kept, _Mention) else kept

    def __repr__(self) -> str:
        """Show all of it."""
        server = self.server
        shown = server if isinstance(self._server, _Mention) and isinstance(server, str) else repr(server)
        return f"Called(function={self.function!r}, server={shown}, request={self.request!r}, timeout={self.timeout!r})"
