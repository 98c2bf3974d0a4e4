"""Bugs of names, links, monitors and ends."""

from __future__ import annotations

from trio.lowlevel import checkpoint

from phxactor.runtime import (
    Down,
    Exit,
    Exited,
    demonitor,
    link,
    monitor,
    receive,
    register,
    self_pid,
    send,
    spawn,
    spawn_link,
    trap_exit,
    unlink,
    unregister,
    whereis,
)
from tests.testing.planted.bug import Account, Bug, steps


async def look_up_then_start() -> None:
    main = self_pid()

    async def starts() -> None:
        if whereis("server") is None:
            await checkpoint()
            main.send(type(await Account.start(name="server")).__name__)

    watches = [monitor(spawn(starts)) for _ in range(2)]
    answers = [await receive() for _ in watches]
    assert "Error" not in answers


async def name_not_there_yet() -> None:
    async def server() -> None:
        await checkpoint()
        register("server")
        await receive()

    spawn(server)
    await steps(4)
    send("server", "hello")


async def name_given_back_too_late() -> None:
    async def owner() -> None:
        register("name")
        await receive()
        await checkpoint()
        unregister("name")

    pid = spawn(owner)
    await checkpoint()
    pid.send("give it back")
    await steps(3)
    register("name")


async def gives_back_the_name_of_another() -> None:
    """Looks whether the name is its own, and gives it back a step later, when it is another one's."""
    main = self_pid()

    async def first() -> None:
        register("name")
        mine = whereis("name") is self_pid()
        main.send("taken")
        await checkpoint()
        if mine and whereis("name") is not None:
            unregister("name")

    async def second() -> None:
        register("name")
        main.send("mine")
        await receive()

    spawn(first)
    assert await receive() == "taken"
    await steps(3)
    if whereis("name") is not None:
        unregister("name")
    spawn(second)
    assert await receive() == "mine"
    await steps(3)
    assert whereis("name") is not None


async def a_name_that_is_another_process_now() -> None:
    """ABA: the name is taken before and after, and in between its owner was another."""
    main = self_pid()

    async def owner(after: int) -> None:
        await steps(after)
        if whereis("name") is None:
            register("name")
        main.send("registered")
        await receive()

    pid = spawn(owner, 0)
    await receive()
    asked = whereis("name")
    spawn(owner, 6)
    monitor(pid)
    pid.send("end")
    assert await receive() != "registered" or whereis("name") is asked, "it asks a stranger"


async def down_before_the_last_message() -> None:
    """The last word of a process goes by a relay, its `Down` does not."""
    main = self_pid()

    async def relay() -> None:
        main.send(await receive())

    async def speaks() -> None:
        relayed.send("last word")
        await steps(3)

    relayed = spawn(relay)
    monitor(spawn(speaks))
    assert await receive() == "last word"


async def monitor_too_late_for_the_reason() -> None:
    async def short() -> None:
        await checkpoint()
        raise Exit("why")

    pid = spawn(short)
    await checkpoint()
    monitor(pid)
    assert (await receive()).reason == "why"


async def demonitor_without_flush() -> None:
    async def short() -> None:
        await checkpoint()

    watch = monitor(spawn(short))
    await checkpoint()
    demonitor(watch)
    self_pid().send("next")
    assert await receive() == "next"


async def exit_signal_after_unlink() -> None:
    trap_exit()

    async def short() -> None:
        await checkpoint()
        raise Exit("boom")

    pid = spawn_link(short)
    await checkpoint()
    unlink(pid)
    self_pid().send("next")
    assert not isinstance(await receive(), Exited)


async def link_to_one_that_has_ended() -> None:
    async def short() -> None:
        await checkpoint()

    pid = spawn(short)
    await checkpoint()
    link(pid)


async def traps_exits_too_late() -> None:
    main = self_pid()

    async def parent() -> None:
        async def child() -> None:
            await steps(2)
            raise Exit("boom")

        spawn_link(child)
        await checkpoint()
        trap_exit()
        main.send(type(await receive()).__name__)

    monitor(spawn(parent))
    assert await receive() == "Exited"


async def killed_in_the_middle() -> None:
    """Two halves of an update; a kill comes between them."""
    halves: list[str] = []

    async def writer() -> None:
        for half in ("first", "second"):
            halves.append(half)
            await checkpoint()

    async def killer() -> None:
        await checkpoint()
        pid.exit("kill")

    pid = spawn(writer)
    watch = monitor(pid)
    spawn(killer)
    await receive(lambda message: isinstance(message, Down) and message.ref is watch)
    assert len(halves) != 1


async def a_finally_that_awaits() -> None:
    """A killed process does not come to the step after an await in its `finally`."""
    held = [False]

    async def holder() -> None:
        held[0] = True
        try:
            await steps(2)
        finally:
            await checkpoint()
            held[0] = False

    pid = spawn(holder)
    watch = monitor(pid)
    await steps(5)
    pid.exit("kill")
    await receive(lambda message: isinstance(message, Down) and message.ref is watch)
    assert not held[0]


async def the_last_to_end_is_the_last_to_be_heard() -> None:
    """Takes the order of `Down`s for the order in which the processes were started."""

    async def short() -> None:
        await checkpoint()

    first, second = monitor(spawn(short)), monitor(spawn(short))
    assert [(await receive()).ref for _ in range(2)] == [first, second]


async def a_child_outlives_its_parent() -> None:
    """The child asks its parent for work; a parent that has ended never answers."""
    main = self_pid()

    async def child(parent: object) -> None:
        await steps(2)
        parent.send(self_pid())  # type: ignore[attr-defined]
        main.send(await receive(timeout=30))

    async def parent() -> None:
        spawn(child, self_pid())
        await checkpoint()
        asked = await receive(timeout=0.5)
        asked.send("work")

    spawn(parent)
    assert await receive(timeout=60) == "work"


BUGS = [
    Bug(program)
    for program in (
        look_up_then_start,
        name_not_there_yet,
        name_given_back_too_late,
        gives_back_the_name_of_another,
        a_name_that_is_another_process_now,
        down_before_the_last_message,
        monitor_too_late_for_the_reason,
        demonitor_without_flush,
        exit_signal_after_unlink,
        link_to_one_that_has_ended,
        traps_exits_too_late,
        killed_in_the_middle,
        a_finally_that_awaits,
        the_last_to_end_is_the_last_to_be_heard,
        a_child_outlives_its_parent,
    )
]
