"""One process on the page: its record, its state, its stack, and what a viewer may do to it."""

from __future__ import annotations

import logging
from typing import Any

import attrs
import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

from phxactor import GenServer, Pid, Reply, Supervisor, call, cast, send, spawn, whereis
from phxactor.observer import events
from phxactor.otp import Status, set_label
from phxactor.runtime import monitor
from phxactor.testing import ClientChannel
from tests.observer.pages import WITHIN, Page, page, rows


class Account(GenServer):
    """Has a state with a secret."""

    async def init(self) -> None:
        self.balance = 5
        self.password = "hunter2"
        set_label("an account")

    async def handle_call(self, request: object, from_: object) -> Reply:
        return Reply(self.balance)

    async def handle_cast(self, request: object) -> None:
        if request == "hang":
            await trio.sleep(60)

    def format_status(self, status: Status) -> Status:
        return attrs.evolve(status, state={"balance": self.balance})


async def open_process(program: Page, pid: Pid) -> tuple[ClientChannel, dict[str, Any]]:
    panel = await program.open(f"process:{pid.number}")
    await trio.sleep(2)
    seen: dict[str, Any] = {}
    for message in await panel.receive_all():
        if getattr(message, "event", None) == "process":
            seen = message.payload  # type: ignore[assignment]
    return panel, seen


async def account(name: str = "account") -> Pid:
    await Supervisor.start_link([Account.child_spec(name=name)], name=f"top of {name}")
    pid = whereis(name)
    assert pid is not None
    return pid


async def test_it_shows_the_record_the_state_and_the_stack(autojump_clock: MockClock) -> None:
    async with page() as program:
        pid = await account()
        monitor(pid)
        _, seen = await open_process(program, pid)
        top = whereis("top of account")
        assert top is not None
        assert (seen["name"], seen["label"], seen["status"]) == ("account", "an account", "waiting")
        assert seen["links"] == [(top.number, "top of account")] or seen["links"] == [[top.number, "top of account"]]
        assert [one[1] for one in seen["ancestors"]] == ["top of account", "main"]
        assert [one[1] for one in seen["monitored_by"]] == ["main"]
        assert seen["state"] == "balance = 5"
        assert "hunter2" not in str(seen)
        assert any("receive" in frame[2] for frame in seen["stack"])
        assert seen["ended"] is None


async def test_handled_messages_are_counted_while_somebody_looks(autojump_clock: MockClock) -> None:
    async with page() as program:
        pid = await account()
        panel, _ = await open_process(program, pid)
        for _ in range(30):
            await call(pid, "balance")
        await trio.sleep(1)
        tree = await program.open("tree")
        await tree.assert_push("rows", dict, within=WITHIN)
        (row,) = (await rows(tree, sort="rate", count=1))["rows"]
        assert row[3] == pid.number
        seen = await panel.assert_push("process", dict, within=WITHIN)
        assert seen["handled"] == 30


async def test_a_busy_server_is_neither_asked_nor_waited_for(autojump_clock: MockClock) -> None:
    async with page() as program:
        pid = await account()
        cast(pid, "hang")
        await trio.sleep(1)
        for number in range(30):
            send(pid, number)
        _, seen = await open_process(program, pid)
        assert (seen["state"], seen["state_why"], seen["status"]) == (None, "it is busy", "busy")
        assert seen["mailbox"] == len(pid.mailbox) == 30
        assert len(seen["messages"]) == 20
        assert any(frame[2].endswith("handle_cast") for frame in seen["stack"])


async def test_a_process_that_is_no_server_gets_no_message(autojump_clock: MockClock) -> None:
    async with page() as program:
        pid = spawn(trio.sleep_forever)
        panel, seen = await open_process(program, pid)
        assert seen["state_why"] == "it is no server"
        assert not pid.mailbox
        answer = await panel.ask("memory")
        assert isinstance(answer.payload, dict)
        assert answer.payload["bytes"] > 500


async def test_its_end_is_told(autojump_clock: MockClock) -> None:
    async with page() as program:
        pid = spawn(trio.sleep_forever)
        panel, _ = await open_process(program, pid)
        pid.exit("enough")
        seen = await panel.assert_push("process", dict, within=WITHIN)
        while seen["ended"] is None:
            seen = await panel.assert_push("process", dict, within=WITHIN)
        assert seen["ended"] == ":enough"
        gone = await program.connect()
        with pytest.raises(Exception, match="there is no process"):
            await gone.join(f"observer:process:{pid.number}")


async def test_actions_are_off_by_default(autojump_clock: MockClock) -> None:
    async with page() as program:
        pid = await account()
        panel, _ = await open_process(program, pid)
        for action in ("exit", "kill", "suspend", "resume", "trace", "collect"):
            answer = await panel.ask(action, {}, within=WITHIN)
            assert (answer.status, answer.payload) == ("error", {"reason": "actions are off"})
        assert pid.alive
        assert await call(pid, "balance") == 5


async def test_actions_are_told(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    told: list[tuple[object, object]] = []

    def note(_: object, fields: Any) -> None:  # noqa: ANN401 - of the event
        told.append((fields["action"], fields["target"]))

    events.action.attach(note)
    try:
        async with page(actions=True) as program:
            pid = await account()
            panel, _ = await open_process(program, pid)
            with caplog.at_level(logging.WARNING, "phxactor"):
                assert (await panel.ask("suspend", {}, within=WITHIN)).status == "ok"
            assert (await panel.assert_push("process", dict, within=WITHIN))["status"] == "suspended"
            await panel.ask("resume", {}, within=WITHIN)
            assert (await panel.ask("trace", {}, within=WITHIN)).status == "ok"
            cast(pid, "hello")
            line = await panel.assert_push("traced", dict, within=WITHIN)
            assert line["text"] == "takes cast 'hello'"
            assert (await panel.ask("collect", {}, within=WITHIN)).status == "ok"
            await panel.ask("exit", {"reason": "shutdown"}, within=WITHIN)
            await trio.lowlevel.checkpoint()
            assert not pid.alive
            other = spawn(trio.sleep_forever)
            panel, _ = await open_process(program, other)
            await panel.ask("kill", {}, within=WITHIN)
            assert not other.alive
        assert [one for one, _ in told] == ["suspend", "resume", "trace", "collect", "exit", "kill"]
        assert told[0][1] == repr(pid)
        assert "does suspend to #PID<" in caplog.text
    finally:
        events.action.detach(note)
