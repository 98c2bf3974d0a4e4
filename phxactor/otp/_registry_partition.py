"""One partition of a registry: its entries, and the process that owns them (docs/otp-semantics.md, section 9).

Any process reads and writes entries directly, without a message. Entries go when their process ends, before any other
process hears of its end. That is stricter than on the BEAM, where lookups may return dead processes for a while (RG8).
When the partition's process ends, its entries go too, and so do the registered processes that do not trap exits (RG19).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator

from phxactor.otp._gen_server import GenServer
from phxactor.otp._results import NoReply, Stop
from phxactor.runtime import Exited, Pid, add_link, disown, drop_link, own, self_pid, trap_exit


class Partition:
    """The entries of one partition: any number of values for each key and process."""

    __slots__ = ("entries", "keys", "owner")

    def __init__(self, owner: Pid) -> None:
        """Start empty; `owner` is the partition's process."""
        self.owner = owner
        self.entries: dict[Hashable, dict[Pid, list[object]]] = {}
        self.keys: dict[Pid, dict[Hashable, None]] = {}
        """The keys of each process, in the order of registration."""

    def add(self, pid: Pid, key: Hashable, value: object) -> None:
        """Enter a process, and link it to the owner; raises NoProcessError if the owner has ended."""
        pids = self.entries.get(key)  # raises TypeError for an unhashable key, before anything is changed
        keys = self.keys.get(pid)
        if keys is None:
            add_link(pid, self.owner)
            own(pid, self.release)
            keys = self.keys[pid] = {}
        keys[key] = None
        if pids is None:
            pids = self.entries[key] = {}
        pids.setdefault(pid, []).append(value)

    def remove(self, pid: Pid, key: Hashable, match: Callable[[object], bool] | None = None) -> None:
        """Remove the values of a process under a key, or only those that match.

        Without any entry left, the process is unlinked from the owner (RG6).
        """
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
        """Remove all entries of a process that ends."""
        for key in list(self.keys.get(pid, ())):
            self.remove(pid, key)

    def forget(self, pid: Pid) -> None:
        """Unlink a process that has no entries left."""
        del self.keys[pid]
        disown(pid, self.release)
        drop_link(pid, self.owner)

    def close(self, _: Pid) -> None:
        """Drop all entries, since the owner ends. Its links stay, so that they end the registered processes."""
        for pid in self.keys:
            disown(pid, self.release)
        self.entries.clear()
        self.keys.clear()

    def all(self) -> Iterator[tuple[Hashable, Pid, object]]:
        """Iterate over all entries `(key, pid, value)`."""
        for key, pids in self.entries.items():
            for pid, values in pids.items():
                for value in values:
                    yield key, pid, value


class RegistryPartition(GenServer):
    """The process of a partition. Links tell the registered processes of its end."""

    async def init(self, partitions: dict[int, Partition], index: int) -> None:
        """Replace the previous partition at this index by an empty one."""
        trap_exit()
        partition = partitions[index] = Partition(self_pid())
        own(self_pid(), partition.close)

    async def handle_info(self, message: object) -> NoReply | Stop | None:
        """Ignore the exits of registered processes: their entries are gone already."""
        return None if type(message) is Exited else await super().handle_info(message)
