"""What supabase's `realtime` makes of a server: a program that prints what happens to it, line by line.

python with_realtime.py ws://127.0.0.1:4000/socket
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from realtime import AsyncRealtimeClient


async def main(url: str) -> None:
    """Join, push and broadcast; once more after each line that is read, when the channel has been joined again."""
    client = AsyncRealtimeClient(url, params={"user_id": "7"}, initial_backoff=0.05)
    channel = client.channel("lobby")
    happened: asyncio.Queue[list[Any]] = asyncio.Queue()
    channel.on_broadcast("news", lambda payload: happened.put_nowait(["news", payload["payload"]]))
    loop = asyncio.get_running_loop()

    await client.connect()
    await channel.subscribe(lambda state, _error: happened.put_nowait([state.value]))
    said: list[Any] | None = None
    number = 0
    while number < 3:
        while said != ["SUBSCRIBED"]:
            said = await happened.get()
            tell(said)
        number += 1
        said = None
        push = await channel.push("echo", {"number": number})
        acknowledged: asyncio.Future[None] = loop.create_future()
        push.receive("ok", lambda _, done=acknowledged: done.set_result(None))
        await acknowledged
        tell(["acknowledged"])
        await channel.send_broadcast("news", {"number": number})
        tell(await happened.get())
        await loop.run_in_executor(None, sys.stdin.readline)
    await channel.unsubscribe()
    tell(await happened.get())
    await client.close()


def tell(what: list[Any]) -> None:
    """Print it."""
    print(json.dumps(what), flush=True)  # noqa: T201 - whoever has started this reads it


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
