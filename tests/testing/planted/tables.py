"""Bugs of registries, PubSub and presences, and of lines that break."""

from __future__ import annotations

from functools import partial

import trio
from trio.lowlevel import checkpoint

from phxactor.otp import Registry, Supervisor
from phxactor.pubsub import PubSub
from phxactor.runtime import Down, monitor, receive, self_pid, spawn
from phxactor.testing._faults_line import FaultyLine
from phxactor.testing.explore import Faults
from tests.testing.planted.bug import Bug, ended, steps


async def registry_key_taken_twice() -> None:
    (await Registry.start_link(name="keys", keys="unique")).unwrap()
    main = self_pid()

    async def takes(after: int) -> None:
        await steps(after)
        if not Registry.lookup("keys", "key"):
            await checkpoint()
            main.send(type(Registry.register("keys", "key")).__name__)
        else:
            main.send("sees it")
        await receive()

    for number in range(2):
        spawn(takes, 4 * number)
    assert "Error" not in [await receive() for _ in range(2)]


async def an_entry_of_one_that_has_ended() -> None:
    """Sends to the first entry that it finds, a step later."""
    (await Registry.start_link(name="keys", keys="duplicate")).unwrap()
    main = self_pid()

    async def worker(rounds: int) -> None:
        Registry.register("keys", "workers")
        main.send("ready")
        await steps(rounds)

    monitor(spawn(worker, 8))
    await receive()
    (worker_pid, _), *_ = Registry.lookup("keys", "workers")
    await steps(2)
    assert worker_pid.alive


async def pubsub() -> PubSub:
    """Start a PubSub."""
    made = PubSub("pubsub")
    (await Supervisor.start_link([made])).unwrap()
    return made


async def broadcast_before_subscription() -> None:
    news = await pubsub()
    main = self_pid()

    async def listener() -> None:
        news.subscribe("topic")
        main.send(await receive())

    spawn(listener)
    await steps(3)
    news.broadcast("topic", "news")
    assert await receive() == "news"


async def reads_and_subscribes_then() -> None:
    """A change between the reading and the subscription is never heard of."""
    news = await pubsub()
    value = [0]
    main = self_pid()

    async def changes() -> None:
        await steps(5)
        value[0] = 1
        news.broadcast("value", 1)

    async def shows() -> None:
        shown = value[0]
        await checkpoint()
        news.subscribe("value")
        main.send(shown or await receive())

    spawn(changes)
    spawn(shows)
    assert await receive(timeout=60) == 1


async def hears_what_it_has_unsubscribed_from() -> None:
    """An event that came before the unsubscription is still in the mailbox."""
    news = await pubsub()
    main = self_pid()

    async def listener() -> None:
        news.subscribe("topic")
        await steps(3)
        news.unsubscribe("topic")
        main.send(await receive())

    pid = spawn(listener)
    await steps(8)
    news.broadcast("topic", "news")
    pid.send("end")
    assert await receive() == "end"


async def tells_itself() -> None:
    """`broadcast_from` leaves out one process; its helper broadcasts in its own name."""
    news = await pubsub()
    main = self_pid()

    async def user() -> None:
        news.subscribe("room")
        helper = spawn(partial(tell, self_pid()))
        await steps(3)
        news.broadcast_from(self_pid(), "room", "I came")
        helper.send("go")
        main.send(await receive())

    async def tell(boss: object) -> None:
        try:
            await receive(timeout=1.0)
        except TimeoutError:
            news.broadcast_from(self_pid(), "room", "slow")
        boss.send("done")  # type: ignore[attr-defined]

    spawn(user)
    assert await receive() == "done"


async def somebody_is_never_absent() -> None:
    """A user opens a new page and closes the old one; in between nobody is there."""
    news = await pubsub()
    present: list[str] = []
    seen: list[int] = []

    async def page(first: int, last: int) -> None:
        await steps(first)
        present.append("user")
        news.broadcast("users", len(present))
        await steps(last)
        present.remove("user")

    async def looks() -> None:
        await steps(4)
        for _ in range(6):
            seen.append(len(present))
            await checkpoint()

    await ended(partial(page, 0, 8), partial(page, 4, 12), looks)
    assert 0 not in seen


async def hears_of_the_end_before_the_next_message() -> None:
    """Relies on a `Down` that comes before the next process's message."""
    main = self_pid()

    async def worker() -> None:
        main.send("done")

    for _ in range(2):
        monitor(spawn(worker))
    await receive()
    assert isinstance(await receive(), Down)


async def sends_again_after_a_break() -> None:
    """A line breaks after the request has arrived; the request is sent again, and done twice."""
    done: list[bytes] = []

    async def serve(line: FaultyLine) -> None:
        try:
            done.append(bytes(await line.server.receive_some()))
            await line.server.send_all(b"ok")
        except trio.BrokenResourceError:
            return

    for _ in range(2):
        line = FaultyLine()
        spawn(serve, line)
        try:
            await line.client.send_all(b"pay")
            await line.client.receive_some()
        except trio.BrokenResourceError:
            continue
        break
    assert len(done) == 1


async def a_reader_that_knows_no_break() -> None:
    line = FaultyLine()

    async def reader() -> bytes:
        return bytes(await line.server.receive_some())

    watch = monitor(spawn(reader))
    try:
        await line.client.send_all(b"hello")
    except trio.BrokenResourceError:
        return
    down = await receive(lambda message: isinstance(message, Down) and message.ref is watch)
    assert down.reason == "normal"


BUGS = [
    *[
        Bug(program)
        for program in (
            registry_key_taken_twice,
            an_entry_of_one_that_has_ended,
            broadcast_before_subscription,
            reads_and_subscribes_then,
            hears_what_it_has_unsubscribed_from,
            tells_itself,
            somebody_is_never_absent,
        )
    ],
    Bug(hears_of_the_end_before_the_next_message, Faults(late_downs=1)),
    Bug(sends_again_after_a_break, Faults(drops=1)),
    Bug(a_reader_that_knows_no_break, Faults(drops=1)),
]
