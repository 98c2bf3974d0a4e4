"""A proxy of TCP that can go silent: connections stay, and nothing comes through any more, as when a route dies."""

from __future__ import annotations

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
            nursery.start_soon(self._copy, number, client, server, nursery.cancel_scope)
            nursery.start_soon(self._copy, number, server, client, nursery.cancel_scope)

    async def _copy(self, number: int, one: trio.SocketStream, other: trio.SocketStream, end: trio.CancelScope) -> None:
        try:
            while data := await one.receive_some():
                if number not in self._dead:
                    await other.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        end.cancel()
