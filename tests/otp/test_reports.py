"""Reports of processes that end abnormally: section 11 of the specification."""

from __future__ import annotations

import logging

import attrs
import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import Error, GenServer, In, NoReply, Reply, Status, Stop, Task, call, cast, events, set_label, system
from phxactor.runtime import (
    KILL,
    NORMAL,
    SHUTDOWN,
    Crash,
    Exit,
    From,
    Pid,
    Reason,
    Shutdown,
    link,
    open_runtime,
    register,
    self_pid,
    send,
    spawn,
    trap_exit,
)
from phxactor.runtime import events as runtime_events
from phxactor.testing import settle
from tests.otp import Kit, end, end_of, raises, told

REPORTS = (events.terminated, events.crash_report, events.task_terminated, runtime_events.crashed)


class Vault(GenServer):
    """Keeps a secret, and a label."""

    async def init(self, secret: str) -> None:
        self.secret = secret
        set_label("vault")

    async def handle_call(self, request: object, from_: From) -> Reply | NoReply | Stop:
        match request:
            case ("open", _):
                raise ValueError("it is locked")
            case _:
                return Reply(request)


class SealedVault(Vault):
    """Shows nothing of it."""

    def format_status(self, status: Status) -> Status:
        reason = "hidden" if status.reason is not None else None
        return attrs.evolve(status, state="sealed", message="a request", reason=reason, log=())


@pytest.mark.parametrize("reason", [NORMAL, SHUTDOWN, Shutdown("closed")])
async def test_L1_a_benign_end_makes_no_report(autojump_clock: MockClock, reason: Reason) -> None:
    async with open_runtime():
        with told(*REPORTS) as heard:
            for callback in (lambda *_: Stop(reason), raises(Exit(reason))):
                pid = (await Kit.start(info=callback)).unwrap()
                pid.send("end")
                await end(pid)
        assert heard == []


@pytest.mark.allow_leaks("children of the one that ends")
async def test_L2_an_abnormal_end_makes_a_terminate_and_a_crash_report(autojump_clock: MockClock) -> None:
    async with open_runtime():
        trap_exit()
        register("opener")
        server = (await Vault.start_link("gold", name="vault")).unwrap()
        await system.log(server)
        await system.replace_state(server, lambda state: state)
        server.dictionary = {"key": "value"}
        neighbour = spawn(trio.sleep_forever)
        other = (await Kit.start(init=lambda _: link(server), trap=True)).unwrap()
        cast_later = spawn(link_and_wait, server)
        await settle()
        with told(*REPORTS) as heard:
            with pytest.raises(Exit):
                await call(server, ("open", "please"))
            await settle()
        (terminate, told_first), (crash, told_second) = heard
        assert (terminate, crash) == (events.terminated, events.crash_report)
        reason = await end(server)
        assert isinstance(reason, Crash)
        message = told_first["message"]
        assert {name: told_first[name] for name in ("pid", "name", "server", "label", "reason", "state", "client")} == {
            "pid": server,
            "name": "vault",
            "server": "Vault",
            "label": "vault",
            "reason": reason,
            "state": {"secret": "gold"},
            "client": self_pid(),
        }
        assert message.request == ("open", "please")
        assert told_first["exception"] is reason.exception
        assert told_first["log"] == (In(message),)
        assert dict(told_second) == {
            "pid": server,
            "name": "vault",
            "label": "vault",
            "initial_call": "Vault.init",
            "ancestors": ("opener", *self_pid().ancestors),
            "callers": (),
            "reason": reason,
            "messages": (),
            "links": (self_pid(), other, cast_later),
            "neighbours": (cast_later,),
            "dictionary": {"key": "value"},
            "trapping": False,
            "told": True,
            "exception": None,
        }
        assert neighbour.alive


async def link_and_wait(pid: Pid) -> None:
    link(pid)
    await trio.sleep_forever()


async def test_L2_the_crash_report_has_the_messages_that_wait(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = (await Kit.start(info=raises(ValueError()))).unwrap()
        with told(events.crash_report) as heard:
            for number in range(3):
                send(pid, number)
            await end(pid)
        assert heard[0][1]["messages"] == (1, 2)


@pytest.mark.parametrize("reason", [KILL, SHUTDOWN, "boom"])
async def test_L3_an_exit_signal_makes_no_report(autojump_clock: MockClock, reason: Reason) -> None:
    async with open_runtime():
        with told(*REPORTS) as heard:
            for pid in ((await Kit.start()).unwrap(), Task.start(trio.sleep_forever).unwrap()):
                await settle()
                pid.exit(reason)
                await end(pid)
        assert heard == []


async def test_L4_a_bare_process_reports_what_it_raises_but_no_exit(autojump_clock: MockClock) -> None:
    async with open_runtime():
        failure = ValueError("bare")

        async def fail(error: BaseException) -> None:
            raise error

        with told(*REPORTS) as heard:
            await end_of(fail, Exit("boom"))
            pid = spawn(fail, failure)
            await end(pid)
        assert [(event, fields["pid"], fields["exception"]) for event, fields in heard] == [
            (runtime_events.crashed, pid, failure)
        ]


async def test_L5_a_failed_init_makes_a_crash_report_only(autojump_clock: MockClock) -> None:
    async with open_runtime():
        failure = ValueError("init")
        with told(*REPORTS) as heard:
            await Kit.start(init=raises(failure))
            await Kit.start(init=lambda _: Stop("boom"))
            await Kit.start(init=lambda _: Stop(SHUTDOWN))
            await Kit.start(init=lambda _: Error("boom"))
        assert [(event, fields["exception"]) for event, fields in heard] == [
            (events.crash_report, failure),
            (events.crash_report, None),
        ]


async def test_L6_a_task_that_fails_makes_a_task_report_and_a_crash_report(autojump_clock: MockClock) -> None:
    async with open_runtime():
        failure = ValueError("task")

        async def fail(argument: object) -> None:
            raise failure

        async def owner() -> None:
            await Task.async_(fail, "argument")

        with told(*REPORTS) as heard:
            pid = spawn(owner)
            await end(pid)
            await end(Task.start(raises(Exit(NORMAL))).unwrap())
        (task, first), (crash, second) = heard
        assert (task, crash) == (events.task_terminated, events.crash_report)
        assert (first["owner"], first["callers"], first["args"]) == (pid, (pid,), ("argument",))
        assert first["function"].endswith("fail")
        assert first["exception"] is first["reason"].exception is failure
        assert (second["callers"], second["initial_call"], second["exception"]) == ((pid,), first["function"], None)


async def test_L8_loggers_are_named_after_who_reports(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "phxactor")
    async with open_runtime():
        server = (await Kit.start(info=raises(ValueError("boom")))).unwrap()
        server.send("end")
        await end(server)
        await end(Task.start(raises(ValueError("task"))).unwrap())
    assert [(record.levelname, record.name) for record in caplog.records] == [
        ("ERROR", "phxactor.server.terminated"),
        ("DEBUG", "phxactor.process.crash_report"),
        ("ERROR", "phxactor.task.terminated"),
        ("DEBUG", "phxactor.process.crash_report"),
    ]
    terminated, crash, task, _ = (record.getMessage() for record in caplog.records)
    assert "(ValueError) boom; last message: 'end'; state: {" in terminated
    assert "ancestors: " in crash
    assert "callers: ()" in crash
    assert "task" in task
    assert [record.exc_info is not None for record in caplog.records] == [True, False, True, False]


async def test_L8_reports_can_be_filtered_by_logger(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    processes = logging.getLogger("phxactor.process")
    processes.setLevel(logging.CRITICAL)
    try:
        async with open_runtime():
            server = (await Kit.start(info=raises(ValueError("boom")))).unwrap()
            server.send("end")
            await end(server)
    finally:
        processes.setLevel(logging.NOTSET)
    assert [record.name for record in caplog.records] == ["phxactor.server.terminated"]


async def test_L13_format_status_hides_secrets_from_reports_and_get_status(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_runtime():
        server = (await SealedVault.start("gold")).unwrap()
        await system.log(server)
        assert (await system.get_status(server)).status == Status("sealed", "a request", None, ())
        with told(*REPORTS) as heard:
            with pytest.raises(Exit):
                await call(server, ("open", "sesame"))
            await settle()
        for _, fields in heard:
            assert "gold" not in str(dict(fields))
            assert "sesame" not in str(dict(fields))
            assert (fields["reason"], fields["exception"]) == ("hidden", None)
    assert "state: 'sealed'" in caplog.text
    assert "gold" not in caplog.text
    assert "locked" not in caplog.text


async def test_L13_a_format_status_that_fails_shows_nothing(autojump_clock: MockClock) -> None:
    class Raising(Vault):
        def format_status(self, status: Status) -> Status:
            raise KeyError

    class Forgetful(Vault):
        def format_status(self, status: Status) -> Status:
            return None  # type: ignore[return-value]

    async with open_runtime():
        for kind, why in ((Raising, "raised KeyError"), (Forgetful, "returned a NoneType")):
            server = (await kind.start("gold")).unwrap()
            status = (await system.get_status(server)).status
            assert status.state == status.message == f"format_status {why}"
            with told(*REPORTS) as heard:
                with pytest.raises(Exit):
                    await call(server, ("open", "sesame"))
                assert isinstance(await end(server), Crash)
            assert heard[0][1]["state"] == status.state


async def test_a_report_survives_what_cannot_be_shown(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Unshowable:
        def __repr__(self) -> str:
            raise ValueError

    async with open_runtime():
        unshowable: list[object] = [Unshowable(), "x" * 100_000, [[]] * 100_000]
        for message in unshowable:
            server = (await Kit.start(cast=raises(ValueError("boom")))).unwrap()
            cast(server, message)
            await end(server)
    lines = [record.getMessage() for record in caplog.records if record.name == "phxactor.server.terminated"]
    assert len(lines) == 3
    assert all(len(line) < 2_000 for line in lines)
