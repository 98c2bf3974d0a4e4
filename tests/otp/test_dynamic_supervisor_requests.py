"""Children asked for by code that cannot wait, and the picture of a DynamicSupervisor."""

from __future__ import annotations

import pytest
import trio

from phxactor.otp import ChildCount, ChildSpec, DynamicSupervisor, Error, Ok, Restart
from phxactor.runtime import Answer, From, Pid, open_runtime, receive, self_pid, set_port, spawn, spawn_link
from phxactor.testing import settle

from . import Kit
from .supervision import Log, crash, pool, worker

start_child = DynamicSupervisor.start_child
count_children = DynamicSupervisor.count_children


async def test_a_port_can_ask_for_a_child_and_gets_the_answer_as_a_message(log: Log) -> None:
    answers: list[Answer] = []

    async def body() -> None:
        set_port(port)
        await trio.sleep_forever()

    def port(message: object) -> None:
        if isinstance(message, Answer):
            answers.append(message)
        else:
            DynamicSupervisor.request_child(supervisor, message, asked[0])  # type: ignore[arg-type]

    async with pool(max_children=1) as supervisor:
        pid = spawn(body)
        await settle()
        asked = [From(pid)]
        pid.send(worker(log, "a"))
        await settle()
        pid.send(worker(log, "b"))
        await settle()
        assert [(answer.ref, answer.value) for answer in answers] == [
            (asked[0], Ok(log.pids["a"])),
            (asked[0], Error("max_children")),
        ]


async def test_a_start_function_that_answers_at_once_makes_the_supervisor_wait_for_nothing() -> None:
    order: list[str] = []

    async def body() -> None:
        order.append("child runs")

    def start(number: int) -> Ok[Pid]:
        order.append(f"start {number}")
        return Ok(spawn_link(body))

    async with pool() as supervisor:
        for number in range(3):
            spec = ChildSpec(id=number, start=(start, (number,), {}), restart="temporary")
            DynamicSupervisor.request_child(supervisor, spec, From(self_pid()))
        await settle()
        assert order == [*(f"start {number}" for number in range(3)), *(["child runs"] * 3)]
        assert await count_children(supervisor) == ChildCount(specs=0, active=0, supervisors=0, workers=0)


async def test_many_children_can_be_requested_of_one_specification_with_arguments_of_their_own() -> None:
    given: list[tuple[object, ...]] = []

    def start(*arguments: object, **named: object) -> Ok[Pid]:
        given.append((*arguments, named))
        return Ok(spawn_link(receive))

    spec = ChildSpec(id="many", start=(start, ("shared",), {"named": True}), restart="temporary")
    async with pool(extra_arguments=["first"]) as supervisor:
        for number in range(2):
            DynamicSupervisor.request_child(supervisor, spec, From(self_pid()), number, "last")
        DynamicSupervisor.request_child(supervisor, spec, From(self_pid()))
        await settle()
        assert given == [
            ("first", "shared", 0, "last", {"named": True}),
            ("first", "shared", 1, "last", {"named": True}),
            ("first", "shared", {"named": True}),
        ]
        assert (await count_children(supervisor)).active == 3


@pytest.mark.parametrize("restart", ["permanent", "transient"])
async def test_a_child_that_may_start_again_has_no_arguments_of_its_own(log: Log, restart: Restart) -> None:
    async with pool() as supervisor:
        with pytest.raises(ValueError, match="only a temporary child"):
            DynamicSupervisor.request_child(supervisor, worker(log, "a", restart=restart), From(self_pid()), 1)


async def test_statistics_count_the_restarts_of_each_child(log: Log) -> None:
    async with pool() as supervisor:
        for id_ in "ab":
            await start_child(supervisor, worker(log, id_))
        await crash(log, "a")
        statistics = DynamicSupervisor.statistics(supervisor)
        assert {child.pid: child.restarts for child in statistics.children} == {log.pids["a"]: 1, log.pids["b"]: 0}
        assert statistics.restarts == 1


async def test_getting_or_starting_a_named_child_tells_nobody_that_it_was_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_runtime():
        supervisor = (await DynamicSupervisor.start_link()).unwrap()
        spec = Kit.child_spec(name="only")
        first = (await DynamicSupervisor.start_child(supervisor, spec)).unwrap()
        assert await DynamicSupervisor.start_child(supervisor, spec) == Error(("already_started", first))
        assert caplog.records == []
