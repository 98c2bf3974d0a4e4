"""PartitionSupervisor: PS1 to PS9."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.otp import (
    Called,
    ChildCount,
    DynamicSupervisor,
    Error,
    GenServer,
    PartitionSupervisor,
    Reply,
    Supervisor,
    call,
    child_spec,
    stop,
)
from phxactor.otp._partition_supervisor import slot
from phxactor.runtime import KILL, Exit, Pid, open_runtime, self_pid, trap_exit, whereis
from phxactor.testing import settle

from .supervision import Log, worker


class Echo(GenServer):
    """Answers with its pid and its start arguments."""

    async def init(self, *args: object) -> None:
        self.args = args

    async def handle_call(self, request: object, from_: object) -> Reply:
        return Reply((self_pid(), self.args))


@asynccontextmanager
async def partitions(number: int = 4, **options: Any) -> AsyncIterator[Pid]:  # noqa: ANN401
    """Run a supervisor `echo` of so many partitions."""
    async with open_runtime():
        trap_exit()
        yield (await PartitionSupervisor.start_link(Echo, "echo", partitions=number, **options)).unwrap()


async def test_PS1_there_are_as_many_partitions_as_cores() -> None:
    async with open_runtime():
        await PartitionSupervisor.start_link(Echo, "echo")
        assert PartitionSupervisor.partitions("echo") == os.cpu_count()


@pytest.mark.parametrize("number", [0, -1, 1.5, True])
async def test_PS1_partitions_are_a_whole_number_from_1(number: Any) -> None:  # noqa: ANN401
    async with open_runtime():
        with pytest.raises((TypeError, ValueError), match="partitions must be a whole number of at least 1"):
            await PartitionSupervisor.start_link(Echo, "echo", partitions=number)


async def test_PS1_name_and_child_are_required() -> None:
    async with open_runtime():
        with pytest.raises(TypeError, match="name"):
            await PartitionSupervisor.start_link(Echo)  # type: ignore[call-arg]


async def test_PS2_its_children_have_the_ids_from_0_and_one_specification(log: Log) -> None:
    async with open_runtime():
        trap_exit()
        spec = worker(log, "w", shutdown=1.5)
        supervisor = (await PartitionSupervisor.start_link(spec, "workers", partitions=3)).unwrap()
        assert [child.id for child in await Supervisor.which_children(supervisor)] == [2, 1, 0]
        assert (await Supervisor.get_childspec(supervisor, 1)).unwrap().shutdown == 1.5
        assert log.starts["w"] == 3
        assert Supervisor.statistics(supervisor).strategy == "one_for_one"


async def test_PS2_strategy_and_intensity_are_those_of_a_supervisor() -> None:
    async with partitions(strategy="one_for_all", max_restarts=7, max_seconds=9) as supervisor:
        statistics = Supervisor.statistics(supervisor)
        assert (statistics.strategy, statistics.max_restarts, statistics.max_seconds) == ("one_for_all", 7, 9)


async def test_PS3_with_arguments_makes_the_arguments_of_each_partition_once() -> None:
    asked: list[int] = []

    def with_arguments(args: Any, partition: int) -> list[object]:  # noqa: ANN401
        asked.append(partition)
        return [*args, partition]

    async with open_runtime():
        await PartitionSupervisor.start_link((Echo, "x"), "echo", partitions=3, with_arguments=with_arguments)
        for key in range(3):
            pid = PartitionSupervisor.child("echo", key)
            assert await call(pid, "who") == (pid, ("x", key))
            pid.exit(KILL)
            await settle()
            assert await call(PartitionSupervisor.via("echo", key), "who") == (
                PartitionSupervisor.child("echo", key),
                ("x", key),
            )
        assert asked == [0, 1, 2]


async def test_PS3_with_arguments_that_returns_no_list_raises_in_the_caller() -> None:
    async with open_runtime():
        with pytest.raises(TypeError, match="with_arguments must return a list"):
            await PartitionSupervisor.start_link(Echo, "echo", with_arguments=lambda _, __: 1)  # type: ignore[arg-type, return-value]


@given(st.integers(), st.integers(1, 64))
def test_PS4_an_int_belongs_to_its_absolute_value_modulo_the_partitions(key: int, number: int) -> None:
    assert slot(key, number) == abs(key) % number == slot(-key, number)


@given(st.one_of(st.text(), st.binary(), st.floats(), st.tuples(st.text(), st.integers())), st.integers(1, 64))
def test_PS4_any_other_key_belongs_to_one_partition(key: Hashable, number: int) -> None:
    assert 0 <= slot(key, number) < number
    assert slot(key, number) == slot(key, number)


def test_PS4_the_partition_of_a_text_is_the_same_in_every_run() -> None:
    assert [slot(key, 97) for key in ("room:1", "ü", b"room:1")] == [85, 73, 85]


async def test_PS4_via_reaches_the_child_of_a_key_wherever_a_name_is_accepted(log: Log) -> None:
    async with open_runtime():
        await PartitionSupervisor.start_link(DynamicSupervisor, "rooms", partitions=4)
        for key in (0, 3, -3, "lobby", 1.5, ("a", 1), self_pid()):
            name = PartitionSupervisor.via("rooms", key)
            room = (await DynamicSupervisor.start_child(name, worker(log, key))).unwrap()
            assert room.parent is PartitionSupervisor.child("rooms", key) is name.whereis()


async def test_PS5_a_restarted_child_has_the_same_slot_and_the_dead_one_answers_meanwhile(log: Log) -> None:
    async with partitions(2):
        before = PartitionSupervisor.child("echo", 1)
        other = PartitionSupervisor.child("echo", 0)
        before.exit(KILL)
        assert PartitionSupervisor.child("echo", 1) is before
        await settle()
        after = PartitionSupervisor.child("echo", 1)
        assert after is not before
        assert after.alive
        assert PartitionSupervisor.child("echo", 0) is other


async def test_PS6_an_unknown_supervisor_is_a_noproc_exit() -> None:
    async with open_runtime():
        for look in (
            lambda: PartitionSupervisor.partitions("nobody"),
            lambda: PartitionSupervisor.child("nobody", 1),
            PartitionSupervisor.via("nobody", 1).whereis,
        ):
            with pytest.raises(Exit) as caught:
                look()
            assert caught.value.reason == ("noproc", Called("PartitionSupervisor.partitions", "nobody"))


async def test_PS7_nothing_can_be_started_under_such_a_name() -> None:
    async with partitions(2):
        name = PartitionSupervisor.via("echo", 1)
        owner = PartitionSupervisor.child("echo", 1)
        assert await Echo.start_link(name=name) == Error(("already_started", owner))


async def test_PS8_the_rest_is_as_of_a_supervisor(log: Log) -> None:
    async with partitions(3) as supervisor:
        assert await PartitionSupervisor.count_children("echo") == ChildCount(
            specs=3, active=3, supervisors=0, workers=3
        )
        spec = child_spec(PartitionSupervisor.child_spec(Echo, "other"))
        assert (spec.type, spec.id) == ("supervisor", "PartitionSupervisor")
        await stop(supervisor)
        assert whereis("echo") is None


async def test_PS9_resize_shuts_the_last_partitions_down_and_starts_them_again() -> None:
    async with partitions(4):
        pids = [PartitionSupervisor.child("echo", key) for key in range(4)]
        await PartitionSupervisor.resize("echo", 2)
        assert [pid.alive for pid in pids] == [True, True, False, False]
        assert PartitionSupervisor.partitions("echo") == 2
        assert PartitionSupervisor.child("echo", 3) is pids[1]
        assert (await PartitionSupervisor.count_children("echo")).specs == 4
        await PartitionSupervisor.resize("echo", 3)
        again = PartitionSupervisor.child("echo", 2)
        assert again.alive
        assert again is not pids[2]


async def test_PS9_a_lookup_without_partitions_raises() -> None:
    async with partitions(2):
        await PartitionSupervisor.resize("echo", 0)
        with pytest.raises(Exit):
            PartitionSupervisor.child("echo", 0)
        await PartitionSupervisor.resize("echo", 1)
        assert PartitionSupervisor.child("echo", 7).alive


@pytest.mark.parametrize("number", [-1, 5])
async def test_PS9_resize_stays_within_what_there_was_at_the_start(number: int) -> None:
    async with partitions(4):
        with pytest.raises(ValueError, match="from 0 to 4"):
            await PartitionSupervisor.resize("echo", number)
