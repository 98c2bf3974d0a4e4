from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest
import trio

from phxactor.runtime import (
    KILL,
    NORMAL,
    Crash,
    Pid,
    link,
    open_runtime,
    receive,
    self_pid,
    send,
    set_port,
    spawn,
    spawn_link,
    taking,
    trap_exit,
    unlink,
)
from phxactor.runtime._pid import PORT_DEPTH
from phxactor.testing import settle
from tests.runtime.actors import actors, ended, idle, port_actor


async def test_an_idle_port_runs_in_the_send_itself() -> None:
    async with open_runtime():
        port = await port_actor()
        port.pid.send("hello")
        assert port.mail == ["hello"]
        assert port.pid.statistics().length == 0


async def test_a_port_takes_first_what_has_waited() -> None:
    taken: list[object] = []
    begin = trio.Event()

    async def body() -> None:
        await begin.wait()
        set_port(taken.append)
        assert taken == [0, 1, 2]
        await trio.sleep_forever()

    async with open_runtime():
        pid = spawn(body)
        for number in range(3):
            pid.send(number)
        begin.set()
        await settle()
        pid.send(3)
        assert taken == [0, 1, 2, 3]


async def test_a_port_can_be_taken_away_and_messages_wait_again() -> None:
    taken: list[object] = []
    again = trio.Event()

    async def body() -> None:
        set_port(taken.append)
        await again.wait()
        set_port(None)
        taken.append(("received", await receive()))

    async with open_runtime():
        pid = spawn(body)
        await settle()
        pid.send(1)
        again.set()
        await settle()
        pid.send(2)
        await settle()
        assert taken == [1, ("received", 2)]


async def test_a_port_can_take_itself_away() -> None:
    def once(message: object) -> None:
        taken.append(message)
        set_port(None)

    taken: list[object] = []
    async with open_runtime():
        port = await port_actor(once)
        port.pid.send(1)
        port.pid.send(2)
        assert taken == [1]
        assert list(port.pid.mailbox) == [2]


async def test_a_port_that_is_marked_busy_queues_and_its_process_can_receive() -> None:
    taken: list[object] = []

    async def body() -> None:
        me = self_pid()
        set_port(taken.append)
        with taking(me):
            taken.append(("received", await receive(lambda message: message == "answer")))
        await trio.sleep_forever()

    async with open_runtime():
        pid = spawn(body)
        await settle()
        for message in (1, "answer", 2):
            pid.send(message)
        await settle()
        pid.send(3)
        assert taken == [("received", "answer"), 1, 2, 3]


@pytest.mark.parametrize("match", [None, lambda _: True])
async def test_a_process_whose_port_takes_its_messages_cannot_receive(match: Callable[[object], bool] | None) -> None:
    async def body() -> None:
        set_port(lambda _: None)
        with pytest.raises(RuntimeError, match="port"):
            await receive(match)

    async with open_runtime():
        assert await ended(body) == NORMAL


async def test_a_port_runs_as_its_own_process() -> None:
    children: list[Pid] = []

    def take(_: object) -> None:
        children.append(spawn_link(idle))
        send(self_pid(), "mine") if len(children) == 1 else None

    async with open_runtime() as runtime:
        port = await port_actor(take)
        (sender,) = await actors(1)
        await sender.do(port.pid.send, "hello")
        runtime.run_soon(lambda: port.pid.send("from nobody"))
        await settle()
        assert len(children) == 3
        for child in children:
            assert child.parent is port.pid
            assert child.links == {port.pid: False}
        assert self_pid() is runtime.main


class Sink:
    """Takes numbers."""

    takes = int

    def __init__(self, put: Callable[[int], None]) -> None:
        self.put = put


async def test_a_sink_takes_its_type_in_the_ports_place_and_in_order_with_it() -> None:
    taken: list[object] = []

    def port(message: object) -> None:
        taken.append(("port", message))
        if message == "self":
            self_pid().send(1)  # that the port is busy is nothing to the sink
            self_pid().send("wait")
            self_pid().send(2)  # but not before what waits
            taken.append("sent")

    async def body() -> None:
        set_port(port, Sink(lambda number: taken.append(("sink", number))))
        await trio.sleep_forever()

    async with open_runtime():
        pid = spawn(body)
        await settle()
        for message in (1, "a", True, "self", 3):
            pid.send(message)
        assert taken == [
            *(("sink", 1), ("port", "a"), ("port", True), ("port", "self")),
            *(("sink", 1), "sent", ("port", "wait"), ("port", 2), ("sink", 3)),
        ]


async def test_a_sink_takes_what_comes_after_a_message_that_ran_too_deep_in_order() -> None:
    """A chain of ports that is too long goes on later; meanwhile the last one's sink takes nothing."""
    taken: list[object] = []

    def passing_on(to: Pid) -> Callable[[object], None]:
        def port(message: object) -> None:
            to.send(message)
            to.send(7)

        return port

    async def ported(port: Callable[[object], None]) -> None:
        set_port(port, Sink(taken.append))
        await trio.sleep_forever()

    async with open_runtime():
        pid = spawn(ported, taken.append)
        await settle()
        for _ in range(PORT_DEPTH):
            pid = spawn(ported, passing_on(pid))
            await settle()
        pid.send("deep")
        assert taken == [7] * (PORT_DEPTH - 1)
        await settle()
        assert taken == [7] * (PORT_DEPTH - 1) + ["deep", 7]


async def test_a_sink_lets_nothing_pass_what_came_while_a_call_was_waited_for() -> None:
    taken: list[object] = []

    async def body() -> None:
        me = self_pid()
        set_port(taken.append, Sink(taken.append))
        with taking(me):
            taken.append(await receive(lambda message: message == "answer"))
        await trio.sleep_forever()

    async with open_runtime():
        pid = spawn(body)
        await settle()
        for message in ("before", 1, "answer", 2):
            pid.send(message)
        await settle()
        pid.send(3)
        assert taken == ["answer", "before", 1, 2, 3]


async def test_a_sink_is_back_when_what_waited_was_flushed() -> None:
    taken: list[object] = []

    async def nothing() -> None: ...

    async with open_runtime():
        dead = spawn(nothing)
        await settle()

        def port(message: object) -> None:
            taken.append(message)
            link(dead)  # the port is busy: that it has ended waits
            unlink(dead, flush=True)

        async def body() -> None:
            trap_exit()
            set_port(port, Sink(lambda number: taken.append(("sink", number))))
            await trio.sleep_forever()

        pid = spawn(body)
        await settle()
        pid.send("go")
        assert not pid.mailbox
        pid.send(1)
        assert taken == ["go", ("sink", 1)]
        pid.exit(KILL)


async def test_a_sink_takes_nothing_for_a_process_that_is_ending() -> None:
    taken: list[int] = []

    async def body() -> None:
        set_port(lambda _: None, Sink(taken.append))
        await trio.sleep_forever()

    async with open_runtime():
        pid = spawn(body)
        await settle()
        pid.send(1)
        pid.exit("enough")
        pid.send(2)
        await settle()
        pid.send(3)
        assert taken == [1]


async def test_a_sink_that_raises_ends_its_process_and_not_the_sender() -> None:
    def put(number: int) -> None:
        raise ValueError(number)

    async def body() -> None:
        set_port(lambda _: None, Sink(put))
        await trio.sleep_forever()

    async with open_runtime() as runtime:
        pid = spawn(body)
        await settle()
        pid.send(7)
        reason = await runtime.ended(pid)
        assert isinstance(reason, Crash)
        assert isinstance(reason.exception, ValueError)


async def test_a_dead_process_keeps_neither_its_port_nor_its_sink() -> None:
    class Output:
        takes = int

        def put(self, message: object) -> None: ...

    output = Output()
    alive = weakref.ref(output)

    async def body(output: Output) -> None:
        set_port(output.put, output)
        await trio.sleep_forever()

    async with open_runtime() as runtime:
        pid = spawn(body, output)
        del output
        await settle()
        pid.exit(KILL)
        assert await runtime.ended(pid) == "killed"
        await settle()
        gc.collect()
        assert alive() is None
