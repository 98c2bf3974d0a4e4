"""Transports are told to finish, in batches, so that not all clients reconnect at once."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import TYPE_CHECKING

from phxactor.runtime import SHUTDOWN, Down, Monitor, Pid, self_pid
from phxactor.socket import DRAIN

if TYPE_CHECKING:
    from phxactor.endpoint._options import DrainOptions


async def finish(transports: Sequence[Pid], idle: Container[Pid], left: set[Monitor], options: DrainOptions) -> None:
    """Tell transports to finish, and wait until all have.

    Args:
        transports: those to tell.
        idle: those that are ended at once instead, as no request is lost.
        left: the calling process's monitors of them; those that have not finished are in it.
        options: how many are told at once, and after how many seconds the next ones are.

    """
    runtime = self_pid().runtime
    for start in range(0, len(transports), options.batch_size):
        for pid in transports[start : start + options.batch_size]:
            if pid in idle:
                pid.exit(SHUTDOWN)
            else:
                pid.send(DRAIN)
        next_batch = runtime.now() + options.interval
        last = start + options.batch_size >= len(transports)
        while left and (last or runtime.now() < next_batch):
            try:
                down = await self_pid().receive_refs(left, 0, None if last else max(0.0, next_batch - runtime.now()))
            except TimeoutError:
                break
            if type(down) is Down:
                left.discard(down.ref)
