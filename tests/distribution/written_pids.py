"""Processes and references that are written by a number each: what the codec is tested with."""

from __future__ import annotations

from phxactor.runtime import From, Pid, Ref


class WrittenPids:
    """Knows the processes and references that it has written."""

    def __init__(self) -> None:
        self._known: list[Pid | Ref] = []

    def _write(self, one: Pid | Ref) -> bytes:
        if one not in self._known:
            self._known.append(one)
        return bytes((self._known.index(one),))

    def _read(self, data: bytes) -> Pid | Ref:
        if len(data) != 1 or data[0] >= len(self._known):
            raise ValueError("bytes of no process")
        return self._known[data[0]]

    def to_wire(self, pid: Pid) -> bytes:
        """Write a process."""
        return self._write(pid)

    def from_wire(self, data: bytes) -> Pid:
        """Read a process."""
        pid = self._read(data)
        if not isinstance(pid, Pid):
            raise ValueError("a reference, not a process")  # noqa: TRY004 - as `Pids` says
        return pid

    def ref_to_wire(self, ref: Ref) -> bytes:
        """Write a reference; one that is no return address stays here."""
        if not isinstance(ref, From):
            raise TypeError("is a reference that is no return address")
        return self._write(ref)

    def ref_from_wire(self, data: bytes) -> Ref:
        """Read a reference."""
        ref = self._read(data)
        if not isinstance(ref, Ref):
            raise ValueError("a process, not a reference")  # noqa: TRY004 - as `Pids` says
        return ref
