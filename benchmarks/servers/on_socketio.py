"""python-socketio on uvicorn: its own protocol, with acknowledgements for replies and rooms for topics.

python -m benchmarks.servers.on_socketio --port 4200 [--redis redis://127.0.0.1]
"""

from __future__ import annotations

import socketio
import uvicorn

from benchmarks.command_line import read_address

PORT, REDIS = read_address(__doc__)

server = socketio.AsyncServer(
    async_mode="asgi",
    transports=["websocket"],
    ping_interval=3600,  # the loads do not wait for pings
    client_manager=None if REDIS is None else socketio.AsyncRedisManager(REDIS),
)


async def join(sid: str, topic: str) -> None:
    """Enter a room."""
    await server.enter_room(sid, topic)


async def echo(_sid: str, payload: object) -> object:
    """Acknowledge with what came."""
    return payload


async def shout(_sid: str, topic: str, payload: object) -> None:
    """Tell the room."""
    await server.emit("shout", payload, room=topic)


def main() -> None:
    """Serve until killed."""
    for handler in (join, echo, shout):
        server.on(handler.__name__, handler)
    uvicorn.run(socketio.ASGIApp(server), host="127.0.0.1", port=PORT, loop="uvloop", log_level="warning")


if __name__ == "__main__":
    main()
