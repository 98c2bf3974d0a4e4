"""The rows of the dependency table for registries, PubSub and presences: tables of rooms above the runtime.

Also those of who counts without a message: a runtime's processes, a PubSub's topics, a supervisor's children. Who
counts changes an object that each change reads, so that the changes do not depend on one another.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any, Protocol
from unittest.mock import patch

from phxactor.otp import DynamicSupervisor, Registry, Server
from phxactor.pubsub import PubSub
from phxactor.runtime import Pid, Runtime


class Touch(Protocol):
    """Notes that the current step touches an object."""

    def __call__(self, kind: str, *name: object, changed: bool) -> None:
        """Take the name of the object, and whether the step changes it."""


@contextmanager
def touching_tables(touch: Touch) -> Iterator[None]:  # noqa: C901 - one function for each row of the table
    """Tell of each use of a registry or of PubSub while the block lasts.

    A registry's entries are named by their key. Whoever reads all keys counts as changing `keys`, which each change of
    one key reads: so changes of different keys do not depend on one another.
    """
    partition: Any = import_module("phxactor.otp._registry_partition").Partition
    directory: Any = import_module("phxactor.otp._registry_directory").Directory
    tables: Any = import_module("phxactor.pubsub._tables").Tables
    add, lookup, release, close = directory.add, directory.lookup, partition.release, partition.close
    remove, walk, update = partition.remove, partition.all, Registry.update_value
    subscribe, unsubscribe, freed = tables.add, tables._remove, tables._release  # noqa: SLF001

    def keyed(key: object, *, changed: bool) -> None:
        touch("key", repr(key), changed=changed)
        touch("keys", changed=False)

    def added(table: Any, pid: Pid, key: object, value: object) -> object:  # noqa: ANN401 - of another room
        keyed(key, changed=True)
        return add(table, pid, key, value)

    def looked_up(table: Any, key: object) -> object:  # noqa: ANN401
        touch("key", repr(key), changed=False)
        return lookup(table, key)

    def removed(table: Any, pid: Pid, key: object, match: Callable[[object], bool] | None = None) -> None:  # noqa: ANN401
        keyed(key, changed=True)
        remove(table, pid, key, match)

    def released(table: Any, pid: Pid) -> None:  # noqa: ANN401
        for key in table.keys.get(pid, ()):
            keyed(key, changed=True)
        release(table, pid)

    def closed(table: Any, owner: Pid) -> None:  # noqa: ANN401
        for key in table.entries:
            keyed(key, changed=True)
        close(table, owner)

    def walked(table: Any) -> object:  # noqa: ANN401
        touch("keys", changed=True)
        return walk(table)

    def subscribed(table: Any, topic: str, subscriber: Any) -> None:  # noqa: ANN401
        topical(topic)
        subscribe(table, topic, subscriber)

    def unsubscribed(table: Any, topic: str, subscriber: Any) -> None:  # noqa: ANN401
        topical(topic)
        unsubscribe(table, topic, subscriber)

    def gone(table: Any, pid: Pid) -> None:  # noqa: ANN401
        for topic, _ in table._subscriptions.get(pid, ()):  # noqa: SLF001
            topical(topic)
        freed(table, pid)

    def updated(registry: str, key: Hashable, function: Callable[[object], object]) -> object:
        keyed(key, changed=True)
        return update(registry, key, function)

    def topical(topic: str) -> None:
        touch("topic", topic, changed=True)
        touch("topics", changed=False)

    def reading(owner: Any, name: str) -> Any:  # noqa: ANN401
        method = getattr(owner, name)

        def read(table: Any, *args: Any, **options: Any) -> object:  # noqa: ANN401
            if args and isinstance(args[0], str):
                touch("topic", args[0], changed=False)
            return method(table, *args, **options)

        return read

    with ExitStack() as stack:
        for owner, name, function in (
            (directory, "add", added),
            (directory, "lookup", looked_up),
            (partition, "remove", removed),
            (partition, "release", released),
            (partition, "close", closed),
            (partition, "all", walked),
            (tables, "add", subscribed),
            (tables, "_remove", unsubscribed),
            (tables, "_release", gone),
        ):
            stack.enter_context(patch.object(owner, name, function))
        for name in ("broadcast", "broadcast_from", "local_broadcast", "local_broadcast_from", "subscribers"):
            if name in vars(PubSub):
                stack.enter_context(patch.object(PubSub, name, reading(PubSub, name)))
        stack.enter_context(patch.object(Registry, "update_value", staticmethod(updated)))
        for name in ("statistics", "topics", "sizes"):
            stack.enter_context(patch.object(PubSub, name, _counting(PubSub, name, "topics", touch)))
        for name in ("keys", "values", "count", "match", "select", "dispatch"):
            stack.enter_context(patch.object(Registry, name, _walking(name, touch)))
        yield


def _walking(name: str, touch: Touch) -> Any:  # noqa: ANN401
    method = getattr(Registry, name)

    def walk(*args: Any, **options: Any) -> object:  # noqa: ANN401
        touch("keys", changed=True)
        return method(*args, **options)

    return staticmethod(walk)


def _counting(owner: Any, name: str, what: str, touch: Touch) -> Any:  # noqa: ANN401
    method = getattr(owner, name)

    def count(*args: Any, **options: Any) -> object:  # noqa: ANN401
        touch(what, changed=True)
        return method(*args, **options)

    return count


@contextmanager
def reading_counts(touch: Touch, name_of: Callable[[Pid], str]) -> Iterator[None]:
    """Tell of each look at a runtime's processes, a supervisor's children and a presence while the block lasts.

    A supervisor's children are what its own steps make of them, so who looks depends on each step of the supervisor.
    """
    presences: Any = import_module("phxactor.presence._tables").Tables
    tracking: Any = import_module("phxactor.presence._tracking").Tracking
    base: Any = import_module("phxactor.otp._base_supervisor").BaseSupervisor
    locate: Any = import_module("phxactor.otp._call").locate
    start, names = Runtime.start, ("track", "update", "untrack", "untrack_all", "_release", "_forget", "end")

    def looking(method: Callable[..., object]) -> Any:  # noqa: ANN401
        def look(supervisor: Server) -> object:
            pid = locate(supervisor)
            if pid is not None:
                touch("memory", name_of(pid), changed=False)
            return method(supervisor)

        return staticmethod(look)

    def started(*args: Any, **options: Any) -> Pid:  # noqa: ANN401 - as the method has it
        touch("processes", changed=False)
        return start(*args, **options)

    def tables_of(owner: Any, runtime: Runtime | None = None) -> object:  # noqa: ANN401
        touch("presence", changed=False)
        return found(owner, runtime)

    def changing(method: Callable[..., object]) -> Any:  # noqa: ANN401
        def change(*args: Any, **options: Any) -> object:  # noqa: ANN401
            touch("presence", changed=True)
            return method(*args, **options)

        return change

    found: Any = vars(tracking)["_tables"].__func__
    with ExitStack() as stack:
        for owner, name in (
            (base, "statistics"),
            (DynamicSupervisor, "pids"),
            (DynamicSupervisor, "count"),
        ):
            stack.enter_context(patch.object(owner, name, looking(getattr(owner, name))))
        stack.enter_context(patch.object(Runtime, "start", started))
        stack.enter_context(patch.object(Runtime, "statistics", _counting(Runtime, "statistics", "processes", touch)))
        stack.enter_context(patch.object(tracking, "_tables", classmethod(tables_of)))
        for name in names:
            stack.enter_context(patch.object(presences, name, changing(getattr(presences, name))))
        yield
