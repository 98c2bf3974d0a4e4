"""A stream over a connection that asyncio holds: both sides, without asyncio."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor.guest import AsyncioSide, HostStream
from phxactor.guest._host_stream import MUCH


class Side(AsyncioSide):
    """Notes what happens on asyncio's side."""

    def __init__(self) -> None:
        self.did: list[object] = []
        self.stream = HostStream(self)

    def write(self, data: bytes) -> None:
        self.did.append(data)

    def write_eof(self) -> None:
        self.did.append("eof")

    def close(self) -> None:
        self.did.append("close")

    def wants_input(self) -> None:
        self.did.append("more")


async def test_bytes_go_both_ways(autojump_clock: MockClock) -> None:
    side = Side()
    stream = side.stream
    assert stream.feed(b"abc")
    assert await stream.receive_some(2) == b"ab"
    assert await stream.receive_some() == b"c"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.receive_some)
        await wait_all_tasks_blocked()
        stream.feed(b"later")
    await stream.send_all(bytearray(b"answer"))
    await stream.send_eof()
    stream.feed_eof()
    assert await stream.receive_some() == b""
    await stream.aclose()
    await stream.aclose()
    assert side.did == [b"answer", "eof", "close"]
    for use in (stream.receive_some, stream.send_eof, lambda: stream.send_all(b"")):
        with pytest.raises(trio.ClosedResourceError):
            await use()


async def test_much_input_is_held_back(autojump_clock: MockClock) -> None:
    side = Side()
    assert not side.stream.feed(bytes(MUCH + 1))
    await side.stream.receive_some(MUCH)
    assert side.did == []
    await side.stream.receive_some(MUCH)
    assert side.did == ["more"]
    assert side.stream.feed(b"x")


async def test_writes_wait_while_asyncio_has_much(autojump_clock: MockClock) -> None:
    side = Side()
    side.stream.pause()
    with trio.move_on_after(1) as limit:
        await side.stream.send_all(b"one")
    assert limit.cancelled_caught
    side.stream.resume()
    await side.stream.send_all(b"two")
    assert side.did == [b"one", b"two"]


@pytest.mark.parametrize("reset", [True, False])
async def test_a_client_that_leaves(reset: bool, autojump_clock: MockClock) -> None:
    """What it has sent is read; after a reset its end is an error."""
    side = Side()
    side.stream.feed(b"last")
    side.stream.lose(reset=reset)
    assert await side.stream.receive_some() == b"last"
    with pytest.raises(trio.BrokenResourceError, match="the client has left"):
        await side.stream.send_all(b"x")
    if reset:
        with pytest.raises(trio.BrokenResourceError):
            await side.stream.receive_some()
    else:
        assert await side.stream.receive_some() == b""
    assert side.did == []


@pytest.mark.parametrize("taken", [True, False])
async def test_a_write_is_good_if_asyncio_took_it_before_the_end(taken: bool, autojump_clock: MockClock) -> None:
    side = Side()
    side.stream.pause()

    async def write() -> None:
        if taken:
            await side.stream.send_all(b"x")
        else:
            with pytest.raises(trio.BrokenResourceError):
                await side.stream.send_all(b"x")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        await wait_all_tasks_blocked()
        if taken:
            side.stream.resume()
        side.stream.lose(reset=False)
