"""Tests of the behaviours: virtual time, no sleeping, one rule of the specification in each test's name.

async with open_runtime():     makes the test's body a process
Kit.start_link(call=...)       a server whose callbacks are functions of the test
await settle()                 every process has done what it can do without time passing
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from phxactor.otp import Continue, Error, GenServer, Hibernate, Ignore, NoReply, Reply, Stop, Timeout
from phxactor.runtime import From, Pid, Reason, self_pid, spawn, trap_exit
from phxactor.telemetry import Event

Callback: TypeAlias = Callable[..., Any]


class Kit(GenServer):
    """A server whose callbacks are given when it starts, each a function of the server and the callback's arguments."""

    async def init(
        self,
        *,
        init: Callback | None = None,
        call: Callback | None = None,
        cast: Callback | None = None,
        info: Callback | None = None,
        then: Callback | None = None,
        terminate: Callback | None = None,
        trap: bool = False,
    ) -> Continue | Timeout | Hibernate | Stop | Error | Ignore | None:
        if trap:
            trap_exit()
        given = {"call": call, "cast": cast, "info": info, "then": then, "terminate": terminate}
        self.callbacks = {name: callback for name, callback in given.items() if callback is not None}
        return None if init is None else await _value(init(self))

    async def handle_call(self, request: object, from_: From) -> Reply | NoReply | Stop | None:
        outcome: Reply | NoReply | Stop | None = await self._run("call", super().handle_call, request, from_)
        return outcome

    async def handle_cast(self, request: object) -> NoReply | Stop | None:
        outcome: NoReply | Stop | None = await self._run("cast", super().handle_cast, request)
        return outcome

    async def handle_info(self, message: object) -> NoReply | Stop | None:
        outcome: NoReply | Stop | None = await self._run("info", super().handle_info, message)
        return outcome

    async def handle_continue(self, argument: object) -> NoReply | Stop | None:
        outcome: NoReply | Stop | None = await self._run("then", super().handle_continue, argument)
        return outcome

    async def terminate(self, reason: Reason) -> None:
        await self._run("terminate", super().terminate, reason)

    async def _run(self, name: str, default: Callback, *args: object) -> Any:  # noqa: ANN401 - what a test returns
        callback = self.callbacks.get(name)
        return await _value(default(*args) if callback is None else callback(self, *args))


async def _value(value: Any) -> Any:  # noqa: ANN401 - the same
    return await value if isinstance(value, Awaitable) else value


def raises(error: BaseException) -> Callback:
    """Make a callback that raises."""

    def callback(*_: object) -> None:
        raise error

    return callback


def mail() -> list[object]:
    """List what waits in the mailbox of the test's process."""
    return list(self_pid().mailbox)


async def end_of(body: Callable[..., Awaitable[object]], *args: object) -> Reason:
    """Run a body as a process of its own, and return the reason with which it ends."""
    pid = spawn(body, *args)
    return await pid.runtime.ended(pid)


async def end(pid: Pid) -> Reason:
    """Wait until a process has ended, and return its reason."""
    return await pid.runtime.ended(pid)


@contextmanager
def told(*watched: Event) -> Iterator[list[tuple[Event, Mapping[str, Any]]]]:
    """Collect what is emitted meanwhile: `(event, fields)`."""
    heard: list[tuple[Event, Mapping[str, Any]]] = []

    def hear(event: Event, fields: Mapping[str, object]) -> None:
        heard.append((event, fields))

    for event in watched:
        event.attach(hear)
    try:
        yield heard
    finally:
        for event in watched:
            event.detach(hear)
