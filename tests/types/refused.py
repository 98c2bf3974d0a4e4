"""What mypy and pyright refuse. A mark that either does not need is an error of `make types`."""

from __future__ import annotations

from typing import TypeGuard

import attrs

import phxactor
from phxactor import Channel, Down, Endpoint, GenServer, Pid, call, mount, on, receive, send, spawn
from phxactor.otp import Agent, Reply, Stop, Task, TypedRequest


@attrs.frozen
class Pop(TypedRequest[int]):
    """Asks for the last number."""


def is_down(message: object) -> TypeGuard[Down]:
    """Tell whether it is a `Down`."""
    return isinstance(message, Down)


async def length(text: str) -> int:
    """Count."""
    return len(text)


class Forgetful(GenServer):
    """A server that answers with what is no answer."""

    async def handle_call(self, request: Pop, from_: object) -> int:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return 1

    async def handle_cast(self, request: Pop) -> Reply | Stop:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return Stop()


class Room(Channel):
    """A channel whose answers are none."""

    @on("shout")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
    async def shout(self, payload: dict[str, str]) -> int:
        return 1

    async def join(self, topic: str, payload: object) -> str:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return topic


async def wrong(pid: Pid) -> None:
    """Use what is there for what it is not for."""
    (await call(pid, Pop())).upper()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    await call(pid, Pop(), "soon")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    await call(1, Pop())  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    (await receive(is_down)).upper()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    await receive(1)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    (await Task.async_(length, "four")).upper()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    (await Agent.get(pid, len)).upper()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    send(1, "hello")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    spawn(length("four"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    started = await Forgetful.start_link()
    started.send("hello")  # type: ignore[union-attr]  # pyright: ignore[reportAttributeAccessIssue]
    Endpoint(sockets=[mount("/socket", GenServer)])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    phxactor.Endpiont()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    Endpoint(prt=4000)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
