"""Clients that come and go, and what the server is left with: the figures of a large run.

    python -m tests.attacks.churn [NAME ...]

The server has no garbage collector: whatever lies in a cycle stays. The tests run the same attacks with fewer clients.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeAlias

import trio

from tests.attacks.target import CLIENTS, MEGABYTE, Target, attacked, deflated, posting, pour, session
from tests.transport.frames import TEXT, frame

Visit: TypeAlias = Callable[[Target], Awaitable[object]]
"""What one client does, from its connection to its leaving."""

JOIN: Final = b'["1","1","room:1","phx_join",{}]'


async def compressed(target: Target) -> None:
    """Send one compressed message, and leave behind the answer."""
    client = await target.connect("/compressed", compress=True)
    await client.stream.send_all(frame(TEXT, deflated(JOIN), bits=0x40))
    await client.stream.receive_some()
    await trio.aclose_forcefully(client.stream)


async def fragment(target: Target, size: int = 30 * MEGABYTE, *, compress: bool = False) -> None:
    """Leave in the midst of a large message, once it was read."""
    client = await target.connect("/large", compress=compress)
    if compress:
        await client.stream.send_all(frame(TEXT, deflated(b"[" + b" " * size)[:-8], bits=0x40, fin=False))
    else:
        await client.stream.send_all(frame(TEXT, b"[" + b" " * size, fin=False))
    await trio.sleep(0.05)  # a ping would tell when all was read, but then it were the last frame
    await trio.aclose_forcefully(client.stream)


async def crash(target: Target, size: int = 950_000) -> None:
    """Crash a channel with a large message."""
    client = await target.connect("/close")
    await client.ask(["1", "1", "room:1", "phx_join", {}])
    await client.send(["1", "2", "room:1", "crash", "p" * size])
    while (await client.json())[3] != "phx_error":  # type: ignore[index]
        pass
    await trio.aclose_forcefully(client.stream)


async def half_a_head(target: Target) -> None:
    """Leave in the midst of a head."""
    stream = await target.stream()
    await stream.send_all(b"GET /close/websocket?vsn=2.0.0 HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 1000)
    await trio.aclose_forcefully(stream)


async def handshake(target: Target) -> None:
    """Leave once the encrypted connection stands."""
    stream: Any = await target.stream()
    await stream.do_handshake()
    await trio.aclose_forcefully(stream.transport_stream)


async def stuck(target: Target, seconds: float = 3.0) -> None:
    """Send as much as is taken to a channel that is stuck, beside one that takes what it is sent."""
    client = await target.connect("/close")
    for number in ("1", "2"):
        await client.ask([number, number, f"room:{number}", "phx_join", {}])
    tiny = frame(TEXT, b'["1",null,"room:1","quiet",0]') * 30
    large = frame(TEXT, b'["2",null,"room:2","nap","' + b"x" * 900_000 + b'"]')
    await pour(client.stream, tiny + large, seconds)
    await trio.aclose_forcefully(client.stream)


async def publishers(target: Target) -> None:
    """Publish 40 times 9.9 MB to one session whose channel is stuck, and leave."""
    where = await session(target)
    request = posting(where, b"\n".join([b'["1",null,"room:1","nap","' + b"x" * 900_000 + b'"]'] * 11))
    streams = [await target.stream() for _ in range(40)]

    async def publish(stream: trio.abc.Stream) -> None:
        with trio.move_on_after(3), suppress(trio.BrokenResourceError):
            await stream.send_all(request)
        await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        for stream in streams:
            nursery.start_soon(publish, stream)


async def newlines(target: Target) -> None:
    """Publish 10 MB of empty lines."""
    where = await session(target)
    answer = await target.ask(posting(where, b"\n" * 10 * MEGABYTE, "close"))
    assert answer.endswith(b'{"status":200}')


async def repeated(target: Target, visit: Visit, count: int, at_once: int = CLIENTS) -> None:
    """Have so many clients come and go."""
    left = iter(range(count))

    async def come() -> None:
        for _ in left:
            await visit(target)

    async with trio.open_nursery() as nursery:
        for _ in range(at_once):
            nursery.start_soon(come)


async def growth(target: Target, visit: Visit, count: int, at_once: int = CLIENTS) -> tuple[int, int]:
    """Return the bytes of memory before, once some have come and gone, and after so many more."""
    await repeated(target, visit, max(at_once, count // 5), at_once)
    before = await target.at_rest()
    await repeated(target, visit, count, at_once)
    return before, await target.at_rest()


LARGE_RUN: Final[dict[str, tuple[Visit, int, int, bool]]] = {
    "compressed clients": (compressed, 26_000, CLIENTS, False),
    "compressed clients, TLS": (compressed, 5_000, CLIENTS, True),
    "fragments of 30 MB": (fragment, 25, 1, False),
    "compressed fragments of 30 MB": (partial(fragment, compress=True), 25, 1, False),
    "crashes with 0.95 MB": (crash, 300, 1, False),
    "half-open heads": (half_a_head, 20_000, CLIENTS, False),
    "TLS handshakes": (handshake, 5_000, CLIENTS, True),
    "floods of a stuck channel": (stuck, 5, 1, False),
    "40 publishes of 9.9 MB": (publishers, 3, 1, False),
    "10 MB of newlines": (newlines, 20, 1, False),
}
"""The attack, how many clients, how many at once, and whether over TLS."""


async def main(names: list[str]) -> None:
    """Print a line for each attack."""
    for name in names or LARGE_RUN:
        visit, count, at_once, tls = LARGE_RUN[name]
        async with attacked("--no-collector", tls=tls) as target:
            before, after = await growth(target, visit, count, at_once)
            peak = target.peak()
        print(  # noqa: T201 - it is what this program is for
            f"{name}, {count} times: {before / MEGABYTE:.1f} MB before, {after / MEGABYTE:.1f} MB after, "
            f"at most {peak / MEGABYTE:.1f} MB",
            flush=True,
        )


if __name__ == "__main__":
    trio.run(main, sys.argv[1:])
