"""What a snapshot sees, and that nobody notices it."""

from __future__ import annotations

import math

import attrs
import pytest
import trio
from trio.testing import MockClock

from phxactor import (
    ChildSpec,
    DynamicSupervisor,
    Error,
    GenServer,
    NoReply,
    Ok,
    Pid,
    Supervisor,
    cast,
    link,
    open_runtime,
    receive,
    spawn,
    spawn_link,
)
from phxactor.observer import Row, Snapshot, snapshot
from phxactor.otp import SupervisingProcess, Timeout
from phxactor.runtime import set_port
from phxactor.testing import settle
from tests.observer.trees import Worker, supervisor, worker


def shape(picture: Snapshot) -> list[tuple[int, str, str]]:
    """Reduce rows to depth, relation, and id or what it runs."""
    return [
        (row.depth, row.relation, row.id or (row.process.initial_call if row.process else f"{row.hidden} more"))
        for row in picture.rows
    ]


def row_of(pid: Pid, picture: Snapshot | None = None) -> Row:
    """Find the row of a process."""
    rows = (snapshot() if picture is None else picture).rows
    return next(row for row in rows if row.process is not None and row.process.number == pid.number)


def status_of(pid: Pid) -> str:
    return row_of(pid).status


async def test_the_tree_is_what_supervisors_know() -> None:
    """Y10: ids and order are the supervisors'."""
    async with open_runtime():
        inner = supervisor("inner", worker("b"), worker(7))
        await Supervisor.start_link([worker("a", name="alpha"), inner, worker("c", label="the third")])
        picture = snapshot()
        assert shape(picture) == [
            (0, "root", "main"),
            (1, "linked", "Supervisor.init"),
            (2, "supervised", "a"),
            (2, "supervised", "inner"),
            (3, "supervised", "b"),
            (3, "supervised", "7"),
            (2, "supervised", "c"),
        ]
        processes = [row.process for row in picture.rows if row.process is not None]
        assert [one.name for one in processes] == [None, None, "alpha", None, None, None, None]
        assert [one.label for one in processes] == [None] * 6 + ["the third"]
        assert [one.trapping for one in processes] == [False, True, False, True, False, False, False]
        assert picture.processes == 7
        assert picture.messages == 0


@pytest.mark.allow_leaks("processes without supervisor")
async def test_processes_without_supervisor_hang_on_whom_they_belong_to() -> None:
    """Y10: links find those that no supervisor knows."""
    async with open_runtime():

        async def parent() -> None:
            spawn(trio.sleep_forever)
            spawn_link(trio.sleep_forever)
            await trio.sleep_forever()

        async def short() -> None:
            orphan = spawn(orphaned)
            spawn(trio.sleep_forever)
            orphan.send(await receive())

        async def orphaned() -> None:
            link(await receive())
            await trio.sleep_forever()

        spawn(parent)
        friend = spawn(trio.sleep_forever)
        spawn(short).send(friend)
        await settle()
        names = [(depth, relation, call.rpartition(".")[2]) for depth, relation, call in shape(snapshot())]
        assert names == [
            (0, "root", "main"),
            (1, "spawned", "parent"),
            (2, "spawned", "sleep_forever"),
            (2, "linked", "sleep_forever"),
            (1, "spawned", "sleep_forever"),
            (2, "linked", "orphaned"),
            (0, "root", "sleep_forever"),
        ]


async def test_a_child_that_is_older_than_its_supervisor_makes_no_circle() -> None:
    async with open_runtime():

        async def adopted() -> None:
            itself = ChildSpec(id="itself", start=(lambda: Ok(parent), (), {}))
            await Supervisor.start_link([itself])
            await trio.sleep_forever()

        parent = spawn(adopted)
        await settle()
        assert [(depth, relation) for depth, relation, _ in shape(snapshot())] == [
            (0, "root"),
            (1, "spawned"),
            (2, "linked"),
        ]


async def test_statuses() -> None:
    async with open_runtime(kill_grace=math.inf):

        async def port() -> None:
            set_port(lambda _: None)
            await trio.sleep_forever()

        async def stubborn() -> None:
            with trio.CancelScope(shield=True):
                await patience.wait()

        patience = trio.Event()
        waiting, busy, with_port, exiting = spawn(receive), spawn(trio.sleep_forever), spawn(port), spawn(stubborn)
        await settle()
        exiting.exit("kill")
        waiting.send("taken later")
        assert [status_of(pid) for pid in (waiting, busy, with_port, exiting)] == ["busy", "busy", "port", "exiting"]
        again = spawn(receive)
        await settle()
        assert status_of(again) == "waiting"
        patience.set()


async def test_mailboxes() -> None:
    async with open_runtime():
        busy = spawn(trio.sleep_forever)
        await settle()
        for number in range(3):
            busy.send(number)
        picture = snapshot()
        assert row_of(busy, picture).process is not None
        assert [row.process.mailbox for row in picture.rows if row.process is not None] == [0, 3]
        assert picture.messages == 3


@pytest.mark.allow_leaks("a zombie")
async def test_zombies_are_shown_until_their_task_ends(autojump_clock: MockClock) -> None:
    """TM10."""
    async with open_runtime(kill_grace=1):

        async def stubborn() -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep(5)

        pid = spawn(stubborn)
        await settle()
        pid.exit("kill")
        await trio.sleep(2)
        picture = snapshot()
        assert [zombie.number for zombie in picture.zombies] == [pid.number]
        assert picture.processes == 1
        await trio.sleep(5)
        assert snapshot().zombies == ()


async def test_restarts_are_counted(autojump_clock: MockClock) -> None:
    async with open_runtime():
        top = (await Supervisor.start_link([worker("steady"), worker("shaky", name="shaky")])).unwrap()
        for _ in range(2):
            cast("shaky", "shutdown")
            await settle()
        picture = snapshot()
        assert {row.id: row.restarts for row in picture.rows if row.id} == {"steady": 0, "shaky": 2}
        supervision = row_of(top, picture).supervision
        assert supervision is not None
        assert attrs.asdict(supervision) == {
            "strategy": "one_for_one",
            "restarts": 2,
            "max_restarts": 3,
            "max_seconds": 5,
        }
        await trio.sleep(10)
        supervision = row_of(top).supervision
        assert supervision is not None
        assert supervision.restarts == 0


async def test_children_that_do_not_run() -> None:
    async with open_runtime():
        tries = 0

        async def start() -> object:
            nonlocal tries
            tries += 1
            if tries == 2:
                seen.append(snapshot())
                return Error("not yet")
            return await Worker.start_link()

        seen: list[Snapshot] = []
        shaky = ChildSpec(id="shaky", start=(start, (), {}))  # type: ignore[arg-type]
        quitter = attrs.evolve(worker("quitter", name="quitter"), restart="transient")
        top = (await Supervisor.start_link([shaky, quitter])).unwrap()
        cast("quitter", "normal")
        await settle()
        process = (top.dictionary or {})[SupervisingProcess]
        pid = process.children["shaky"].pid  # type: ignore[attr-defined]
        pid.exit("crashed")
        await settle()
        assert {row.id: row.status for row in seen[0].rows if row.id} == {"shaky": "down", "quitter": "down"}
        assert {row.id: row.status for row in snapshot().rows if row.id} == {"shaky": "waiting", "quitter": "down"}


async def test_many_children_are_cut() -> None:
    async with open_runtime():
        pool = (await DynamicSupervisor.start_link()).unwrap()
        for _ in range(30):
            await DynamicSupervisor.start_child(pool, Worker)
        picture = snapshot(children=5)
        assert shape(picture)[2:] == [(2, "supervised", "Worker.init")] * 5 + [(2, "supervised", "25 more")]
        assert picture.processes == 32


async def test_all_in_all_there_are_not_too_many_rows() -> None:
    """Level by level: whatever stands near the root is seen."""
    async with open_runtime():
        crowds = [supervisor(f"crowd {number}", *(worker(one) for one in range(9))) for number in range(4)]
        await Supervisor.start_link(crowds)
        picture = snapshot(rows=10)
        counts = [(row.id, row.hidden) for row in picture.rows if row.depth == 2 or row.hidden]
        assert counts == [
            ("crowd 0", 0),
            (None, 5),
            ("crowd 1", 0),
            (None, 9),
            ("crowd 2", 0),
            (None, 9),
            ("crowd 3", 0),
            (None, 9),
        ]


async def test_a_long_chain_is_cut_and_recurses_nowhere() -> None:
    async with open_runtime():

        async def chain(length: int) -> None:
            if length:
                spawn_link(chain, length - 1)
            await trio.sleep_forever()

        spawn(chain, 3000)
        await settle()
        picture = snapshot(rows=5000)
        assert picture.processes == 3002
        assert picture.rows[-1].hidden == 1
        assert picture.rows[-1].depth == 30


async def test_texts_are_short_and_have_no_control_characters() -> None:
    """A label may hold what a client sent, and terminals obey."""
    async with open_runtime():
        pid = (await Worker.start_link("\x1b[2J" + "x" * 1000)).unwrap()
        process = row_of(pid).process
        assert process is not None
        assert process.label is not None
        assert process.label.startswith("\N{REPLACEMENT CHARACTER}[2Jxx")
        assert len(process.label) == 80
        pid.label = Worker
        process = row_of(pid).process
        assert process is not None
        assert process.label == "Worker"
        pid.label = {"any": ["value"]}
        process = row_of(pid).process
        assert process is not None
        assert process.label == "{'any': ['value']}"


@pytest.mark.allow_leaks("a supervisor that is busy for ever")
async def test_y11_a_supervisor_that_is_busy_is_seen_all_the_same(autojump_clock: MockClock) -> None:
    async with open_runtime():

        class Slow(GenServer):
            async def init(self) -> None:
                await trio.sleep(100)

        spawn(Supervisor.start_link, [worker("first"), Slow, worker("last")])
        await trio.sleep(1)
        statuses = {row.id: row.status for row in snapshot().rows if row.id}
        assert statuses == {"first": "waiting", "Slow": "down", "last": "down"}
        assert trio.current_time() == 1


async def test_y12_a_look_rearms_no_timeout_and_is_no_message(autojump_clock: MockClock) -> None:
    async with open_runtime():
        fired = []

        class Impatient(GenServer):
            async def init(self) -> Timeout:
                return Timeout(2)

            async def handle_info(self, message: object) -> NoReply:
                fired.append((message, trio.current_time()))
                return NoReply()

        await Impatient.start_link()
        for _ in range(4):
            await trio.sleep(0.6)
            snapshot()
        assert fired == [("timeout", 2.0)]


async def test_another_runtime_can_be_looked_at_from_outside() -> None:
    async with open_runtime() as runtime:
        spawn(trio.sleep_forever)
        token = trio.lowlevel.current_trio_token()
        picture = await trio.to_thread.run_sync(
            lambda: trio.from_thread.run_sync(lambda: snapshot(runtime), trio_token=token)
        )
        assert picture.processes == 2


@pytest.mark.parametrize("field", ["rows", "zombies", "processes", "messages"])
async def test_a_snapshot_is_a_value(field: str) -> None:
    async with open_runtime():
        first, second = snapshot(), snapshot()
        assert first == second
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(first, field, None)
