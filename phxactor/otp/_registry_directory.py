"""The directory of a registry: its partitions and options, which lookups find by the registry's name."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeAlias

import attrs

from phxactor.otp._partition_supervisor import slot
from phxactor.otp._registry_lock import Locks
from phxactor.otp._registry_partition import Partition
from phxactor.otp._results import Error, Ok
from phxactor.runtime import NameTakenError, Pid, send, whereis

Entries: TypeAlias = "list[tuple[Pid, object]]"
Meta: TypeAlias = Mapping[Hashable, object]


class Directory:
    """The partitions and options of a registry; it is in the process dictionary of the registry's supervisor."""

    def __init__(
        self, name: str, *, unique: bool, by_key: bool, count: int, listeners: Iterable[str], meta: Meta | None
    ) -> None:
        """Start without partitions; the processes of the partitions enter them."""
        self.name = name
        self.unique = unique
        self.by_key = by_key
        """Whether an entry's partition is selected by its key, not by its process."""
        self.count = count
        self.listeners = tuple(listeners)
        self.meta = dict(meta or {})
        self.partitions: dict[int, Partition] = {}
        self.locks: Locks = {}

    def partition(self, key: Hashable, pid: Pid) -> Partition:
        """Return the partition for an entry."""
        return self.partitions[slot(key if self.by_key else pid.number, self.count)]

    def of_key(self, key: Hashable) -> list[Partition]:
        """Return the partitions in which a key may be."""
        return [self.partitions[slot(key, self.count)]] if self.by_key else list(self.partitions.values())

    def add(self, pid: Pid, key: Hashable, value: object) -> Ok[Pid] | Error:
        """Enter a process, unless a living process has the unique key (RG2 to RG5), and tell the listeners."""
        partition = self.partition(key, pid)
        if self.unique:
            for other in list(partition.entries.get(key, ())):
                if other.alive:
                    return Error(("already_registered", other))
                partition.remove(other, key)  # the other process is ending, so it loses the key (RG4)
        partition.add(pid, key, value)
        self.tell("register", key, pid, value)
        return Ok(partition.owner)

    def lookup(self, key: Hashable) -> list[Entries]:
        """List the entries of a key, one list for each partition; if keys are unique, of living processes (RG9)."""
        found = [
            [(pid, value) for pid, values in partition.entries.get(key, {}).items() for value in values]
            for partition in self.of_key(key)
        ]
        if self.unique:
            found = [[(pid, value) for pid, value in entries if pid.alive] for entries in found]
        return [entries for entries in found if entries]

    def tell(self, event: str, *fields: object) -> None:
        """Send an event to the listeners; raises NoProcessError if a listener's name is not registered (RG17)."""
        for listener in self.listeners:
            send(listener, (event, self.name, *fields))


@attrs.frozen
class RegisteredName:
    """A registry key as the name of a process, usable wherever a name is accepted (RG9 to RG11)."""

    registry: str
    key: Hashable
    value: object = attrs.field(default=None, eq=False)

    def register(self, pid: Pid) -> None:
        """Register the process; raises NameTakenError if a living process has the key."""
        if isinstance(unique_directory_of(self.registry).add(pid, self.key, self.value), Error):
            raise NameTakenError(f"the key {self.key!r} of registry {self.registry!r} is taken")

    def unregister(self, pid: Pid) -> None:
        """Free the key; does nothing if the registry has ended."""
        directory = _find(self.registry)
        if directory is not None:
            directory.partition(self.key, pid).remove(pid, self.key)

    def whereis(self) -> Pid | None:
        """Return the living process that has the key, or None (RG9)."""
        found = unique_directory_of(self.registry).lookup(self.key)
        return found[0][0][0] if found else None


def directory_of(registry: str) -> Directory:
    """Find a registry by name; raises LookupError if there is none (RG20)."""
    directory = _find(registry)
    if directory is None:
        raise LookupError(f"no registry is registered as {registry!r}")
    return directory


def unique_directory_of(registry: str) -> Directory:
    """Find a registry whose keys can name processes; raises ValueError if its keys are not unique (RG11)."""
    directory = directory_of(registry)
    if not directory.unique:
        raise ValueError(f"the keys of registry {registry!r} are not unique, so they cannot name a process")
    return directory


def _find(registry: str) -> Directory | None:
    pid = whereis(registry)
    directory = None if pid is None else (pid.dictionary or {}).get(Directory)
    return directory if isinstance(directory, Directory) else None
