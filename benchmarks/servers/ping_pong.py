"""Bare trio over a socket: `asks` sends bytes and waits for others, `answers` waits and sends them back."""

from __future__ import annotations

import socket
import sys

import trio

WARMUP = 200
"""Requests before it says that it is ready."""


async def talk(side: str, stream: trio.SocketStream, calls: int, there: int, back: int) -> None:
    """Ask, or answer, until the other side has closed the stream."""
    sends, takes = (bytes(there), back) if side == "asks" else (bytes(back), there)

    async def take() -> bool:
        got = 0
        while got < takes:
            some = await stream.receive_some()
            if not some:
                return False
            got += len(some)
        return True

    async def ask(times: int) -> None:
        for _ in range(times):
            await stream.send_all(sends)
            await take()

    if side == "answers":
        while await take():
            await stream.send_all(sends)
        return
    await ask(WARMUP)
    print("ready", flush=True)
    sys.stdin.readline()
    await ask(calls)
    print("done", there, back, flush=True)


async def main() -> None:
    """Read the command line, and talk."""
    side, line, calls, there, back = sys.argv[1], *map(int, sys.argv[2:])
    await talk(side, trio.SocketStream(trio.socket.from_stdlib_socket(socket.socket(fileno=line))), calls, there, back)


if __name__ == "__main__":
    trio.run(main)
