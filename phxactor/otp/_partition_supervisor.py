"""PartitionSupervisor: several children of one kind; a key selects one of them.

    await PartitionSupervisor.start_link(DynamicSupervisor, name="rooms")
    pool = PartitionSupervisor.child("rooms", room_id)
    await DynamicSupervisor.start_child(PartitionSupervisor.via("rooms", room_id), (Room, room_id))

It is a Supervisor whose children have the ids 0 to n - 1 (docs/otp-semantics.md, section 8).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Sequence
from inspect import isawaitable
from zlib import crc32

import attrs

from phxactor import _checks as check
from phxactor.otp._call import Name, Server, locate
from phxactor.otp._called import Called
from phxactor.otp._child_spec import Child, ChildSpec, Started, child_spec
from phxactor.otp._restart import Strategy
from phxactor.otp._results import Error, Ignore, Ok
from phxactor.otp._supervisor import Supervisor
from phxactor.otp._supervisor_flags import MAX_RESTARTS, MAX_SECONDS, Supervise
from phxactor.runtime import NOPROC, Exit, NameTakenError, Pid, Reason, self_pid


def slot(key: Hashable, partitions: int) -> int:
    """Return the number of a key's partition: `abs(key) % partitions` for an int, else by a hash (PS4).

    For int, str and bytes it is the same in every run; for other keys only within one run of the program.
    """
    if type(key) is int:
        return abs(key) % partitions
    match key:
        case int():
            number = abs(key)
        case str():
            number = crc32(key.encode("utf-8", "surrogatepass"))
        case bytes():
            number = crc32(key)
        case _:
            number = hash(key)
    return number % partitions


class Partitions:
    """The pid of each partition. Lookups read it without a message to the supervisor."""

    __slots__ = ("active", "pids")

    def __init__(self, partitions: int) -> None:
        """Start with empty slots."""
        self.active = partitions
        self.pids: list[Pid | None] = [None] * partitions

    @classmethod
    def of(cls, supervisor: Server) -> Partitions:
        """Return the table of a supervisor; raises `Exit(("noproc", Called(...)))` if it does not exist."""
        return _table(supervisor)

    def at(self, number: int) -> Pid:
        """Return the child for a number from 0: a faster `PartitionSupervisor.child`, for frequent lookups.

        If the supervisor has ended, this returns the dead child. Raises `Exit("noproc")` if no partition is left.
        """
        pid = self.pids[number % self.active] if self.active else None
        if pid is None:
            raise Exit(NOPROC)
        return pid

    async def start(self, index: int, spec: ChildSpec) -> Started:
        """Start the child of a slot, and enter its pid: the start function of all children."""
        function, args, kwargs = spec.start
        started = function(*args, **kwargs)
        if isawaitable(started):
            started = await started
        if isinstance(started, Ok):
            self.pids[index] = started.value
        return started


@attrs.frozen
class PartitionName:
    """The address of a key's partition, usable wherever a name is accepted, but not to register (PS7)."""

    supervisor: Server
    key: Hashable

    def whereis(self) -> Pid | None:
        """Return the child of the key's slot; between its end and its restart, the dead child (PS5)."""
        return PartitionSupervisor.child(self.supervisor, self.key)

    def register(self, pid: Pid) -> None:
        """Raise NameTakenError: the slot belongs to a child of the supervisor."""
        raise NameTakenError(
            f"{pid!r} cannot register as the partition of {self.key!r}: it belongs to a child of {self.supervisor!r}"
        )

    def unregister(self, pid: Pid) -> None:
        """Do nothing: no process can have registered."""


class PartitionSupervisor(Supervisor):
    """Supervises `partitions` children, all from one specification."""

    async def init(self, supervise: Supervise, partitions: Partitions) -> Supervise:
        """Put the table where lookups find it."""
        self_pid().dictionary = {Partitions: partitions}
        return supervise

    @classmethod
    async def start_link(  # type: ignore[override]
        cls,
        child: Child,
        name: Name,
        *,
        partitions: int | None = None,
        with_arguments: Callable[[Sequence[object], int], Sequence[object]] | None = None,
        strategy: Strategy = "one_for_one",
        max_restarts: int = MAX_RESTARTS,
        max_seconds: int = MAX_SECONDS,
        timeout: float | None = None,
    ) -> Ok[Pid] | Error | Ignore:
        """Start a supervisor linked to the caller; by default with one partition for each core.

        `with_arguments(args, partition)` is called once for each partition, and returns its start arguments (PS3).
        Raises ValueError or TypeError for a wrong option (PS1).
        """
        count = check.whole("partitions", (os.cpu_count() or 1) if partitions is None else partitions)
        table, spec = Partitions(count), child_spec(child)
        supervise = Supervise(
            [_partition(table, spec, index, with_arguments) for index in range(count)],
            strategy=strategy,
            max_restarts=max_restarts,
            max_seconds=max_seconds,
        )
        return await super().start_link(supervise, table, name=name, timeout=timeout)

    @staticmethod
    def via(supervisor: Server, key: Hashable) -> PartitionName:
        """Return the address of the child that a key belongs to, for calls, casts and starts of children."""
        return PartitionName(supervisor, key)

    @staticmethod
    def child(supervisor: Server, key: Hashable) -> Pid:
        """Return the child that a key belongs to; between its end and its restart, the dead child (PS5).

        Raises `Exit(("noproc", Called(...)))` if the supervisor does not exist, or none of its partitions is left.
        """
        table = _table(supervisor)
        pid = table.pids[slot(key, table.active)] if table.active else None
        if pid is None:
            raise _missing(supervisor)
        return pid

    @staticmethod
    def partitions(supervisor: Server) -> int:
        """Count the partitions; raises `Exit(("noproc", Called(...)))` if the supervisor does not exist (PS6)."""
        return _table(supervisor).active

    @classmethod
    async def resize(cls, supervisor: Server, partitions: int) -> None:
        """Shut the last partitions down, or start them again, until `partitions` run (PS9).

        Raises ValueError unless `partitions` is from 0 to the number of partitions at the start.
        """
        self_pid()
        table = _table(supervisor)
        if not 0 <= partitions <= len(table.pids):
            raise ValueError(f"partitions must be a number from 0 to {len(table.pids)} here, not {partitions!r}")
        before, table.active = table.active, min(partitions, table.active)
        for index in reversed(range(partitions, before)):
            await cls.terminate_child(supervisor, index)
        for index in range(before, partitions):
            await cls.restart_child(supervisor, index)
            table.active = index + 1


def _partition(
    table: Partitions,
    spec: ChildSpec,
    index: int,
    with_arguments: Callable[[Sequence[object], int], Sequence[object]] | None,
) -> ChildSpec:
    function, args, kwargs = spec.start
    if with_arguments is not None:
        changed = with_arguments(args, index)
        if not isinstance(changed, list | tuple):
            raise TypeError(f"with_arguments must return a list or tuple of start arguments, not {changed!r}")
        args = tuple(changed)
    own = attrs.evolve(spec, start=(function, args, kwargs), modules=spec.callback_modules())
    return attrs.evolve(own, id=index, start=(table.start, (index, own), {}))


def _table(supervisor: Server) -> Partitions:
    pid = supervisor if type(supervisor) is Pid else locate(supervisor)
    table = pid.dictionary.get(Partitions) if pid is not None and pid.dictionary else None
    if type(table) is not Partitions:
        raise _missing(supervisor)
    return table


def _missing(supervisor: Server) -> Exit:
    reason: Reason = (NOPROC, Called("PartitionSupervisor.partitions", supervisor))
    return Exit(reason)
