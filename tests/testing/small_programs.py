"""Small programs, one or more for each row of the dependency table; each returns what it has seen (EX26, EX36)."""

from __future__ import annotations

import trio
from trio.lowlevel import checkpoint

from phxactor.otp import GenServer, Registry, Reply, Supervisor, call, cast
from phxactor.pubsub import PubSub
from phxactor.runtime import (
    Down,
    Exit,
    Exited,
    From,
    NameTakenError,
    NoProcessError,
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


async def two_senders() -> object:
    """Two processes send two messages each."""
    main = self_pid()

    async def sender(name: str) -> None:
        for number in range(2):
            main.send(f"{name}{number}")
            await checkpoint()

    for name in "ab":
        spawn(sender, name)
    return [await receive() for _ in range(4)]


async def separate_receivers() -> object:
    """Two processes send to two others: no order matters."""
    main = self_pid()

    async def sender(name: str) -> None:
        async def taker() -> None:
            main_of_taker = await receive()
            assert main_of_taker == name

        spawn(taker).send(name)

    for name in "ab":
        spawn(sender, name)
    return main.alive


async def polling() -> object:
    """A receive with a time-out of 0 gets the message, or not."""
    main = self_pid()

    async def sender() -> None:
        main.send("came")

    spawn(sender)
    for _ in range(2):
        try:
            return await receive(timeout=0)
        except TimeoutError:
            await checkpoint()
    return "nothing"


async def selective() -> object:
    """A receive that wants one of two messages."""
    main = self_pid()

    async def sender(name: str) -> None:
        main.send(name)

    for name in "ab":
        spawn(sender, name)
    second = await receive(lambda message: message == "b")
    return second, await receive()


async def killing() -> object:
    """A process is killed before, between or after its two messages."""
    main = self_pid()

    async def victim() -> None:
        main.send(1)
        await checkpoint()
        main.send(2)

    async def killer() -> None:
        pid.exit("kill")

    pid = spawn(victim)
    watch = monitor(pid)
    spawn(killer)
    seen: list[object] = []
    while True:
        message = await receive()
        if isinstance(message, Down) and message.ref is watch:
            return seen, message.reason
        seen.append(message)


async def looking_at_life() -> object:
    """Whether a process lives, which ends by itself."""

    async def short() -> None:
        await checkpoint()

    pid = spawn(short)
    await checkpoint()
    alive = pid.alive
    await checkpoint()
    return alive, pid.alive


async def demonitoring() -> object:
    """A monitor that is removed before or after it has fired."""

    async def short() -> None:
        await checkpoint()

    watch = monitor(spawn(short))
    await checkpoint()
    return demonitor(watch), demonitor(watch, flush=True), len(self_pid().mailbox)


async def monitoring_late() -> object:
    """A monitor that is made before or after the end."""

    async def short() -> None:
        raise Exit("boom")

    pid = spawn(short)
    await checkpoint()
    monitor(pid)
    down = await receive()
    return down.reason


async def linking() -> object:
    """A link that is made before or after the other one's end."""
    trap_exit()

    async def short() -> None:
        raise Exit("boom")

    pid = spawn(short)
    await checkpoint()
    link(pid)
    ended = await receive()
    assert isinstance(ended, Exited)
    return ended.reason


async def unlinking() -> object:
    """A link that is removed before or after the other one's end."""
    trap_exit()

    async def short() -> None:
        raise Exit("boom")

    pid = spawn_link(short)
    await checkpoint()
    unlink(pid)
    try:
        return (await receive(timeout=0)).reason
    except TimeoutError:
        return "nothing"


async def linked_to_two() -> object:
    """Two processes end, which a third is linked to."""

    async def short(reason: str) -> None:
        raise Exit(reason)

    async def middle() -> None:
        for reason in ("a", "b"):
            spawn_link(short, reason)
        await receive()

    watch = monitor(spawn(middle))
    return (await receive(lambda message: message.ref is watch)).reason


async def taking_a_name() -> object:
    """Two processes want one name, and one gives it back."""
    main = self_pid()

    async def taker(number: int) -> None:
        try:
            register("name")
        except NameTakenError:
            main.send((number, "taken"))
            return
        main.send((number, "mine"))
        await checkpoint()
        unregister("name")

    for number in range(2):
        spawn(taker, number)
    return [await receive() for _ in range(2)]


async def looking_up_a_name() -> object:
    """A name is looked up before or after it is registered, and after its owner's end."""

    async def owner() -> None:
        register("name")
        await checkpoint()

    spawn(owner)
    await checkpoint()
    first = whereis("name") is not None
    try:
        send("name", "hello")
    except NoProcessError:
        return first, "nobody"
    return first, "sent"


async def registry() -> object:
    """Two processes want one key of a registry."""
    (await Registry.start_link(name="keys", keys="unique")).unwrap()
    main = self_pid()

    async def taker(number: int) -> None:
        main.send((number, type(Registry.register("keys", "key")).__name__))
        await receive()

    for number in range(2):
        spawn(taker, number)
    return [await receive() for _ in range(2)], len(Registry.lookup("keys", "key"))


async def subscribing() -> object:
    """A broadcast before or after a process subscribes."""
    pubsub = PubSub("pubsub")
    (await Supervisor.start_link([pubsub])).unwrap()
    main = self_pid()

    async def listener() -> None:
        pubsub.subscribe("topic")
        main.send("subscribed")
        main.send(await receive())

    spawn(listener)
    await checkpoint()
    pubsub.broadcast("topic", "early")
    first = await receive()
    pubsub.broadcast("topic", "late")
    return first, await receive()


class Counter(GenServer):
    """Counts."""

    async def init(self) -> None:
        self.count = 0

    async def handle_call(self, request: object, from_: From) -> Reply:
        self.count += 1
        return Reply(self.count)

    async def handle_cast(self, request: object) -> None:
        raise ValueError(request)


async def calling() -> object:
    """Two processes call a server."""
    counter = (await Counter.start_link()).unwrap()
    main = self_pid()

    async def caller(name: str) -> None:
        main.send((name, await call(counter, "next")))

    for name in "ab":
        spawn(caller, name)
    return [await receive() for _ in range(2)]


async def restarting() -> object:
    """A server crashes under its supervisor while it is called."""
    supervisor = (await Supervisor.start_link([Counter.child_spec(name="counter")])).unwrap()

    async def crash() -> None:
        try:
            cast("counter", "boom")
        except NoProcessError:
            return

    spawn(crash)
    try:
        answer: object = await call("counter", "next")
    except Exit as error:
        answer = type(error.reason).__name__
    return answer, supervisor.alive


async def cancelling_a_timer() -> object:
    """A timer is cancelled, or fires before."""
    timer = send_after(self_pid(), "tick", 1.0)

    async def canceller() -> None:
        await trio.sleep(1.0)
        cancel_timer(timer)

    spawn(canceller)
    try:
        return await receive(timeout=2.0)
    except TimeoutError:
        return "nothing"


async def an_event() -> object:
    """Two processes share a trio.Event, of which each looks whether it is set."""
    event = trio.Event()
    main = self_pid()

    async def looker(name: str) -> None:
        main.send((name, event.is_set()))
        event.set()

    for name in "ab":
        spawn(looker, name)
    return sorted([await receive() for _ in range(2)])


PROGRAMS = [
    two_senders,
    separate_receivers,
    polling,
    selective,
    killing,
    looking_at_life,
    demonitoring,
    monitoring_late,
    linking,
    unlinking,
    linked_to_two,
    taking_a_name,
    looking_up_a_name,
    registry,
    subscribing,
    calling,
    restarting,
    cancelling_a_timer,
    an_event,
]
