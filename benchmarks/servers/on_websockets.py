"""Channels by hand on websockets and asyncio.

python -m benchmarks.servers.on_websockets --port 4200
python -m benchmarks.servers.on_websockets --port 4200 --uvloop
"""

from __future__ import annotations

import argparse
import asyncio

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from benchmarks.servers.by_hand import Topics


async def run(port: int) -> None:
    """Serve until cancelled."""
    topics: Topics[ServerConnection] = Topics()

    async def serve_client(connection: ServerConnection) -> None:
        try:
            async for message in connection:
                answer, receivers = topics.answer(connection, message)
                if receivers == [connection]:
                    await connection.send(answer, text=True)
                else:
                    broadcast(receivers, answer.decode())
        finally:
            topics.gone(connection)

    async with serve(serve_client, "127.0.0.1", port, compression=None) as server:
        await server.serve_forever()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=4200)
    parser.add_argument("--uvloop", action="store_true", help="in place of asyncio's own loop")
    chosen = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop if chosen.uvloop else None) as runner:
        runner.run(run(chosen.port))


if __name__ == "__main__":
    main()
