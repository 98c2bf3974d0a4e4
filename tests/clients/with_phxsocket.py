"""What `phxsocket` makes of a server: a program that prints what happens to it, line by line.

python with_phxsocket.py ws://127.0.0.1:4000/socket/websocket
"""

from __future__ import annotations

import json
import sys
import threading
from queue import SimpleQueue
from typing import Any

from phxsocket import Client


def main(url: str) -> None:
    """Join, push and broadcast; again after each loss of the connection, which this library leaves to its user."""
    client = Client(url, {"user_id": "7"})
    lost = threading.Event()
    client.on_close = lambda _: lost.set()
    heard: SimpleQueue[Any] = SimpleQueue()
    for number in (1, 2, 3):
        lost.clear()
        client.connect()
        channel = client.channel("room:lobby", {"number": number})
        channel.on("broadcast", heard.put)
        tell(["joined", channel.join()])
        channel.push("broadcast", {"number": number})
        tell(["heard", heard.get()])
        for event in ("echo", "reply_error"):
            tell([event, channel.push(event, {"number": number}, reply=True).wait_for_response()])
        sys.stdin.readline()
        if number < 3:
            lost.wait()
            tell(["lost"])
    client.close()


def tell(what: list[Any]) -> None:
    """Print it."""
    print(json.dumps(what), flush=True)  # noqa: T201 - whoever has started this reads it


if __name__ == "__main__":
    main(sys.argv[1])
