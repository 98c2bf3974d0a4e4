"""A proxy of TCP before Redis that can go silent, as when a route dies, or keep back what one node says."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import trio

from tests.cluster.redis.server import RedisServer


class Proxy:
    """Carries connections to a server while `run` runs."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._dead: set[int] = set()
        """The connections that are silent for ever."""
        self._count = 0
        self.keeps_back: bytes | None = None
        """The id of a node whose messages do not come through to the clients of this proxy."""
        self.url = ""

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        """Listen, and carry."""
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(partial(trio.serve_tcp, self._carry, 0, host="127.0.0.1"))
            self.url = f"redis://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
            task_status.started()

    async def goes_silent(self, _: RedisServer) -> None:
        """Let the connections that there are carry nothing more, until both ends have noticed: a fault."""
        self._dead.update(range(self._count))
        await trio.sleep(5.5)

    async def _carry(self, client: trio.SocketStream) -> None:
        number = self._count
        self._count += 1
        try:
            server = await trio.open_tcp_stream("127.0.0.1", self._to)
        except OSError:
            await client.aclose()
            return
        async with client, server, trio.open_nursery() as nursery:
            nursery.start_soon(self._copy, number, client, server, nursery.cancel_scope, bytes)
            nursery.start_soon(self._copy, number, server, client, nursery.cancel_scope, self._filter())

    async def _copy(
        self,
        number: int,
        one: trio.SocketStream,
        other: trio.SocketStream,
        end: trio.CancelScope,
        passed: Callable[[bytes | bytearray], bytes],
    ) -> None:
        try:
            while data := await one.receive_some():
                if number not in self._dead:
                    await other.send_all(passed(data))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        end.cancel()

    def _filter(self) -> Callable[[bytes | bytearray], bytes]:
        """Return what leaves out messages that are kept back, of what Redis says on one connection."""
        held = bytearray()

        def passed(data: bytes | bytearray) -> bytes:
            held.extend(data)
            kept, at = bytearray(), 0
            while (end := whole(held, at)) is not None:
                value = held[at:end]
                if self.keeps_back is None or not (value[:1] == b">" and self.keeps_back in value):
                    kept += value
                at = end
            del held[:at]
            return bytes(kept)

        return passed


def whole(data: bytearray, at: int) -> int | None:
    """Return where a value of RESP3 ends that begins here; None if it has not come whole."""
    line = data.find(b"\r\n", at)
    if line < 0:
        return None
    kind, end = data[at : at + 1], line + 2
    if kind == b"$":
        end += int(data[at + 1 : line]) + 2
    elif kind in b"*>%":
        for _ in range(int(data[at + 1 : line]) * (2 if kind == b"%" else 1)):
            after = whole(data, end)
            if after is None:
                return None
            end = after
    return end if end <= len(data) else None
