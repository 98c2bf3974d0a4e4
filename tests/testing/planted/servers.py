"""Bugs of servers and supervisors."""

from __future__ import annotations

from functools import partial

import trio
from trio.lowlevel import checkpoint

from phxactor.otp import DynamicSupervisor, GenServer, NoReply, Reply, Supervisor, call, cast
from phxactor.runtime import Exit, From, Pid, monitor, receive, self_pid, spawn, unlink, whereis
from phxactor.testing.explore import Faults
from tests.testing.planted.bug import Account, Bug, account, ended, steps


class Peer(GenServer):
    """Asks another server before it answers."""

    async def handle_call(self, request: object, from_: From) -> Reply:
        return Reply("here" if request == "there?" else await call(str(request), "there?", timeout=None))


async def server_calls_back() -> None:
    """Two servers call one another: a deadlock if both do so at once."""
    for name in ("left", "right"):
        (await Peer.start_link(name=name)).unwrap()

    async def ask(name: str, other: str, after: int) -> None:
        await steps(after)
        await call(name, other, timeout=None)

    await ended(partial(ask, "left", "right", 0), partial(ask, "right", "left", 6))


async def forgets_who_asked() -> None:
    server = await account()
    main = self_pid()

    async def ask(after: int) -> None:
        await steps(after)
        main.send(await call(server, "later", timeout=None))

    spawn(ask, 0)
    spawn(ask, 6)
    assert [await receive(), await receive()] == ["now", "now"]


class Lock(GenServer):
    """Gives a lock to one after the other; a process that has ended gets it too, and never gives it back."""

    async def init(self) -> None:
        self.waiting: list[From] = []
        self.taken = False

    async def handle_call(self, request: object, from_: From) -> Reply | NoReply:
        if not self.taken:
            self.taken = True
            return Reply("yours")
        self.waiting.append(from_)
        return NoReply()

    async def handle_cast(self, request: object) -> None:
        self.taken = bool(self.waiting)
        if self.waiting:
            self.waiting.pop(0).reply("yours")


async def a_lock_for_one_that_has_ended() -> None:
    lock = (await Lock.start_link()).unwrap()

    async def user(seconds: float) -> None:
        try:
            await call(lock, "take", timeout=seconds)
        except Exit:
            return
        await checkpoint()
        cast(lock, "give back")

    await ended(*[partial(user, 1.0)] * 3)
    await call(lock, "take", timeout=60)


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


class Relay(GenServer):
    """Tells another server what it is told."""

    async def init(self, to: Pid) -> None:
        self.to = to

    async def handle_cast(self, request: object) -> None:
        cast(self.to, request)


class Journal(GenServer):
    """Writes down what it is told."""

    async def init(self) -> None:
        self.lines: list[object] = []

    async def handle_call(self, request: object, from_: From) -> Reply:
        return Reply(self.lines)

    async def handle_cast(self, request: object) -> None:
        self.lines.append(request)


async def causes_by_two_ways() -> None:
    """What one tells by a relay first, and directly then, may come in another order."""
    journal = (await Journal.start_link()).unwrap()
    relay = (await Relay.start_link(journal)).unwrap()
    cast(relay, "cause")
    await steps(3)
    cast(journal, "effect")
    assert await call(journal, "lines") == ["cause", "effect"]


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


class Versioned(GenServer):
    """A value with a version, which begins at 0 again after a restart."""

    async def init(self) -> None:
        self.version, self.value = 0, "empty"

    async def handle_call(self, request: tuple[str, int, str], from_: From) -> Reply:
        word, version, value = request
        if word == "set" and version == self.version:
            self.version, self.value = version + 1, value
            return Reply("set")
        return Reply((self.version, self.value))

    async def handle_cast(self, request: object) -> None:
        raise Exit("boom")


async def a_version_that_is_another_one_now() -> None:
    """ABA: the version is the same as before, of a server that has been restarted since."""
    (await Supervisor.start_link([Versioned.child_spec(name="versioned")])).unwrap()

    async def other() -> None:
        await steps(14)
        try:
            await call("versioned", ("set", 0, "theirs"))
            cast("versioned", "boom")
            await checkpoint()
            await call("versioned", ("set", 0, "theirs again"))
        except Exit:
            return

    watch = monitor(spawn(other))
    await call("versioned", ("set", 0, "mine"))
    try:
        assert await call("versioned", ("get", 0, "")) == (1, "mine")
    except Exit:
        return
    await receive(lambda message: getattr(message, "ref", None) is watch)


async def two_crashes_that_were_far_apart() -> None:
    """One restart in a second is allowed. The server is crashed twice, more than two seconds apart if on time."""
    supervisor = (
        await Supervisor.start_link([Account.child_spec(name="account")], max_restarts=1, max_seconds=1)
    ).unwrap()
    unlink(supervisor)

    async def crash(times: int) -> None:
        for _ in range(times):
            await trio.sleep(1.2)
        cast("account", "boom")
        await steps(6)

    await ended(partial(crash, 1), partial(crash, 3))
    assert supervisor.alive


class Caching(GenServer):
    """Looks its neighbour up when it starts, and keeps the pid."""

    async def init(self) -> None:
        self.neighbour = whereis("account")

    async def handle_call(self, request: object, from_: From) -> Reply:
        if self.neighbour is None:
            return Reply(0)
        return Reply(await call(self.neighbour, "read"))


async def a_neighbour_that_was_restarted() -> None:
    """One for one, although the second child keeps the pid of the first."""
    children = [Account.child_spec(name="account"), Caching.child_spec(name="caching")]
    (await Supervisor.start_link(children, max_restarts=5)).unwrap()

    async def crash() -> None:
        await steps(9)
        cast("account", "boom")

    async def asks() -> None:
        await call("caching", "read")

    spawn(crash)
    for _ in range(2):
        await asks()


async def more_rooms_than_there_may_be() -> None:
    """Two processes see that there is room for one more."""
    pool = (await DynamicSupervisor.start_link()).unwrap()

    async def opens(after: int) -> None:
        await steps(after)
        if DynamicSupervisor.count(pool) < 1:
            await DynamicSupervisor.start_child(pool, Account)

    await ended(partial(opens, 0), partial(opens, 8))
    assert DynamicSupervisor.count(pool) == 1


async def a_transfer_that_is_half_done() -> None:
    """Takes from one account, and is killed before it gives to the other."""
    accounts = [await account(), await account()]
    await call(accounts[0], 10)

    async def transfer() -> None:
        await call(accounts[0], 5)
        await call(accounts[1], 5)

    await ended(transfer)
    assert await call(accounts[0], "read") + await call(accounts[1], "read") == 10


async def the_holder_of_a_lock_is_killed() -> None:
    lock = (await Lock.start_link()).unwrap()

    async def user() -> None:
        await call(lock, "take", timeout=None)
        await checkpoint()
        cast(lock, "give back")

    await ended(user)
    await call(lock, "take", timeout=60)


def _users(pid: Pid) -> bool:
    return pid.initial_call.endswith((".transfer", ".user"))


BUGS = [
    *[
        Bug(program)
        for program in (
            server_calls_back,
            forgets_who_asked,
            a_lock_for_one_that_has_ended,
            stop_loses_a_cast,
            causes_by_two_ways,
            crash_seen_by_the_caller,
            memory_lost_in_a_restart,
            a_version_that_is_another_one_now,
            two_crashes_that_were_far_apart,
            a_neighbour_that_was_restarted,
            more_rooms_than_there_may_be,
        )
    ],
    Bug(a_transfer_that_is_half_done, Faults(kills=1, who=_users)),
    Bug(the_holder_of_a_lock_is_killed, Faults(kills=1, who=_users)),
]
