"""One partition of a registry: its entries, and the process that owns them (docs/otp-semantics.md, section 9).

Entries are read and written by whoever runs, without a message. They go with their process before anybody hears of its
end, which is stricter than on the BEAM, where lookups may name the dead for a while (RG8); and with the partition's
process, which takes all who are registered through it along, unless they trap exits (RG19).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator

from phxactor.otp._gen_server import GenServer
from phxactor.otp._results import NoReply, Stop
from phxactor.runtime import Exited, Pid, disown, own, self_pid, signals, trap_exit


class Partition:
    """The entries of one partition: any number of values for each key and process."""

    __slots__ = ("entries", "keys", "owner")

    def __init__(self, owner: Pid) -> None:
        """Start empty; `owner` is the partition's process."""
        self.owner = owner
        self.entries: dict[Hashable, dict[Pid, list[object]]] = {}
        self.keys: dict[Pid, dict[Hashable, None]] = {}
        """The keys of each process."""

    def add(self, pid: Pid, key: Hashable, value: object) -> None:
        """Enter a process, and link it to the owner; raises NoProcessError if that is gone."""
        pids = self.entries.get(key)  # raises for what cannot be a key, before anything is changed
        keys = self.keys.get(pid)
        if keys is None:
            signals.link(pid, self.owner)
            own(pid, self.release)
            keys = self.keys[pid] = {}
        keys[key] = None
        if pids is None:
            pids = self.entries[key] = {}
        pids.setdefault(pid, []).append(value)

    def remove(self, pid: Pid, key: Hashable, match: Callable[[object], bool] | None = None) -> None:
        """Remove what a process has under a key, or of that the values that match; the last one unlinks it (RG6)."""
        pids = self.entries.get(key)
        values = None if pids is None else pids.get(pid)
        if pids is None or values is None:
            return
        if match is not None:
            values[:] = [value for value in values if not match(value)]
            if values:
                return
        del pids[pid]
        if not pids:
            del self.entries[key]
        keys = self.keys[pid]
        del keys[key]
        if not keys:
            self.forget(pid)

    def release(self, pid: Pid) -> None:
        """Remove all entries of a process, which ends."""
        for key in list(self.keys.get(pid, ())):
            self.remove(pid, key)

    def forget(self, pid: Pid) -> None:
        """Have nothing more to do with a process."""
        del self.keys[pid]
        disown(pid, self.release)
        signals.unlink(pid, self.owner)

    def close(self, _: Pid) -> None:
        """Drop everything: the owner ends. Its links stay, to take the processes along."""
        for pid in self.keys:
            disown(pid, self.release)
        self.entries.clear()
        self.keys.clear()

    def all(self) -> Iterator[tuple[Hashable, Pid, object]]:
        """Go through all entries."""
        for key, pids in self.entries.items():
            for pid, values in pids.items():
                for value in values:
                    yield key, pid, value


class RegistryPartition(GenServer):
    """The process of a partition: links tell the registered processes of its end."""

    async def init(self, partitions: dict[int, Partition], index: int) -> None:
        """Take the place of the partition that was there before, with no entries."""
        trap_exit()
        partition = partitions[index] = Partition(self_pid())
        own(self_pid(), partition.close)

    async def handle_info(self, message: object) -> NoReply | Stop | None:
        """Ignore the ends of registered processes: their entries are gone already."""
        return None if type(message) is Exited else await super().handle_info(message)
