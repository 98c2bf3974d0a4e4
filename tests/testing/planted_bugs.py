"""Thirty programs with a bug that shows itself in some orders only; each raises in those orders."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import trio
from trio.lowlevel import checkpoint

from phxactor.otp import Agent, GenServer, NoReply, Registry, Reply, Supervisor, call, cast
from phxactor.pubsub import PubSub
from phxactor.runtime import (
    Down,
    Exit,
    Exited,
    From,
    Pid,
    Timer,
    cancel_timer,
    demonitor,
    link,
    monitor,
    receive,
    register,
    self_pid,
    send,
    send_after,
    spawn,
    spawn_link,
    trap_exit,
    unlink,
    unregister,
    whereis,
)

Program = Callable[[], Awaitable[object]]


async def ended(*bodies: Callable[[], Awaitable[object]]) -> None:
    """Run bodies as processes until all have ended."""
    watches = {monitor(spawn(body)) for body in bodies}
    while watches:
        message = await receive(lambda message: isinstance(message, Down))
        watches.discard(message.ref)


class Account(GenServer):
    """Money; reads and writes are calls of their own."""

    async def init(self) -> None:
        self.money = 0
        self.asking: From | None = None

    async def handle_call(self, request: object, from_: From) -> Reply | NoReply:
        if request == "later":
            self.asking = from_  # forgets who asked before
            cast(self_pid(), "answer")
            return NoReply()
        if isinstance(request, int):
            self.money = request
        return Reply(self.money)

    async def handle_cast(self, request: object) -> None:
        if request == "answer" and self.asking is not None:
            self.asking.reply("now")
        elif request == "boom":
            raise Exit("boom")


async def account() -> Pid:
    pid: Pid = (await Account.start_link()).unwrap()
    return pid


async def lost_update() -> None:
    server = await account()

    async def deposit() -> None:
        await call(server, int(await call(server, "read")) + 1)

    await ended(deposit, deposit)
    assert await call(server, "read") == 2


async def lost_update_in_an_agent() -> None:
    agent = (await Agent.start_link(lambda: 0)).unwrap()

    async def deposit() -> None:
        seen = await Agent.get(agent, lambda state: state)
        await Agent.update(agent, lambda _: seen + 1)

    await ended(deposit, deposit)
    assert await Agent.get(agent, lambda state: state) == 2


async def lost_update_in_a_list() -> None:
    box = [0]

    async def deposit() -> None:
        seen = box[0]
        await checkpoint()
        box[0] = seen + 1

    await ended(deposit, deposit)
    assert box == [2]


async def first_message_is_from_the_first() -> None:
    main = self_pid()
    for name in "ab":
        spawn(partial(_send, main, name))
    assert await receive() == "a"


async def _send(to: Pid, message: object) -> None:
    to.send(message)


async def request_overtaken_by_a_relay() -> None:
    main = self_pid()

    async def relay() -> None:
        main.send(await receive())

    pid = spawn(relay)
    pid.send("first")
    await checkpoint()
    await checkpoint()
    main.send("second")
    assert await receive() == "first"


async def three_in_a_circle() -> None:
    """A bug of depth 3: three marks in one order, across two processes."""
    seen: list[str] = []

    async def one() -> None:
        for mark in ("a", "b", "c"):
            seen.append(mark)
            await checkpoint()

    async def two() -> None:
        for mark in ("x", "y"):
            await checkpoint()
            seen.append(mark)

    await ended(one, two)
    assert "".join(seen) != "axbyc"


async def server_calls_back() -> None:
    """Two servers call one another: a deadlock if both do so at once."""

    class Peer(GenServer):
        async def handle_call(self, request: object, from_: From) -> Reply:
            return Reply("here" if request == "there?" else await call(str(request), "there?", timeout=None))

    for name in ("left", "right"):
        (await Peer.start_link(name=name)).unwrap()

    async def ask(name: str, other: str) -> None:
        await call(name, other, timeout=None)

    await ended(partial(ask, "left", "right"), partial(ask, "right", "left"))


async def two_locks() -> None:
    """Two tasks take two locks, each in its own order."""
    left, right = trio.Lock(), trio.Lock()

    async def both(first: trio.Lock, second: trio.Lock) -> None:
        async with first, second:
            await checkpoint()

    await ended(partial(both, left, right), partial(both, right, left))


async def waits_for_a_signal_that_was_before() -> None:
    event = [trio.Event()]

    async def signals() -> None:
        await checkpoint()
        event[0].set()
        event[0] = trio.Event()

    async def waits() -> None:
        await checkpoint()
        await checkpoint()
        if event:
            await event[0].wait()

    await ended(waits, signals)


async def late_reply() -> None:
    async def oracle() -> None:
        for _ in range(2):
            asker, question = await receive()
            asker.send(question)

    pid = spawn(oracle)
    for question in ("a", "b"):
        pid.send((self_pid(), question))
        try:
            assert await receive(timeout=1) == question
        except TimeoutError:
            continue


async def polling_gives_up() -> None:
    main = self_pid()
    spawn(partial(_send, main, "came"))
    for _ in range(3):
        try:
            assert await receive(timeout=0) == "came"
        except TimeoutError:
            await checkpoint()
        else:
            return
    raise AssertionError("gave up")


async def call_times_out_and_its_effect_stays() -> None:
    server = await account()
    try:
        await call(server, 7, timeout=0.5)
    except Exit:
        assert await call(server, "read") == 0


async def cancelled_timer_has_fired() -> None:
    timer = send_after(self_pid(), "tick", 1.0)

    async def canceller(timer: Timer, main: Pid) -> None:
        await trio.sleep(1.0)
        cancel_timer(timer)
        main.send("cancelled")

    spawn(canceller, timer, self_pid())
    assert await receive() == "tick"


async def two_timers_of_one_time() -> None:
    main = self_pid()

    async def waits(name: str) -> None:
        await trio.sleep(1.0)
        main.send(name)

    for name in "ab":
        spawn(waits, name)
    assert [await receive(), await receive()] == ["a", "b"]


async def lease_ends_while_it_is_used() -> None:
    main = self_pid()

    async def holder() -> None:
        send_after(self_pid(), "over", 1.0)
        main.send("mine")
        assert await receive(timeout=3.0) != "over", "used after its end"

    pid = spawn(holder)
    watch = monitor(pid)
    assert await receive() == "mine"
    pid.send("use")
    down = await receive(lambda message: isinstance(message, Down) and message.ref is watch)
    assert down.reason == "normal", down.reason


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
    await checkpoint()
    await checkpoint()
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
    await checkpoint()
    await checkpoint()
    await checkpoint()
    register("name")


async def registry_key_taken_twice() -> None:
    (await Registry.start_link(name="keys", keys="unique")).unwrap()
    main = self_pid()

    async def takes(number: int) -> None:
        if not Registry.lookup("keys", "key"):
            await checkpoint()
            main.send((number, type(Registry.register("keys", "key")).__name__))
        else:
            main.send((number, "sees it"))
        await receive()

    for number in range(2):
        spawn(takes, number)
    assert "Error" not in [(await receive())[1] for _ in range(2)]


async def broadcast_before_subscription() -> None:
    pubsub = PubSub("pubsub")
    (await Supervisor.start_link([pubsub])).unwrap()
    main = self_pid()

    async def listener() -> None:
        pubsub.subscribe("topic")
        main.send(await receive())

    spawn(listener)
    await checkpoint()
    pubsub.broadcast("topic", "news")
    assert await receive() == "news"


async def crash_seen_by_the_caller() -> None:
    (await Supervisor.start_link([Account.child_spec(name="account")])).unwrap()

    async def crash() -> None:
        cast("account", "boom")

    spawn(crash)
    await checkpoint()
    await call("account", "read")


async def memory_lost_in_a_restart() -> None:
    (await Supervisor.start_link([Account.child_spec(name="account")])).unwrap()

    async def crash() -> None:
        await checkpoint()
        cast("account", "boom")

    spawn(crash)
    await call("account", 5)
    try:
        money = await call("account", "read")
    except Exit:
        return
    assert money == 5


async def forgets_who_asked() -> None:
    server = await account()
    main = self_pid()

    async def ask(checkpoints: int) -> None:
        for _ in range(checkpoints):
            await checkpoint()
        main.send(await call(server, "later", timeout=None))

    spawn(ask, 0)
    spawn(ask, 6)
    assert [await receive(), await receive()] == ["now", "now"]


async def down_before_the_last_message() -> None:
    """The last word of a process goes by a relay, its `Down` does not."""
    main = self_pid()

    async def relay() -> None:
        main.send(await receive())

    relayed = spawn(relay)
    monitor(spawn(partial(_send, relayed, "last word")))
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


async def counts_the_mailbox() -> None:
    main = self_pid()
    for name in "abc":
        spawn(partial(_send, main, name))
    await receive()
    await checkpoint()
    assert main.statistics().length == 2


async def stop_loses_a_cast() -> None:
    server = await account()
    main = self_pid()

    async def worker() -> None:
        cast(server, "answer")
        await call(server, 3)
        main.send("done")

    async def stopper() -> None:
        await checkpoint()
        cast(server, "boom")

    unlink(server)
    watch = monitor(spawn(worker))
    spawn(stopper)
    first = await receive()
    assert first == "done", (first, watch)


PROGRAMS: list[Program] = [
    lost_update,
    lost_update_in_an_agent,
    lost_update_in_a_list,
    first_message_is_from_the_first,
    request_overtaken_by_a_relay,
    three_in_a_circle,
    server_calls_back,
    two_locks,
    waits_for_a_signal_that_was_before,
    late_reply,
    polling_gives_up,
    call_times_out_and_its_effect_stays,
    cancelled_timer_has_fired,
    two_timers_of_one_time,
    lease_ends_while_it_is_used,
    look_up_then_start,
    name_not_there_yet,
    name_given_back_too_late,
    registry_key_taken_twice,
    broadcast_before_subscription,
    crash_seen_by_the_caller,
    memory_lost_in_a_restart,
    forgets_who_asked,
    down_before_the_last_message,
    monitor_too_late_for_the_reason,
    demonitor_without_flush,
    exit_signal_after_unlink,
    link_to_one_that_has_ended,
    killed_in_the_middle,
    counts_the_mailbox,
    stop_loses_a_cast,
]
