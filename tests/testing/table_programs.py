"""More small programs for rows of the dependency table: trio's primitives, ports, traps, and looks at tables (EX26)."""

from __future__ import annotations

import trio
from trio.lowlevel import checkpoint

from phxactor.otp import DynamicSupervisor, Registry, Supervisor, system
from phxactor.presence import Presence
from phxactor.pubsub import PubSub
from phxactor.runtime import monitor, receive, self_pid, set_port, spawn, trap_exit
from tests.testing.small_programs import Counter


async def a_lock() -> object:
    """Two processes want one lock."""
    lock, main = trio.Lock(), self_pid()

    async def user(name: str) -> None:
        async with lock:
            main.send(name)

    for name in "ab":
        spawn(user, name)
    return [await receive() for _ in range(2)]


OLDER = trio.Semaphore(1)
"""It is older than all plays."""


async def an_older_semaphore() -> object:
    """Two processes want one semaphore, which is the same in all plays."""
    main = self_pid()

    async def user(name: str) -> None:
        try:
            OLDER.acquire_nowait()
        except trio.WouldBlock:
            main.send((name, "no"))
            return
        await checkpoint()
        OLDER.release()
        main.send((name, OLDER.value))

    for name in "ab":
        spawn(user, name)
    return sorted([await receive() for _ in range(2)])


async def a_limit() -> object:
    """Two processes want the only token."""
    limit, main = trio.CapacityLimiter(1), self_pid()

    async def user(name: str) -> None:
        free = limit.available_tokens
        async with limit:
            main.send((name, free))

    for name in "ab":
        spawn(user, name)
    return sorted([await receive() for _ in range(2)])


async def a_condition() -> object:
    """One process waits for another's notice, which may be too early."""
    condition, main = trio.Condition(), self_pid()

    async def waits() -> None:
        async with condition:
            main.send("waits")
            await condition.wait()

    async def notifies() -> None:
        async with condition:
            condition.notify()
            main.send("notified")

    spawn(waits)
    spawn(notifies)
    return [await receive() for _ in range(2)]


async def a_memory_channel() -> object:
    """Two processes put something in, and a third takes one out."""
    put, take = trio.open_memory_channel[str](1)
    main = self_pid()

    async def puts(name: str) -> None:
        await put.send(name)

    async def takes() -> None:
        main.send(await take.receive())

    for name in "ab":
        spawn(puts, name)
    spawn(takes)
    return await receive(), await take.receive()


async def trapping() -> object:
    """An exit signal comes before or after the process traps exits."""
    main = self_pid()

    async def victim() -> None:
        trap_exit()
        main.send(type(await receive()).__name__)

    async def shooter() -> None:
        pid.exit("boom")

    pid = spawn(victim)
    monitor(pid)
    spawn(shooter)
    return type(await receive()).__name__


async def a_port() -> object:
    """Messages that come before or after a port is set, and before or after the end of its process."""
    main = self_pid()

    async def ported() -> None:
        set_port(main.send)
        await trio.sleep_forever()

    async def sender() -> None:
        pid.send("sent")

    async def killer() -> None:
        pid.exit("kill")

    pid = spawn(ported)
    watches = [monitor(spawn(sender)), monitor(spawn(killer))]
    seen = [await receive() for _ in watches]
    return [type(one).__name__ for one in seen], main.statistics().length


async def counting_processes() -> object:
    """The processes are counted while one starts another and ends."""

    async def short() -> None:
        spawn(checkpoint)

    spawn(short)
    await checkpoint()
    return self_pid().runtime.statistics().processes


async def counting_children() -> object:
    """The children of a supervisor are counted while one starts."""
    pool = (await DynamicSupervisor.start_link()).unwrap()

    async def starts() -> None:
        await DynamicSupervisor.start_child(pool, Counter)

    spawn(starts)
    await checkpoint()
    return DynamicSupervisor.count(pool)


async def a_state() -> object:
    """The state of a server is read while it counts."""
    counter = (await Counter.start_link()).unwrap()

    async def caller() -> None:
        await Counter.call(counter, "next")

    spawn(caller)
    return await system.get_state(counter)


async def updating_a_value() -> object:
    """The value of a key is read while it changes."""
    (await Registry.start_link(name="keys", keys="unique")).unwrap()
    main = self_pid()

    async def owner() -> None:
        Registry.register("keys", "key", 0)
        main.send("registered")
        await checkpoint()
        Registry.update_value("keys", "key", lambda _: 1)
        await receive()

    spawn(owner)
    await receive()
    return [value for _, value in Registry.lookup("keys", "key")]


async def counting_topics() -> object:
    """The topics of a PubSub are counted while two processes subscribe."""
    pubsub = PubSub("pubsub")
    (await Supervisor.start_link([pubsub])).unwrap()

    async def listener(topic: str) -> None:
        pubsub.subscribe(topic)
        await receive()

    for topic in "ab":
        spawn(listener, topic)
    await checkpoint()
    return len(pubsub.topics())


class Here(Presence, pubsub=PubSub("presences")):
    """Who is here."""


async def being_present() -> object:
    """Who is there is asked while one comes and ends."""
    (await Supervisor.start_link([PubSub("presences"), Here])).unwrap()

    async def comes() -> None:
        Here.track("room", "ann")

    spawn(comes)
    await checkpoint()
    return sorted(Here.list("room"))


async def killed_while_it_waits() -> object:
    """A process that waits for a message is killed before or after one comes."""
    main = self_pid()

    async def waits() -> None:
        await receive()
        main.send("taken")
        await receive()

    async def sender() -> None:
        pid.send("message")

    async def kills() -> None:
        pid.exit("kill")

    pid = spawn(waits)
    watch = monitor(pid)
    await checkpoint()
    spawn(kills)
    spawn(sender)
    await receive(lambda message: getattr(message, "ref", None) is watch)
    return main.statistics().length


async def killed_while_it_waits_for_an_event() -> object:
    """A process that waits for an event is killed before or after it is set."""
    event, main = trio.Event(), self_pid()

    async def waits() -> None:
        await event.wait()
        main.send("seen")

    async def sets() -> None:
        event.set()

    async def kills() -> None:
        pid.exit("kill")

    pid = spawn(waits)
    watch = monitor(pid)
    await checkpoint()
    spawn(kills)
    spawn(sets)
    await receive(lambda message: getattr(message, "ref", None) is watch)
    return main.statistics().length


PROGRAMS = [
    killed_while_it_waits,
    killed_while_it_waits_for_an_event,
    a_lock,
    an_older_semaphore,
    a_limit,
    a_condition,
    a_memory_channel,
    trapping,
    a_port,
    counting_processes,
    counting_children,
    a_state,
    updating_a_value,
    counting_topics,
    being_present,
]
