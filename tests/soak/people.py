"""People of real processes who are killed, stopped and restarted: `python -m tests.soak.people [ROUNDS] [PEOPLE]`.

ROUNDS (50) rolling restarts of two workers with PEOPLE (200): nobody may flicker who is back within the grace, and at
the end of each round everybody must see exactly those who are there. Then, once for each ten of them, a worker is
killed: its people must be gone everywhere within a second. With a redis-server, a machine is killed (6 s) and stopped
for 20 s (its people leave after some 5 s, and are back in one diff within 3 s), and Redis is gone for 10 s (3 s). The
status is 1 if anything fails; on a machine that has other work, the seconds may be too few.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import attrs
import trio

from phxactor.client import Overflow, Presence, connect
from tests.cluster.redis.nodes import SECRET
from tests.cluster.redis.server import RedisServer, server
from tests.demos.program import Program, serving
from tests.libraries.servers import REDIS
from tests.presence.test_workers import PROGRAM

GRACE: Final = 15
"""Seconds of the grace: more than a machine with other work takes to have 200 people back."""
PATIENT: Final = PROGRAM.replace("class Here(Presence):", f"class Here(Presence, grace={GRACE}):")
ENOUGH: Final = 120.0
"""Seconds in which all must see the same, on any machine."""


@attrs.define(eq=False)
class Person:
    """A client, and who is there as it sees it."""

    key: str
    presence: Presence = attrs.field(init=False)
    flickered: list[str] = attrs.field(factory=list)
    """The keys that have gone, as it saw it."""
    diffs: int = 0
    """The diffs that have come."""

    @presence.default
    def _make_presence(self) -> Presence:
        return Presence(on_leave=self._left)

    def _left(self, key: str, now: dict[str, object], _left: object) -> None:
        if not now["metas"]:
            self.flickered.append(key)

    def worker(self) -> int:
        """Return the process that serves it, as it knows; 0 if it is not there."""
        metas = self.presence.state.get(self.key, {"metas": []})["metas"]
        return int(metas[-1]["worker"]) if metas else 0

    async def live(self, url: str, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be there, connecting again whenever the connection is lost."""
        async with connect(f"{url}/socket/websocket") as socket:
            room = await socket.join("room:1", {"key": self.key}, max_queued=100_000)
            task_status.started()
            while True:
                try:
                    async for message in room:
                        self.diffs += message.event == "presence_diff"
                        self.presence.take(message)
                except Overflow as overflow:
                    raise AssertionError(f"{self.key} has missed {overflow.lost} messages") from overflow


@asynccontextmanager
async def people(urls: Iterable[str], count: int) -> AsyncIterator[list[Person]]:
    """Have people come, in turn to each of the URLs, and wait until they see one another."""
    async with AsyncExitStack() as stack:
        nursery = await stack.enter_async_context(trio.open_nursery())
        places = list(urls)
        found = [Person(f"p{number}") for number in range(count)]
        for number, one in enumerate(found):
            await nursery.start(one.live, places[number % len(places)])
        await all_see(found, found)
        yield found
        nursery.cancel_scope.cancel()


async def all_see(some: list[Person], others: list[Person]) -> float:
    """Wait until some see exactly the others, each with one meta; return the seconds that it took."""
    wanted = {one.key for one in others}
    return await until(
        lambda: all(
            one.presence.state.keys() == wanted
            and all(len(entry["metas"]) == 1 for entry in one.presence.state.values())
            for one in some
        )
    )


async def until(holds: Callable[[], bool]) -> float:
    """Wait until it does; return the seconds that it took."""
    began = time.monotonic()
    with trio.fail_after(ENOUGH):
        while not holds():  # noqa: ASYNC110 - it is about many clients at once
            await trio.sleep(0.02)
    return time.monotonic() - began


def url_of(program: Program) -> str:
    """Return the URL of a program's sockets."""
    return f"ws://127.0.0.1:{program.port}"


async def restart(program: Program, everybody: list[Person]) -> float:
    """Have all workers replaced; nobody may flicker. Returns the seconds until all see all, on new workers."""
    before = {one.worker() for one in everybody}
    said = len(program.lines)
    for one in everybody:
        one.flickered.clear()
    program.process.send_signal(signal.SIGHUP)
    try:
        taken = await until(lambda: all(one.worker() not in before for one in everybody))
        taken += await all_see(everybody, everybody)
    except trio.TooSlowError:
        late = {one.key: (one.worker(), len(one.presence.state)) for one in everybody if one.worker() in before}
        log = "".join(program.lines[said:])
        raise AssertionError(f"these are not on new workers: {late}; {log[-1500:]}") from None
    await trio.sleep(GRACE + 1)  # longer than the grace: who was a ghost would go now
    await all_see(everybody, everybody)
    flickered = {one.key: one.flickered for one in everybody if one.flickered}
    assert not flickered, f"as these saw it, those have gone: {flickered}"
    return taken


async def kill_worker(folder: Path) -> float:
    """Kill a worker; returns the seconds until its people are gone everywhere."""
    (folder / "here.py").write_text(PROGRAM)
    with serving("serve", "here:application", "--workers", "2", cwd=folder) as program:
        async with people([url_of(program)], 20) as everybody:
            victim = everybody[0].worker()
            rest = [one for one in everybody if one.worker() != victim]
            gone = [one for one in everybody if one.worker() == victim]
            os.kill(victim, signal.SIGKILL)
            taken = await until(lambda: all(all(lost.key in one.flickered for one in rest) for lost in gone))
            await all_see(everybody, everybody)
            return taken


async def over_redis(
    folder: Path, act: Callable[[RedisServer, list[Program], list[Person], list[Person]], Awaitable[float]]
) -> float:
    """Have two machines with ten people each, and do something to them; return the seconds that `act` returns."""
    secret = f'port=0,\n    secret_key_base="{SECRET}",'
    (folder / "here.py").write_text(PROGRAM.replace("port=0,", secret))
    with server() as redis:
        await trio.to_thread.run_sync(redis.start)
        command = ("serve", "here:application", "--redis", redis.url)
        with serving(*command, cwd=folder) as one, serving(*command, cwd=folder) as other:
            async with people([url_of(one), url_of(other)], 20) as everybody:
                return await act(redis, [one, other], everybody[::2], everybody[1::2])


async def kill_machine(_: RedisServer, programs: list[Program], here: list[Person], there: list[Person]) -> float:
    """Kill a machine; returns the seconds until its people are gone."""
    os.kill(programs[0].process.pid, signal.SIGKILL)
    return await all_see(there, there)


async def stop_machine(_: RedisServer, programs: list[Program], here: list[Person], there: list[Person]) -> float:
    """Stop a machine for 20 s; returns the seconds until its people are back."""
    pid = programs[0].process.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        gone = await all_see(there, there)
        assert 3 < gone < 9, f"they have gone after {gone:.1f} s"
        await trio.sleep(20 - gone)
        for one in there:
            one.diffs = 0
    finally:
        os.kill(pid, signal.SIGCONT)
    back = await all_see([*here, *there], [*here, *there])
    diffs = {one.key: one.diffs for one in there if one.diffs != 1}
    assert not diffs, f"they are back in one diff, but these got so many: {diffs}"
    return back


async def stop_redis(redis: RedisServer, _: list[Program], here: list[Person], there: list[Person]) -> float:
    """Have no Redis for 10 s; returns the seconds from its return until all see all."""
    await trio.to_thread.run_sync(redis.kill)
    await trio.sleep(10)
    assert {len(one.presence.state) for one in [*here, *there]} == {10}
    await trio.to_thread.run_sync(redis.start)
    return await all_see([*here, *there], [*here, *there])


def say(line: str) -> None:
    """Tell what has happened."""
    print(line, flush=True)  # noqa: T201 - it is the report


async def soak(rounds: int, count: int) -> int:
    """Return the exit code."""
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "here.py").write_text(PATIENT)
        with serving("serve", "here:application", "--workers", "2", cwd=folder) as program:
            async with people([url_of(program)], count) as everybody:
                for number in range(1, rounds + 1):
                    try:
                        taken = await restart(program, everybody)
                    except AssertionError as error:
                        failed += 1
                        say(f"restart {number}: {error}"[:3000])
                    else:
                        say(f"restart {number}: {count} people, on new workers after {taken:.1f} s, nobody flickered")
    for number in range(1, 1 + rounds // 10):
        with tempfile.TemporaryDirectory() as name:
            failed += _judge(f"worker killed {number}", await kill_worker(Path(name)), 1)
            if REDIS is None:
                continue
            for title, act, limit in (
                ("machine killed", kill_machine, 6),
                ("machine stopped for 20 s", stop_machine, 3),
                ("Redis gone for 10 s", stop_redis, 3),
            ):
                failed += _judge(f"{title} {number}", await over_redis(Path(name), act), limit)
    say(f"{failed} failed")
    return min(failed, 1)


def _judge(title: str, taken: float, limit: float) -> bool:
    say(f"{title}: {taken:.2f} s of {limit}")
    return taken > limit


if __name__ == "__main__":
    given = [int(one) for one in sys.argv[1:]]
    rounds, count = given + [50, 200][len(given) :]
    sys.exit(trio.run(soak, rounds, count))
