"""Channels for the tests of a multiplexer."""

from __future__ import annotations

import trio
import trio.lowlevel

from phxactor import Channel, Error, Ok, Pid, Stop, channel, monitor, on, trap_exit
from phxactor.channels import Payload
from phxactor.runtime import receive
from tests.sockets.wires import (
    Wire,
)


class Room(Channel):
    """Does what the topic and the event say."""

    async def join(self, topic: str, payload: Payload) -> Ok[Payload] | Error | None:
        match topic.removeprefix("room:"):
            case "never":
                await trio.sleep_forever()
            case "slow" | "slow2":
                await trio.sleep(1)
            case "refuse":
                return Error({"reason": "no"})
            case "stubborn":
                trap_exit()
            case "object":
                return Ok(object())
            case "error_object":
                return Error(object())
        return None

    async def handle_info(self, message: object) -> None:
        if isinstance(message, tuple) and message[0] == "hold":
            with trio.CancelScope(shield=True):
                await trio.sleep(message[1])

    @on("echo")
    async def echo(self, payload: Payload) -> Ok[Payload]:
        return Ok(payload)

    @on("hold")
    async def hold(self, payload: float) -> None:
        await trio.sleep(payload)

    @on("crash")
    async def crash(self, payload: Payload) -> None:
        raise RuntimeError("crashed")

    @on("stop")
    async def end(self, payload: Payload) -> Stop:
        return Stop()


ROOMS = channel("room:*", Room)


async def watch(pid: Pid, ended: list[object]) -> None:
    """Note why a process ends."""
    monitor(pid)
    ended.append(getattr(await receive(), "reason", None))


def channels(it: Wire) -> list[Pid]:
    """List the processes of channels."""
    return [pid for pid in it.runtime.processes.values() if pid.initial_call == "Room"]
