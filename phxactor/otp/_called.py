"""The description of a failed call, beside the reason in the exit of the caller."""

from __future__ import annotations

from typing import TypeAlias
from weakref import ref

import attrs

from phxactor.runtime import Pid


@attrs.frozen
class _Mention:
    """A weak reference to a process in an exit reason; a strong one is a cycle if the process ends with that reason."""

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
    """The failed call; it stands beside the reason in the exit of the caller (G20 to G23)."""

    function: str
    _server: _Kept = attrs.field(converter=_mentioned)
    request: object = None
    timeout: float | None = None

    __match_args__ = ("function", "server", "request", "timeout")

    @property
    def server(self) -> object:
        """The address of the server, or a list of the pids of tasks.

        It holds a pid only weakly: if nothing else refers to the pid any more, it is the pid's `repr` instead.
        """
        kept = self._server
        if isinstance(kept, list):
            return [one.resolve() if isinstance(one, _Mention) else one for one in kept]
        return kept.resolve() if isinstance(kept, _Mention) else kept

    def __repr__(self) -> str:
        """Show all fields."""
        server = self.server
        shown = server if isinstance(self._server, _Mention) and isinstance(server, str) else repr(server)
        return f"Called(function={self.function!r}, server={shown}, request={self.request!r}, timeout={self.timeout!r})"
