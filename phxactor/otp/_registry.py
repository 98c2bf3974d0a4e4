"""Registry: finds processes by any hashable key. A process registers itself, and its entries go when it ends.

    await Registry.start_link(name="rooms", keys="unique")
    Registry.register("rooms", "lobby", {"members": 0})
    [(pid, value)] = Registry.lookup("rooms", "lobby")

    await Room.start_link(name=Registry.via("rooms", "lobby"))
    await call(Registry.via("rooms", "lobby"), "who")

A registry is a supervisor over partitions (see `registry_partition`). Functions that are not `async` run in the caller,
at once. All functions raise LookupError for an unknown registry (RG20).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Literal, TypeAlias

from phxactor import _checks as check
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
"""Returns whether a value matches."""
Select: TypeAlias = Callable[[Hashable, Pid, object], bool]
"""Returns whether an entry (key, process, value) is selected."""


class Registry(Supervisor):
    """The supervisor of a registry, and the functions on it; programs make no instances."""

    async def init(self, directory: Directory) -> Supervise:
        """Put the directory where lookups find it, and supervise the partitions.

        If keys select the partitions, an end of one partition restarts all of them (RG21).
        """
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
        """Start a registry linked to the caller.

        `keys` is `"unique"`, or `"duplicate"` for any number of entries under one key. An entry's partition is selected
        by its key if keys are unique or `("duplicate", "key")`, else by its process. `listeners` are registered names;
        their processes get `("register", registry, key, pid, value)` and `("unregister", registry, key, pid)` (RG16).
        Raises TypeError or ValueError for a wrong option (RG1).
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
        """Register the current process, and link it to the partition's process (RG2).

        Returns `Ok(pid)` with the pid of the partition's process. If keys are unique and a living process has the key,
        even this one, returns `Error(("already_registered", pid))` (RG3).
        """
        return directory_of(registry).add(self_pid(), key, value)

    @staticmethod
    def unregister(registry: str, key: Hashable) -> None:
        """Remove all entries of the current process under the key; it is no error if there are none (RG6)."""
        directory, me = directory_of(registry), self_pid()
        directory.partition(key, me).remove(me, key)
        directory.tell("unregister", key, me)

    @staticmethod
    def unregister_match(registry: str, key: Hashable, match: Match) -> None:
        """Remove the current process's entries under the key whose values match (RG7), and tell listeners (RG16)."""
        directory, me = directory_of(registry), self_pid()
        directory.partition(key, me).remove(me, key, match)
        directory.tell("unregister", key, me)

    @staticmethod
    def update_value(
        registry: str, key: Hashable, function: Callable[[object], object]
    ) -> Ok[tuple[object, object]] | Error:
        """Set the value of the current process's unique key to `function(value)`; return `Ok((new, old))` (RG14).

        Returns `Error("not_found")` if this process does not have the key. Raises ValueError if keys are not unique.
        """
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
        """List the entries `(pid, value)` of the key; if keys are unique, at most one, of a living process (RG13)."""
        return [entry for entries in directory_of(registry).lookup(key) for entry in entries]

    @staticmethod
    def keys(registry: str, pid: Pid) -> list[Hashable]:
        """List the keys of a process, each once for every entry under it."""
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
        """List the entries `(pid, value)` of the key whose values match."""
        return [(pid, value) for pid, value in Registry.lookup(registry, key) if match(value)]

    @staticmethod
    def count_match(registry: str, key: Hashable, match: Match) -> int:
        """Count the entries that `match` would list."""
        return len(Registry.match(registry, key, match))

    @staticmethod
    def select(registry: str, select: Select) -> list[tuple[Hashable, Pid, object]]:
        """List all entries `(key, pid, value)` for which `select` is true."""
        partitions = directory_of(registry).partitions.values()
        return [entry for partition in partitions for entry in partition.all() if select(*entry)]

    @staticmethod
    def count_select(registry: str, select: Select) -> int:
        """Count the entries that `select` would list."""
        return len(Registry.select(registry, select))

    # ------------------------------------------------------------------------------------------ addressing

    @staticmethod
    def via(registry: str, key: Hashable, value: object = None) -> RegisteredName:
        """Make a process name from a unique key; `value` is stored when a process registers it (RG10)."""
        return RegisteredName(registry, key, value)

    @staticmethod
    def send(registry: str, key: Hashable, message: object) -> None:
        """Send to the process with the unique key; raises NoProcessError if there is none (RG12)."""
        pid = RegisteredName(registry, key).whereis()
        if pid is None:
            raise NoProcessError(f"no process has the key {key!r} of registry {registry!r}")
        pid.send(message)

    @staticmethod
    def dispatch(registry: str, key: Hashable, function: Callable[[Entries], object]) -> None:
        """Call `function([(pid, value), ...])` in the caller, once for each partition that has the key (RG15)."""
        for entries in directory_of(registry).lookup(key):
            function(entries)

    @staticmethod
    async def dispatch_parallel(registry: str, key: Hashable, function: Callable[[Entries], object]) -> None:
        """Do as `dispatch`, but in a task for each partition; `function` may be an `async def` (RG15)."""
        found = directory_of(registry).lookup(key)
        await Task.await_many([Task.async_(function, entries) for entries in found], timeout=None)

    @staticmethod
    def lock(registry: str, key: Hashable) -> KeyLock:
        """Return the lock of a key, for `async with Registry.lock(...)`; the key needs no entry (RG22)."""
        return KeyLock(directory_of(registry).locks, key)

    # ------------------------------------------------------------------------------------------------ meta

    @staticmethod
    def meta(registry: str, key: Hashable) -> Ok[object] | Error:
        """Return `Ok(value)` for a key of the registry's metadata, or `Error("not_found")` (RG18)."""
        meta = directory_of(registry).meta
        return Ok(meta[key]) if key in meta else Error("not_found")

    @staticmethod
    def put_meta(registry: str, key: Hashable, value: object) -> None:
        """Set a value in the registry's metadata."""
        directory_of(registry).meta[key] = value

    @staticmethod
    def delete_meta(registry: str, key: Hashable) -> None:
        """Delete a key from the registry's metadata, if it exists."""
        directory_of(registry).meta.pop(key, None)


def _check(name: object, keys: object, partitions: object, listeners: object, meta: object) -> None:
    """Raise TypeError or ValueError for a wrong option (RG1)."""
    if not isinstance(name, str) or not name:
        raise TypeError(f"the name of a registry must be a str that is not empty, not {name!r}")
    check.choice("keys", keys, ("unique", "duplicate", ("duplicate", "pid"), ("duplicate", "key")))
    check.whole("partitions", partitions)
    if not isinstance(listeners, list | tuple) or not all(isinstance(listener, str) for listener in listeners):
        raise TypeError(f"listeners must be a list or tuple of registered names, not {listeners!r}")
    if meta is not None:
        check.mapping("meta", meta)
