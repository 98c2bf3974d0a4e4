"""Channels by hand on trio-websocket.

python -m benchmarks.servers.on_trio_websocket --port 4200
"""

from __future__ import annotations

from functools import partial

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, serve_websocket

from benchmarks.command_line import read_port
from benchmarks.servers.by_hand import Topics


async def serve_client(topics: Topics[WebSocketConnection], request: WebSocketRequest) -> None:
    """Serve one client."""
    connection = await request.accept()
    try:
        while True:
            answer, receivers = topics.answer(connection, await connection.get_message())
            text = answer.decode()
            for receiver in receivers:
                await receiver.send_message(text)
    except ConnectionClosed:
        pass
    finally:
        topics.gone(connection)


def main() -> None:
    """Serve until killed."""
    topics: Topics[WebSocketConnection] = Topics()
    trio.run(partial(serve_websocket, partial(serve_client, topics), "127.0.0.1", read_port(__doc__), ssl_context=None))


if __name__ == "__main__":
    main()
