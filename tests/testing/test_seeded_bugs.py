"""Bugs that were put in on purpose: the kit finds them, makes them small, and shows them so that one can read it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test
from trio.lowlevel import checkpoint

from phxactor import Channel, Down, GenServer, Message, Ok, Shutdown, Socket, Stop, channel, monitor, on
from phxactor.channels import Payload
from phxactor.otp import NoReply, call, cast
from phxactor.otp import _supervisor_process as supervisor_process
from phxactor.runtime import From, self_pid, spawn, trap_exit
from phxactor.socket import Reply
from phxactor.testing import Client, connect, settle
from phxactor.testing.crash import Step, play
from phxactor.testing.invariants import assert_answered, assert_ended_once, nothing_leaked
from phxactor.testing.machine import ProcessMachine, rule
from phxactor.testing.schedule import Schedule
from phxactor.testing.strategies import schedule, scripts, trees
from phxactor.testing.trees import Branch

LOOKING = settings(
    max_examples=300, database=None, derandomize=True, phases=[Phase.generate, Phase.shrink], stateful_step_count=8
)


def found(look: Callable[[], object]) -> tuple[str, str, list[str]]:
    """Let Hypothesis look; return what went wrong, the schedule, and the lines of its trace."""
    with pytest.raises(AssertionError) as caught:
        look()
    order, *trace = caught.value.__notes__[0].splitlines()
    return str(caught.value), order, [line.strip() for line in trace]


# ------------------------------------------------------------------------------ a reply that is lost


class Printer(GenServer):
    """Prints one sheet at a time, and answers when it is done; but it remembers only who asked last."""

    async def handle_call(self, request: object, from_: From) -> NoReply:
        self.waiting = from_
        cast(self_pid(), "done")
        return NoReply()

    async def handle_cast(self, request: object) -> None:
        self.waiting.reply("printed")


async def print_sheets(order: Schedule, sheets: int) -> None:
    printer = (await Printer.start_link()).unwrap()

    async def print_one(number: int) -> None:
        for _ in range(5 * number):
            await checkpoint()
        await call(printer, number, timeout=None)

    for number in range(sheets):
        spawn(print_one, number)
    await settle()
    assert_answered(order.trace)


def test_a_server_that_loses_a_reply() -> None:
    last = 0
    Schedule().run(print_sheets, Schedule(), 3)

    @LOOKING
    @given(schedule(), st.integers(1, 4))
    def look(order: Schedule, sheets: int) -> None:
        nonlocal last
        last = sheets
        order.run(print_sheets, order, sheets)

    error, order, trace = found(look)
    assert error.startswith("there was no answer: ")
    assert re.search(r"Call\([01]\)$", error)
    assert last == 2
    assert order.count(": 1") <= 2
    assert len(trace) < 30
    assert any(line.endswith("must wait for the others)") for line in trace)
    sent = [line.rpartition(": ")[2] for line in trace if " sends #PID<3 Printer.init>" in line]
    assert sorted(sent[:2]) == ["Call(0)", "Call(1)"]
    assert sent[2:4] == ["Cast('done')", "Cast('done')"]


# ------------------------------------------------------------------------ a sibling that is restarted


def test_a_supervisor_that_restarts_a_sibling(monkeypatch: pytest.MonkeyPatch) -> None:
    def affected(strategy: str, children: list[object], failed: object) -> list[object]:
        return children

    monkeypatch.setattr(supervisor_process, "affected", affected)
    last: list[tuple[Branch, list[Step]]] = []

    async def played(tree: Branch, script: list[Step]) -> None:
        trap_exit()
        await play(tree, script)

    @LOOKING
    @given(trees(depth=1).flatmap(lambda tree: st.tuples(st.just(tree), scripts(tree))))
    def look(made: tuple[Branch, list[Step]]) -> None:
        last[:] = [made]
        Schedule().run(played, *made)

    error, _, trace = found(look)
    tree, script = last[0]
    assert len(tree.children) == 2
    assert len(script) == 1
    what, seen, _, right = error.splitlines()
    assert what.endswith("the starts and ends are")
    assert (seen.count("up"), right.count("up")) == (2, 1)
    assert len([line for line in trace if " restarts " in line]) == 2


# ------------------------------------------------------------------------------- a monitor that leaks


class Watching(Channel):
    """Watches its connection anew with every look at it."""

    @on("look")
    async def look(self, payload: Payload) -> Ok[Payload]:
        monitor(self.socket.transport_pid)
        return Ok(payload)

    @on("look away")
    async def look_away(self, payload: Payload) -> Ok[Payload]:
        return Ok(payload)


class WatchingSocket(Socket):
    channels = (channel("room:*", Watching),)


class Watchers(ProcessMachine):
    async def start(self) -> None:
        self.room = await (await connect(WatchingSocket)).join("room:1")

    @rule(event=st.sampled_from(["look away", "look"]))
    async def push(self, event: str) -> None:
        async with nothing_leaked():
            await self.room.assert_reply(self.room.push(event), "ok")


def test_a_channel_that_leaks_a_monitor() -> None:
    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(Watchers, settings=LOOKING)
    assert re.fullmatch(
        r"there has been left behind\n    monitor of #PID<\d+ Watching> on #PID<\d+ MemoryTransport>", str(caught.value)
    )
    program = [line for line in caught.value.__notes__[1:] if line.startswith("state.push(")]
    assert program == ["state.push(event='look')"]


# ------------------------------------------------------------------------- a channel that closes twice


class Parting(GenServer):
    """A custom channel that says goodbye twice, if it is told to leave while it has something to say."""

    async def init(self, arguments: Any) -> None:  # noqa: ANN401
        _, from_, self.socket = arguments
        self.said = 0
        monitor(self.socket.transport_pid)
        from_.reply(Ok())

    async def handle_info(self, message: object) -> Stop | None:
        match message:
            case Message(event="say"):
                self.said += 1
            case Message(event="phx_leave"):
                if self.said:
                    self.socket.push("phx_close", {})
                self.socket.close(Shutdown("left"))
                return Stop(Shutdown("left"))
            case Down():
                return Stop(Shutdown("closed"))
        return None


class PartingSocket(Socket):
    channels = (channel("room:*", Parting),)


class Partings(ProcessMachine):
    async def start(self) -> None:
        self.client: Client = await connect(PartingSocket)
        self.room = await self.client.join("room:1")
        self.living = [self.room.join_ref]

    @rule()
    def say(self) -> None:
        self.room.push("say")

    @rule()
    def leave(self) -> None:
        self.room.leave()
        self.living = []

    async def stop(self) -> None:
        heard = await self.client.receive_all()
        admitted = Reply("room:1", "ok", {}, self.room.join_ref, self.room.join_ref)  # which `join` has taken
        assert_ended_once([admitted, *heard], self.living)


def test_a_channel_that_closes_twice() -> None:
    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(Partings, settings=LOOKING)
    assert str(caught.value).endswith("has ended, and its client got ['phx_close', 'phx_close']")
    program = [line for line in caught.value.__notes__[1:] if line.startswith("state.") and "in_this_order" not in line]
    assert program == ["state.say()", "state.leave()", "state.teardown()"]
    said = re.findall(r"Parting.init> sends #PID<\d+ MemoryTransport>: (.*)", caught.value.__notes__[0])
    assert ['"phx_close"' in line for line in said[-2:]] == [True, False]
    assert said[-1].startswith("SocketClose(")
