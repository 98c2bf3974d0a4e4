"""Registry: any hashable key leads to processes, which register themselves and vanish from it when they end.

    await Registry.start_link(name="rooms", keys="unique")
    Registry.register("rooms", "lobby", {"members": 0})
    [(pid, value)] = Registry.lookup("rooms", "lobby")

    await Room.start_link(name=Registry.via("rooms", "lobby"))
    await call(Registry.via("rooms", "lobby"), "who")

A registry is a supervisor over partitions (see `registry_partition`). All that is not `async` here runs in the caller,
at once. An unknown registry is a LookupError (RG20).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Literal, TypeAlias

from phxactor.otp._child_spec import ChildSpec
from phxactor.otp._registry_directory import Directory, Entries, Meta, RegisteredName, directory_of, unique_directory_of
from phxactor.otp._registry_lock import KeyLock
from phxactor.otp._registry_partition import RegistryPartition
from phxactor.otp._results import Error, Ignore, Ok
from phxactor.otp._supervisor import Supervisor
from phxactor.otp._supervisor_flags import Supervise
from phxactor.otp._task import Task
from phxactor.runtime import NoProcessError, Pid, self_pid

Keys: TypeAlias = Literal["unique", "duplicate"] | tuple[Literal["duplicate"], Literal["pid", "key"]]
Match: TypeAlias = Callable[[object], bool]
"""Tells whether a value is meant."""
Select: TypeAlias = Callable[[Hashable, Pid, object], bool]
"""Tells whether an entry (key, process, value) is meant."""


class Registry(Supervisor):
    """The functions of a registry, and its supervisor; never made by hand."""

    async def init(self, directory: Directory) -> Supervise:
        """Let lookups find the directory; unique keys are spread over all partitions, so those fall together (RG21)."""
        pid = self_pid()
        pid.dictionary = {**(pid.dictionary or {}), Directory: directory}
        children = [
            ChildSpec(id=index, start=(RegistryPartition.start_link, (directory.partitions, index), {}))
            for index in range(directory.count)
        ]
        return Supervise(children, strategy="one_for_all" if directory.by_key else "one_for_one")

    @classmethod
    async def start_link(  # type: ignore[override]
        cls,
        *,
        name: str,
        keys: Keys,
        partitions: int = 1,
        listeners: Sequence[str] = (),
        meta: Meta | None = None,
        timeout: float | None = None,
    ) -> Ok[Pid] | Error | Ignore:
        """Start one, linked to the caller.

        `keys`: "unique", or "duplicate" for many processes, and many entries of one, under one key. `partitions` are
        chosen by key if unique, else by process, or by key with ("duplicate", "key"). `listeners` are names of
        processes that are sent `("register", registry, key, pid, value)` and `("unregister", registry, key, pid)`
        (RG16). Raises TypeError or ValueError for what cannot be meant so (RG1).
        """
        _check(name, keys, partitions, listeners, meta)
        directory = Directory(
            name,
            unique=keys == "unique",
            by_key=keys in ("unique", ("duplicate", "key")),
            count=partitions,
            listeners=listeners,
            meta=meta,
        )
        return await super().start_link(directory, name=name, timeout=timeout)

    # ---------------------------------------------------------------------------------------- own entries

    @staticmethod
    def register(registry: str, key: Hashable, value: object = None) -> Ok[Pid] | Error:
        """Register the current process, and answer `Ok(pid of the partition)`, which it is linked to from now on (RG2).

        Unique keys: `Error(("already_registered", pid))` if a living process has it, this one too (RG3).
        """
        return directory_of(registry).add(self_pid(), key, value)

    @staticmethod
    def unregister(registry: str, key: Hashable) -> None:
        """Remove all that the current process has under the key; no error if that is nothing (RG6)."""
        directory, me = directory_of(registry), self_pid()
        directory.partition(key, me).remove(me, key)
        directory.tell("unregister", key, me)

    @staticmethod
    def unregister_match(registry: str, key: Hashable, match: Match) -> None:
        """Remove those of the current process's entries under the key whose value matches (RG7), and tell (RG16)."""
        directory, me = directory_of(registry), self_pid()
        directory.partition(key, me).remove(me, key, match)
        directory.tell("unregister", key, me)

    @staticmethod
    def update_value(
        registry: str, key: Hashable, function: Callable[[object], object]
    ) -> Ok[tuple[object, object]] | Error:
        """Make `function(value)` the value of the current process's own unique key; answer `Ok((new, old))` (RG14)."""
        me = self_pid()
        values = unique_directory_of(registry).partition(key, me).entries.get(key, {}).get(me)
        if values is None:
            return Error("not_found")
        old = values[0]
        values[0] = function(old)
        return Ok((values[0], old))

    # -------------------------------------------------------------------------------------------- lookups

    @staticmethod
    def lookup(registry: str, key: Hashable) -> Entries:
        """List `(pid, value)` of the key; at most one, who is alive, if keys are unique (RG13)."""
        return [entry for entries in directory_of(registry).lookup(key) for entry in entries]

    @staticmethod
    def keys(registry: str, pid: Pid) -> list[Hashable]:
        """List the keys of a process, each as often as it has entries."""
        return [
            key
            for partition in directory_of(registry).partitions.values()
            for key in partition.keys.get(pid, ())
            for _ in partition.entries[key][pid]
        ]

    @staticmethod
    def values(registry: str, key: Hashable, pid: Pid) -> list[object]:
        """List the values of a process under a key."""
        return list(directory_of(registry).partition(key, pid).entries.get(key, {}).get(pid, ()))

    @staticmethod
    def count(registry: str) -> int:
        """Count the entries."""
        return Registry.count_select(registry, lambda *_: True)

    @staticmethod
    def match(registry: str, key: Hashable, match: Match) -> Entries:
        """List `(pid, value)` of the key where the value matches."""
        return [(pid, value) for pid, value in Registry.lookup(registry, key) if match(value)]

    @staticmethod
    def count_match(registry: str, key: Hashable, match: Match) -> int:
        """Count what `match` would list."""
        return len(Registry.match(registry, key, match))

    @staticmethod
    def select(registry: str, select: Select) -> list[tuple[Hashable, Pid, object]]:
        """List all entries `(key, pid, value)` that are meant."""
        partitions = directory_of(registry).partitions.values()
        return [entry for partition in partitions for entry in partition.all() if select(*entry)]

    @staticmethod
    def count_select(registry: str, select: Select) -> int:
        """Count what `select` would list."""
        return len(Registry.select(registry, select))

    # ------------------------------------------------------------------------------------------ addressing

    @staticmethod
    def via(registry: str, key: Hashable, value: object = None) -> RegisteredName:
        """Name a process by a unique key; `value` is stored when it registers (RG10)."""
        return RegisteredName(registry, key, value)

    @staticmethod
    def send(registry: str, key: Hashable, message: object) -> None:
        """Send to who has the unique key; raises NoProcessError if nobody has (RG12)."""
        pid = RegisteredName(registry, key).whereis()
        if pid is None:
            raise NoProcessError(f"no process has the key {key!r} of registry {registry!r}")
        pid.send(message)

    @staticmethod
    def dispatch(registry: str, key: Hashable, function: Callable[[Entries], object]) -> None:
        """Call `function([(pid, value), ...])` here, once for each partition that has the key (RG15)."""
        for entries in directory_of(registry).lookup(key):
            function(entries)

    @staticmethod
    async def dispatch_parallel(registry: str, key: Hashable, function: Callable[[Entries], object]) -> None:
        """Do as `dispatch`, with an `async def` or a function, in a task for each partition (RG15)."""
        found = directory_of(registry).lookup(key)
        await Task.await_many([Task.async_(function, entries) for entries in found], timeout=None)

    @staticmethod
    def lock(registry: str, key: Hashable) -> KeyLock:
        """Be alone under a lock of this key, which needs no entry: `async with Registry.lock(...)` (RG22)."""
        return KeyLock(directory_of(registry).locks, key)

    # ------------------------------------------------------------------------------------------------ meta

    @staticmethod
    def meta(registry: str, key: Hashable) -> Ok[object] | Error:
        """Return what is kept with the registry under a key of its own; `Error("not_found")` (RG18)."""
        meta = directory_of(registry).meta
        return Ok(meta[key]) if key in meta else Error("not_found")

    @staticmethod
    def put_meta(registry: str, key: Hashable, value: object) -> None:
        """Keep a value with the registry."""
        directory_of(registry).meta[key] = value

    @staticmethod
    def delete_meta(registry: str, key: Hashable) -> None:
        """Forget a value that was kept with the registry, if it was."""
        directory_of(registry).meta.pop(key, None)


def _check(name: object, keys: object, partitions: object, listeners: object, meta: object) -> None:
    """Refuse options that cannot be meant so (RG1)."""
    if not isinstance(name, str) or not name:
        raise TypeError(f"the name of a registry is a text, not {name!r}")
    if keys not in ("unique", "duplicate", ("duplicate", "pid"), ("duplicate", "key")):
        raise ValueError(f"keys are unique, duplicate, ('duplicate', 'pid') or ('duplicate', 'key'), not {keys!r}")
    if type(partitions) is not int or partitions < 1:
        raise ValueError(f"partitions is a whole number from 1, not {partitions!r}")
    if not isinstance(listeners, list | tuple) or not all(isinstance(listener, str) for listener in listeners):
        raise TypeError(f"listeners are registered names in a list or tuple, not {listeners!r}")
    if not isinstance(meta, Mapping | None):
        raise TypeError(f"meta is a mapping, not {meta!r}")
