"""The rows of the dependency table for registries and PubSub: their tables belong to the rooms above the runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any, Protocol
from unittest.mock import patch

from phxactor.otp import Registry
from phxactor.pubsub import PubSub
from phxactor.runtime import Pid


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
    remove, walk = partition.remove, partition.all
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
        touch("topic", topic, changed=True)
        subscribe(table, topic, subscriber)

    def unsubscribed(table: Any, topic: str, subscriber: Any) -> None:  # noqa: ANN401
        touch("topic", topic, changed=True)
        unsubscribe(table, topic, subscriber)

    def gone(table: Any, pid: Pid) -> None:  # noqa: ANN401
        for topic, _ in table._subscriptions.get(pid, ()):  # noqa: SLF001
            touch("topic", topic, changed=True)
        freed(table, pid)

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
        for name in ("keys", "values", "count", "match", "select", "dispatch"):
            stack.enter_context(patch.object(Registry, name, _walking(name, touch)))
        yield


def _walking(name: str, touch: Touch) -> Any:  # noqa: ANN401
    method = getattr(Registry, name)

    def walk(*args: Any, **options: Any) -> object:  # noqa: ANN401
        touch("keys", changed=True)
        return method(*args, **options)

    return staticmethod(walk)
