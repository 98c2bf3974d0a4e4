"""Threads of every kind, and how each is started."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import trio

from phxactor.otp import GenServer, Reply
from phxactor.runtime import (
    From,
    Pid,
    receive,
    self_pid,
)
from tests.patience import PATIENCE

Work = Callable[[], Any]


async def in_a_thread_of_the_process(work: Work) -> object:
    return await trio.to_thread.run_sync(work)


async def in_a_foreign_thread(work: Work) -> object:
    return await _future(lambda done: threading.Thread(target=done, args=(work,)).start())


async def _future(start: Callable[[Callable[[Work], None]], object]) -> object:
    """Wait for a thread that is not trio's, as long as the tests' patience lasts."""
    results: list[tuple[object, BaseException | None]] = []
    token, over = trio.lowlevel.current_trio_token(), trio.Event()

    def done(work: Work) -> None:
        try:
            results.append((work(), None))
        except BaseException as error:  # noqa: BLE001 - it is raised in the test
            results.append((None, error))
        token.run_sync_soon(over.set)

    start(done)
    with trio.fail_after(PATIENCE):
        await over.wait()
    value, error = results[0]
    if error is not None:
        raise error
    return value


class Doubler(GenServer):
    async def handle_call(self, request: Any, from_: From) -> Reply:  # noqa: ANN401
        return Reply(request * 2)

    async def handle_cast(self, request: Any) -> None:  # noqa: ANN401
        request.send("cast")


async def who() -> tuple[Pid, Pid | None]:
    """Tell the process that runs this, and its parent, after a message to itself."""
    me = self_pid()
    me.send("mine")
    assert await receive(lambda message: message == "mine") == "mine"
    return me, me.parent
