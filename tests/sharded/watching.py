"""Processes that watch keys of a simulated cluster: each monitor must fire exactly once."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import attrs
import trio

from phxactor import Down, monitor, receive, self_pid, send
from phxactor.runtime import Monitor, Pid
from phxactor.sharded import Sharded


@attrs.define(eq=False)
class Watcher:
    """A process and its monitors."""

    sums: Sharded
    fired: dict[Monitor, int] = attrs.field(factory=dict)
    """How often each has fired."""
    failed: list[str] = attrs.field(factory=list)
    pid: Pid | None = None
    """Its process, once it runs."""

    async def run(self, chance: Random, keys: list[str]) -> None:
        """Watch a few keys, and one of them again after each end."""
        me = self.pid = self_pid()
        for key in chance.sample(keys, 2):
            self.watch(key)
        while True:
            match await receive():
                case Down(ref=ref):
                    if ref not in self.fired:
                        self.failed.append(f"{me} has a Down of no monitor of it: {ref}")
                        continue
                    self.fired[ref] += 1
                    if self.fired[ref] == 1 and len(self.fired) < 8:
                        self._again(me, chance.choice(keys))
                case str() as key:
                    self.watch(key)

    def _again(self, me: Pid, key: str) -> None:
        me.runtime.start_task(self._soon, me, key, name="watch again")

    async def _soon(self, me: Pid, key: str) -> None:
        await trio.sleep(1)
        send(me, key)

    def watch(self, key: str) -> None:
        """Watch a key."""
        self.fired[monitor(self.sums[key])] = 0

    def wrong(self) -> list[str]:
        """List what is wrong, after all servers have ended: monitors that have not fired once."""
        if self.pid is None or not self.pid.alive:
            return self.failed
        return [
            *self.failed,
            *(f"{ref} of {self.pid} fired {times} times" for ref, times in self.fired.items() if times != 1),
        ]


def watcher(sums: Sharded, start: Callable[..., object], chance: Random, keys: list[str]) -> Watcher:
    """Start one, by `start`."""
    one = Watcher(sums)
    start(one.run, chance, keys)
    return one
